"""Claims in the real Postgres: one holder at a time, and no write without the current token."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from db import claims, jobs
from db.claims import Claim, Holder
from db.errors import OutOfMemory, WorkerLost
from db.models import Job, Stage
from db.states import StageName, StageStatus

CLASSIFIED = {"candidates": [{"label": "cat", "score": 1.0}], "margin": 1.0, "ambiguous": False}
CARD = {"name": "a model", "revision": "1", "license": "MIT"}
OUTAGE = {"type": "storage-unavailable", "message": "away"}
HOLDER = Holder("here", lease_seconds=60)


def take(session: Session, job: Job, name: StageName = StageName.CLASSIFY, *, suspect: bool = False) -> Claim | None:
    """Claim a stage of the job."""
    return claims.take(session, job.id, name, HOLDER, suspect=suspect)


def taken(session: Session, job: Job) -> Claim:
    """The claim on the job's first stage, which must succeed."""
    claim = take(session, job)
    assert claim is not None
    return claim


def stage_of(session: Session, job_id: UUID, name: StageName = StageName.CLASSIFY) -> Stage:
    """The stage as it stands in the table."""
    session.expire_all()
    return next(stage for stage in jobs.get(session, job_id).stages if stage.name is name)


def test_a_stage_has_one_holder(session: Session, job: Job) -> None:
    """The first claim takes the stage, counts the attempt and leases it; a second message finds nothing to take."""
    claim = taken(session, job)
    assert take(session, job) is None
    stage = stage_of(session, job.id)
    assert (stage.status, stage.attempts, stage.token, stage.worker) == (StageStatus.RUNNING, 1, claim.token, "here")
    assert stage.lease_expires_at is not None


def test_a_later_stage_can_not_be_taken_early(session: Session, job: Job) -> None:
    """A message for a stage whose predecessor hasn't finished does nothing."""
    assert take(session, job, StageName.DETECT) is None


def test_the_holder_stores_its_result_and_the_next_stage_is_queued(session: Session, job: Job) -> None:
    """Completing keeps result and model and ends the lease; handing on queues the next stage, due at once."""
    claim = taken(session, job)
    assert claims.complete(session, claim, CLASSIFIED, CARD, hand_on_to=StageName.DETECT)
    stage = stage_of(session, job.id)
    assert (stage.status, stage.result, stage.model) == (StageStatus.SUCCEEDED, CLASSIFIED, CARD)
    assert (stage.lease_expires_at, stage.worker) == (None, None)
    assert take(session, job, StageName.DETECT) is not None


def test_the_holder_keeps_the_job(session: Session, job: Job) -> None:
    """With the result the next stage is taken, counted and leased; nobody else finds anything to take."""
    first = taken(session, job)
    kept = claims.keep(session, first, CLASSIFIED, CARD, HOLDER)
    before, after = stage_of(session, job.id), stage_of(session, job.id, StageName.DETECT)
    assert kept == Claim(job.id, StageName.DETECT, after.token, 1)
    assert (before.status, before.result, before.model) == (StageStatus.SUCCEEDED, CLASSIFIED, CARD)
    assert (before.lease_expires_at, before.worker) == (None, None)
    assert (after.status, after.attempts, after.worker) == (StageStatus.RUNNING, 1, "here")
    assert None not in (after.lease_expires_at, after.started_at, after.due_at, after.sent_at)
    assert take(session, job, StageName.DETECT) is None
    last = claims.keep(session, kept, CLASSIFIED, CARD, HOLDER)
    assert last is not None
    with pytest.raises(ValueError, match="Nothing follows segment"):
        claims.keep(session, last, CLASSIFIED, CARD, HOLDER)


@pytest.mark.parametrize("write", ["complete", "keep", "retry", "fail", "renew", "hand_back"])
def test_a_stale_token_writes_nothing(session: Session, job: Job, write: str) -> None:
    """After a takeover the first holder's result, error, renewal and hand-back are all refused."""
    stale = taken(session, job)
    claims.retry(session, stale, {"type": "elsewhere", "message": "taken over"}, 0)
    current = taken(session, job)
    assert current.token > stale.token
    writes: dict[str, Callable[[], object]] = {
        "complete": lambda: claims.complete(session, stale, CLASSIFIED, CARD),
        "keep": lambda: claims.keep(session, stale, CLASSIFIED, CARD, HOLDER),
        "retry": lambda: claims.retry(session, stale, OUTAGE, 0),
        "fail": lambda: claims.fail(session, stale, OUTAGE),
        "renew": lambda: claims.renew(session, [stale], 60),
        "hand_back": lambda: claims.hand_back(session, [stale]),
    }
    assert not writes[write]()
    stage = stage_of(session, job.id)
    assert (stage.status, stage.token, stage.result) == (StageStatus.RUNNING, current.token, None)
    assert stage_of(session, job.id, StageName.DETECT).status is StageStatus.PENDING


def test_renewing_tells_what_is_still_held(session: Session, job: Job) -> None:
    """Of several claims renewed together, those that were lost are missing from the answer."""
    claim = taken(session, job)
    lost = Claim(job.id, StageName.CLASSIFY, claim.token + 1, 1)
    before = stage_of(session, job.id).lease_expires_at
    assert claims.renew(session, [claim, lost], 120) == {claim}
    after = stage_of(session, job.id).lease_expires_at
    assert before is not None
    assert after is not None
    assert after > before


def test_a_retry_waits_until_it_is_due(session: Session, job: Job) -> None:
    """A message that comes before its time takes nothing; the attempts count on, and the error is kept."""
    claims.retry(session, taken(session, job), OUTAGE, 3600)
    assert take(session, job) is None
    stage = stage_of(session, job.id)
    assert (stage.status, stage.attempts, stage.error) == (StageStatus.QUEUED, 1, OUTAGE)
    session.execute(text("UPDATE stages SET due_at = clock_timestamp()"))
    again = take(session, job)
    assert again is not None
    assert again.attempt == 2


@pytest.mark.parametrize("code", [WorkerLost.code, OutOfMemory.code])
def test_a_suspect_is_taken_apart(session: Session, job: Job, code: str) -> None:
    """What may have killed its worker, or filled the device, is only taken by who asks for suspects."""
    claims.retry(session, taken(session, job), {"type": code, "message": ""}, 0)
    assert take(session, job) is None
    assert claims.is_suspect(session, job.id, StageName.CLASSIFY)
    assert take(session, job, suspect=True) is not None
    assert not claims.is_suspect(session, job.id, StageName.CLASSIFY)


def test_what_is_handed_back_was_no_attempt(session: Session, job: Job) -> None:
    """A worker that stops in order gives its stage back, claimable at once, and the attempt isn't counted."""
    claim = taken(session, job)
    assert claims.hand_back(session, [claim]) == [claim]
    again = take(session, job)
    assert again is not None
    assert (again.attempt, again.token) == (1, claim.token + 1)
