"""The Celery application: `celery --app worker.app worker --pool threads`."""

import gc
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from celery.signals import worker_init, worker_ready, worker_shutdown, worker_shutting_down
from sqlalchemy.exc import SQLAlchemyError

from db import messages
from db.errors import MainmaskError
from db.loaded_profiles import CONFIRMED_EVERY_SECONDS
from db.messages import celery_app
from db.settings import settings
from worker import observability
from worker.consuming import consuming

logger = logging.getLogger(__name__)
app = celery_app(settings())
app.conf.imports = ("worker.tasks",)
app.events_cls = "worker.task_events:PacedEvents"


def load_models(**_: Any) -> None:
    """Load before the first message is taken: a worker without its models takes no jobs."""
    # Models are pulled beforehand: no library may ask the network for one, now or later.
    os.environ["HF_HUB_OFFLINE"] = "1"
    # Imported here: `celery inspect` loads this module too, and needs no torch.
    from worker import gpu_memory  # noqa: PLC0415
    from worker.runtime import runtime  # noqa: PLC0415

    withdraw_ready()  # a process that was killed leaves its own behind
    gpu_memory.watch()
    try:
        runtime()
    except MainmaskError as error:
        sys.exit(f"The worker can't start: {error}")
    # What is there now stays: looking through millions of the libraries' objects for garbage would stop all threads.
    gc.collect()
    gc.freeze()


def announce_ready(sender: Any = None, **_: Any) -> None:
    """Look after what is claimed from now on, and tell whoever supervises this process that it consumes.

    `sender` is the consumer.
    """
    from worker.runtime import runtime  # noqa: PLC0415 - as above

    consuming.begin(sender)
    runtime().leases.start()
    _say(runtime().announce)
    threading.Thread(target=_confirm, args=[runtime().confirm], name="presence", daemon=True).start()
    if path := settings().worker_ready_file:
        path.touch()


def _confirm(confirm: Callable[[], None]) -> None:
    while not consuming.leaving.wait(CONFIRMED_EVERY_SECONDS):
        _say(confirm)


def _say(say: Callable[[], None]) -> None:
    try:
        say()
    except SQLAlchemyError as error:
        # Without it finished answers are not given again, callers read that no model is ready, and nothing else.
        logger.warning("the database can't be told which models are loaded: %s", error)


def limit_shutdown(**_: Any) -> None:
    """A worker that is asked to stop finishes what it runs; what takes longer than the grace is handed back."""
    consuming.leaving.set()
    timer = threading.Timer(settings().shutdown_grace_seconds, _hand_back_and_end)
    timer.daemon = True  # where all is finished in time, the process ends without it
    timer.start()


def _hand_back_and_end() -> None:
    from worker.runtime import runtime  # noqa: PLC0415 - as above

    returned = runtime().leases.hand_back()
    for claim in returned:
        logger.warning(
            "%s of job %s is handed back: this worker stops", claim.name, claim.job_id, extra=claim.log_fields
        )
    messages.send_all((claim.name, claim.job_id, 0) for claim in returned)
    logging.shutdown()
    os._exit(0)


def withdraw_ready(**_: Any) -> None:
    """A worker that has stopped isn't ready any more."""
    if path := settings().worker_ready_file:
        path.unlink(missing_ok=True)


observability.install("worker")
worker_init.connect(load_models)
worker_ready.connect(announce_ready)
worker_shutting_down.connect(limit_shutdown)
worker_shutdown.connect(withdraw_ready)
