"""Server-sent events: a job's history, and what happens next, until it ends."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from api.callers import Caller
from api.changes import Changes
from api.waiting import find
from db.documents import job_document
from db.errors import JobNotFound
from db.events import JobEvent, events
from db.models import Job
from db.session import OUTAGES
from db.states import TERMINAL
from db.storage import object_store

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0
"""Of silence; then a comment keeps proxies from closing the connection."""
RETRY_MILLISECONDS = 2000


async def stream(request: Request, caller: Caller, job: Job, changes: Changes, after: int) -> AsyncIterator[str]:
    """Events after the one of this number, as they happen; the last one carries the job's document."""
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    # A job that is deleted has nothing more to tell.
    async with changes.of(job.id) as changed:
        with suppress(JobNotFound):
            while not await request.is_disconnected():
                changed.clear()
                try:
                    found = await run_in_threadpool(find, caller, job.id)
                except OUTAGES as error:
                    logger.warning("job %s: the database can't be asked for its events: %s", job.id, error)
                else:
                    for event in events(found, after):
                        yield _encoded(event, found)
                        after = event.number
                    if found.status in TERMINAL:
                        return
                # After a heartbeat the job is looked at, too: an outage may have hidden its last change.
                if not await _is_set(changed, HEARTBEAT_SECONDS):
                    yield ": still here\n\n"


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _encoded(event: JobEvent, job: Job) -> str:
    data = {"job_id": str(job.id), **event.data}
    if event.is_last:
        data["job"] = job_document(job, object_store()).model_dump(mode="json")
    return f"id: {event.number}\nevent: {event.name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
