"""News of jobs, for those who wait: one question to Postgres for all of a process's waiters, a few times a second."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from starlette.concurrency import run_in_threadpool

from db import jobs
from db.session import OUTAGES, session_factory

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.15


class Changes:
    """Tells waiters when their jobs change. A thousand of them cost as many queries as one."""

    def __init__(self) -> None:
        self._waiters: dict[UUID, set[asyncio.Event]] = {}
        self._seen: dict[UUID, str] = {}

    @asynccontextmanager
    async def of(self, job_id: UUID) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever the job has changed; whoever waits clears it before looking at the job."""
        event = asyncio.Event()
        self._waiters.setdefault(job_id, set()).add(event)
        try:
            yield event
        finally:
            self._waiters[job_id].discard(event)
            if not self._waiters[job_id]:
                del self._waiters[job_id]
                self._seen.pop(job_id, None)

    async def watch(self) -> None:
        """Look for changes until canceled."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            if self._waiters:
                await self._look()

    async def _look(self) -> None:
        waited_for = list(self._waiters)
        try:
            versions = await run_in_threadpool(_versions, waited_for)
        except OUTAGES as error:
            logger.warning("the database can't be asked for changes: %s", error)
            return
        # Whoever has left meanwhile has taken what was seen along.
        for job_id in filter(self._waiters.__contains__, waited_for):
            # A job that has been deleted has no version, and that is news, too.
            version = versions.get(job_id, "")
            if self._seen.get(job_id) != version:
                self._seen[job_id] = version
                for event in self._waiters.get(job_id, ()):
                    event.set()


def _versions(job_ids: list[UUID]) -> dict[UUID, str]:
    with session_factory()() as session:
        return jobs.versions(session, job_ids)


@asynccontextmanager
async def watching() -> AsyncIterator[Changes]:
    """The process's changes, watched for as long as the block lasts."""
    changes = Changes()
    task = asyncio.create_task(changes.watch())
    try:
        yield changes
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
