"""The maintenance worker, apart from the GPU workers: it must act when those can't.

`celery --app worker.maintenance beat` keeps the time, `celery --app worker.maintenance worker --queues maintenance`
does the work.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps

from db.lines import Limits
from db.messages import celery_app
from db.session import OUTAGES, session_factory
from db.settings import settings
from db.storage import object_store
from worker import observability, sweep
from worker.leases import RENEWALS_PER_LEASE

logger = logging.getLogger(__name__)

QUEUE = "maintenance"
EXPIRE_INTERVAL_SECONDS = 300
ORPHANS_INTERVAL_SECONDS = 6 * 3600
SETTLED_AFTER = timedelta(hours=1)
"""A submission older than this has become a job, or never will."""

app = celery_app(settings())
app.conf.task_default_queue = QUEUE
app.conf.task_send_sent_event = False
app.conf.beat_schedule = {
    "sweep": {
        "task": "sweep",
        "schedule": settings().sweep_interval_seconds,
        # A sweep that comes late is as good as the next one: they don't pile up while no worker takes them.
        "options": {"expires": 2 * settings().sweep_interval_seconds},
    },
    "expire": {
        "task": "expire",
        "schedule": EXPIRE_INTERVAL_SECONDS,
        "options": {"expires": EXPIRE_INTERVAL_SECONDS},
    },
    "orphans": {
        "task": "orphans",
        "schedule": ORPHANS_INTERVAL_SECONDS,
        "options": {"expires": ORPHANS_INTERVAL_SECONDS},
    },
}

LEASE = timedelta(seconds=settings().lease_seconds)
# What a lease has left at the least, as it is renewed three times in its length: no shorter outage can end one.
watch = sweep.Watch(longest_gap=LEASE * (1 - 1 / RENEWALS_PER_LEASE), patience=LEASE)


def without_database(run: Callable[[], None]) -> Callable[[], None]:
    """The same, with one line in the log, and no traceback, while the database is away: the next round is soon."""

    @wraps(run)
    def task() -> None:
        try:
            run()
        except OUTAGES as error:
            logger.warning("the database is unavailable: %s", str(getattr(error, "orig", error)).strip())

    return task


def run_sweep() -> None:
    """Take over what its worker has left, and send again what seems lost."""
    sweep.take_over(session_factory(), watch)
    sweep.resend(session_factory(), timedelta(seconds=settings().resend_after_seconds))
    sweep.promote(session_factory(), timedelta(seconds=settings().promote_after_seconds))
    sweep.send_deliveries(
        session_factory(),
        timedelta(seconds=settings().resend_after_seconds),
        Limits(settings().webhook_attempts_per_receiver, settings().webhook_attempts_per_tenant),
    )


def run_expire() -> None:
    """Remove what is older than the retention, and what nobody can ask for any more."""
    sweep.forget(session_factory(), object_store())
    sweep.expire(session_factory(), object_store(), timedelta(hours=settings().retention_hours))


def run_orphans() -> None:
    """Remove what submissions left behind; two rounds look at each, lest one be missed."""
    until = datetime.now(UTC) - SETTLED_AFTER
    since = until - timedelta(seconds=2 * ORPHANS_INTERVAL_SECONDS)
    sweep.remove_orphans(session_factory(), object_store(), since, until)
    sweep.remove_orphaned_uploads(session_factory(), object_store(), until)


for name, run in {"sweep": run_sweep, "expire": run_expire, "orphans": run_orphans}.items():
    # Without events: Flower would show little else than sweeps.
    app.task(without_database(run), name=name, send_events=False)
observability.install("maintenance")
