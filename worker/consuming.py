"""What this process's Celery consumer takes, and what it tells Flower."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import format_exc
from typing import Any

from celery.exceptions import Retry
from celery.worker.request import Request
from structlog.contextvars import bound_contextvars

from db import messages
from db.claims import Claim
from db.errors import MainmaskError
from db.session import OUTAGES
from db.states import StageName

logger = logging.getLogger(__name__)


class Consuming:
    """The consumer of this process, once there is one. Threads may share it."""

    def __init__(self) -> None:
        self._consumer: Any = None  # Celery is untyped
        self.leaving = threading.Event()
        """This process takes nothing more."""

    def begin(self, consumer: Any) -> None:
        """This consumer takes messages from now on."""
        self._consumer = consumer

    def takes(self, name: StageName) -> bool:
        """Whether this process does such stages; its queues can be cancelled, and others added, while it runs."""
        if self._consumer is None or self.leaving.is_set():
            return False
        return name in self._consumer.app.amqp.queues.consume_from

    @contextmanager
    def told(self, claim: Claim) -> Iterator[None]:
        """Flower and the log hear of the block as of a task that a message began; its errors end here, too."""
        self._tell("task-received", claim, args=f"('{claim.job_id}',)", kwargs="{}")
        self._tell("task-started", claim)
        begun = time.monotonic()
        with bound_contextvars(**claim.log_fields):
            try:
                yield
            except Retry as retry:
                logger.info("%s of job %s: retry: %s", claim.name, claim.job_id, retry)
                self._tell("task-retried", claim, exception=repr(retry.exc), traceback=format_exc())
            except (MainmaskError, *OUTAGES) as error:  # the sender's fault, or an outage's: no traceback
                logger.info("%s of job %s failed: %s", claim.name, claim.job_id, error)
                self._tell("task-failed", claim, exception=repr(error), traceback=format_exc())
            except Exception as error:
                logger.exception("%s of job %s failed", claim.name, claim.job_id)
                self._tell("task-failed", claim, exception=repr(error), traceback=format_exc())
            else:
                seconds = time.monotonic() - begun
                logger.info("%s of job %s succeeded in %.3f s", claim.name, claim.job_id, seconds)
                self._tell("task-succeeded", claim, result="None", runtime=seconds)

    def _tell(self, event: str, claim: Claim, **fields: Any) -> None:
        """Called by the thread that runs the stage, as Celery calls its own."""
        dispatcher = self._consumer.event_dispatcher  # another one after each reconnection
        if dispatcher and dispatcher.enabled:
            task_id = messages.task_id(claim.name, claim.job_id)
            dispatcher.send(event, uuid=task_id, name=str(claim.name), **fields)


class StageRequest(Request):  # type: ignore[misc]  # Celery is untyped
    """A stage that a message began. Its result is how many seconds it took itself: Flower is told of these.

    Celery's own count has those of the stages that followed in the same thread.
    """

    def send_event(self, event: str, **fields: Any) -> None:
        """As Celery's."""
        if event == "task-succeeded":
            fields["runtime"] = float(fields["result"])
        super().send_event(event, **fields)


consuming = Consuming()
