"""What Flower is told of a worker's own stages, and what a worker takes."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from celery.utils.imports import symbol_by_name
from celery.worker.request import Request

from db.states import StageName
from tests.worker.consumer import Consumer
from tests.worker.fake_worker import Worker, submit
from worker import tasks
from worker.consuming import Consuming, StageRequest


def test_the_seconds_of_a_stage_are_its_own(
    worker: Worker, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the stages that follow in the same thread are told with these."""
    now = 0.0

    def takes(seconds: float, work: Any) -> Any:
        def working(*arguments: Any, **options: Any) -> Any:
            nonlocal now
            now += seconds
            return work(*arguments, **options)

        return working

    clock = SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr("worker.tasks.time", clock)
    monkeypatch.setattr("worker.consuming.time", clock)
    monkeypatch.setattr(worker.classifier, "classify", takes(2, worker.classifier.classify))
    monkeypatch.setattr(worker.detector, "detect_each", takes(30, worker.detector.detect_each))
    assert worker.run(StageName.CLASSIFY, submit(labels=["cat"])) == 2
    assert [fields["runtime"] for fields in consumer.fields if "runtime" in fields] == [30, 0]


def test_flower_is_told_how_long_a_stage_took_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery counts until the thread is free again, with the stages that followed."""
    send = Mock()
    monkeypatch.setattr(Request, "send_event", send)
    request = StageRequest.__new__(StageRequest)
    request.send_event("task-succeeded", result="0.25", runtime=3.0)
    request.send_event("task-started")
    assert [(call.args, call.kwargs) for call in send.call_args_list] == [
        (("task-succeeded",), {"result": "0.25", "runtime": 0.25}),
        (("task-started",), {}),
    ]


@pytest.mark.parametrize("task", [tasks.classify, tasks.detect, tasks.segment], ids=lambda task: str(task.name))
def test_stages_are_requests_that_tell_it_so(task: Any) -> None:
    """Celery makes what the task names."""
    assert symbol_by_name(task.Request) is StageRequest


def test_a_process_that_consumes_nothing_takes_nothing() -> None:
    """A script that runs a stage by hand, say."""
    assert not Consuming().takes(StageName.DETECT)
