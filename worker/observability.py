"""What lets a Celery process be watched: its logs, its metrics and its traces."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from celery import Task
from celery.signals import celeryd_init, setup_logging, task_postrun, task_prerun, worker_init
from structlog.contextvars import bind_contextvars, clear_contextvars

from db import logs, tracing
from db.messages import DELIVER
from db.states import StageName
from worker import metrics_server


def install(service: str) -> None:
    """For every application of ours, before its process starts; traces name it so."""
    celeryd_init.connect(partial(begin_process, service), weak=False, dispatch_uid=__name__)
    setup_logging.connect(configure_logs)
    worker_init.connect(serve_metrics)
    task_prerun.connect(begin_task)
    task_postrun.connect(end_task)


def configure_logs(loglevel: int | None = None, **_: Any) -> None:
    """In place of Celery's own set-up, at the level of `--loglevel`."""
    logs.configure(loglevel or logging.INFO)


def begin_process(service: str, options: Mapping[str, Any], **_: Any) -> None:
    """Before Celery sets up its logs, because what is loaded first has something to say, too."""
    configure_logs(options.get("loglevel"))
    tracing.configure(service)


def serve_metrics(**_: Any) -> None:
    """Where the settings say."""
    metrics_server.start()


def begin_task(task: Task, args: Sequence[Any], **_: Any) -> None:
    """Have each line that is logged in this thread say what it is about, Celery's own on the task's end among them."""
    clear_contextvars()
    bind_contextvars(**_subject(task.name, args))


def end_task(**_: Any) -> None:
    """The thread has nothing to do."""
    clear_contextvars()


def _subject(name: str, args: Sequence[Any]) -> dict[str, Any]:
    if name in {*StageName} and args:
        return {"job_id": args[0], "stage": name}
    if name == DELIVER and args:
        return {"delivery_id": args[0]}
    return {"task": name}
