"""What a Celery process says of the task that it runs."""

from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from celery import Task
from structlog.contextvars import get_contextvars

from worker import observability

ID = str(uuid4())


@pytest.mark.parametrize(
    ("name", "args", "fields"),
    [
        ("segment", [ID], {"job_id": ID, "stage": "segment"}),
        ("deliver", [ID], {"delivery_id": ID}),
        ("sweep", [], {"task": "sweep"}),
        ("classify", [], {"task": "classify"}),  # a message that somebody made by hand
    ],
)
def test_a_line_says_what_its_task_is_about(name: str, args: list[Any], fields: dict[str, str]) -> None:
    """From the task's beginning to its end, and the next task's lines say nothing of it."""
    observability.begin_task(cast("Task", SimpleNamespace(name="sweep")), [])
    observability.begin_task(cast("Task", SimpleNamespace(name=name)), args)
    assert get_contextvars() == fields
    observability.end_task()
    assert get_contextvars() == {}
