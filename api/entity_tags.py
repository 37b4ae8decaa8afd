"""`ETag` and `If-None-Match`: a poll that finds nothing new costs next to nothing."""

import hashlib
import time
from typing import Annotated

from fastapi import Header

from db.models import Job
from db.outlook import Outlook
from db.settings import settings

IfNoneMatch = Annotated[str | None, Header(description="The `ETag` that you have: 304 where nothing has changed.")]


def etag(job: Job, outlook: Outlook | None = None) -> str:
    """A weak tag of the job's state and its place in the queue.

    It changes, too, before the URLs in a document of now expire.
    """
    stages = [(stage.status, stage.attempts, stage.finished_at) for stage in job.stages]
    period = int(time.time() / (settings().presigned_url_seconds / 2))
    place = outlook.position if outlook else None
    return tag_of((job.id, job.status, job.finished_at, stages, period, place))


def tag_of(state: object) -> str:
    """A weak tag of all that the state's `repr` says."""
    return f'W/"{hashlib.sha256(repr(state).encode()).hexdigest()[:24]}"'


def matches(if_none_match: str | None, tag: str) -> bool:
    """By weak comparison (RFC 9110, 13.1.2)."""
    given = {part.strip().removeprefix("W/") for part in (if_none_match or "").split(",")}
    return bool(given & {"*", tag.removeprefix("W/")})
