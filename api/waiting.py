"""`Prefer: wait=N`: an answer that waits for the job's end, for a while."""

import asyncio
import re
import time
from typing import Annotated
from uuid import UUID

from fastapi import Header
from starlette.concurrency import run_in_threadpool

from api.callers import Caller
from api.changes import Changes
from db import jobs
from db.models import Job
from db.session import session_factory
from db.settings import settings
from db.states import TERMINAL

Prefer = Annotated[
    str | None,
    Header(
        description="`wait=10` waits up to ten seconds for the job's end before it answers (RFC 7240).",
        examples=["wait=10"],
    ),
]


def wait_seconds(prefer: str | None) -> int:
    """How long the caller would wait, no longer than the settings allow; 0 where it didn't say, or said nonsense."""
    for preference in (prefer or "").lower().split(","):
        found = re.fullmatch(r'\s*wait\s*=\s*"?(\d{1,9})"?\s*(;.*)?', preference)
        if found:
            return min(int(found[1]), settings().maximum_wait_seconds)
    return 0


def find(caller: Caller, job_id: UUID) -> Job:
    """The caller's job with its stages and instances; raises `JobNotFound`."""
    with session_factory()() as session:
        return jobs.find(session, caller.tenant, job_id)


async def ended(caller: Caller, job_id: UUID, changes: Changes, seconds: float) -> Job:
    """The job when it has ended, or as it is after so many seconds. Raises `JobNotFound`."""
    deadline = time.monotonic() + seconds
    async with changes.of(job_id) as changed:
        while True:
            changed.clear()
            job = await run_in_threadpool(find, caller, job_id)
            left = deadline - time.monotonic()
            if job.status in TERMINAL or left <= 0:
                return job
            try:
                await asyncio.wait_for(changed.wait(), left)
            except TimeoutError:
                continue
