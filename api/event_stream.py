"""Server-sent events: a job's history, and what happens next, until it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID

from fastapi import Request
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool

from api.callers import Caller
from api.changes import Changes
from api.waiting import find
from db.documents import job_document
from db.errors import JobNotFound
from db.events import JobEvent, events
from db.models import Job
from db.states import TERMINAL
from db.storage import object_store

HEARTBEAT_SECONDS = 15.0
"""Of silence; then a comment keeps proxies from closing the connection."""
RETRY_MILLISECONDS = 2000


async def stream(request: Request, caller: Caller, job: Job, changes: Changes, after: int) -> AsyncIterator[str]:
    """Events after the one of this number, as they happen; the last one carries the job's document."""
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    async with changes.of(job.id) as changed:
        while True:
            changed.clear()
            found = await run_in_threadpool(_find, caller, job.id)
            if isinstance(found, Job):
                for event in events(found, after):
                    yield _encoded(event, found)
                    after = event.number
            if found is None or (isinstance(found, Job) and found.status in TERMINAL):
                return
            while not await _is_set(changed, HEARTBEAT_SECONDS):
                if await request.is_disconnected():
                    return
                yield ": still here\n\n"


def _find(caller: Caller, job_id: UUID) -> Job | DBAPIError | None:
    """None: it was deleted; an error: the database is away, and it is asked again at the next change."""
    try:
        return find(caller, job_id)
    except JobNotFound:
        return None
    except DBAPIError as error:
        return error


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _encoded(event: JobEvent, job: Job) -> str:
    data = {"job_id": str(job.id), **event.data}
    if event.name.startswith("job.") and job.status in TERMINAL and event.name != "job.queued":
        data["job"] = job_document(job, object_store()).model_dump(mode="json")
    return f"id: {event.number}\nevent: {event.name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
