"""The Celery application: `celery --app worker.app worker --pool threads`."""

import sys
from typing import Any

from celery.signals import worker_init, worker_ready, worker_shutdown

from db.errors import MainmaskError
from db.messages import celery_app
from db.settings import settings

app = celery_app(settings())
app.conf.imports = ("worker.tasks",)


def load_models(**_: Any) -> None:
    """Load before the first message is taken: a worker without its models takes no jobs."""
    # Imported here: Flower loads this module too, and needs no torch.
    from worker.runtime import runtime  # noqa: PLC0415

    try:
        runtime()
    except MainmaskError as error:
        sys.exit(f"The worker can't start: {error}")


def announce_ready(**_: Any) -> None:
    """Tell whoever supervises this process that it consumes."""
    if path := settings().worker_ready_file:
        path.touch()


def withdraw_ready(**_: Any) -> None:
    """A worker that has stopped isn't ready any more."""
    if path := settings().worker_ready_file:
        path.unlink(missing_ok=True)


worker_init.connect(load_models)
worker_ready.connect(announce_ready)
worker_shutdown.connect(withdraw_ready)
