"""Jobs in the real Postgres: each step moves exactly what it should, once."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from db import claims, jobs
from db.claims import Claim, Holder
from db.errors import JobNotFound
from db.models import Job
from db.states import JobStatus, Outcome, StageName, StageStatus
from tests.new_jobs import new_instance
from tests.statements import listened_to

RESULT: dict[str, Any] = {"boxes": []}
CARD = {"name": "a model", "revision": "1", "license": "MIT"}
ERROR = {"type": "invalid-image", "message": "broken"}


def stored(session: Session, job_id: UUID) -> Job:
    """The job as it stands in the table."""
    session.expire_all()
    return jobs.get(session, job_id)


def stage_statuses(job: Job) -> list[StageStatus]:
    """Its stages' states, in order."""
    return [stage.status for stage in job.stages]


def run(session: Session, job_id: UUID, name: StageName) -> Claim:
    """Claim the stage and set the job running."""
    claim = claims.take(session, job_id, name, Holder("here", 60), suspect=False)
    assert claim is not None
    jobs.start(session, job_id)
    return claim


def complete(session: Session, job_id: UUID, name: StageName) -> None:
    """Run the stage to its end and hand on."""
    assert claims.complete(session, run(session, job_id, name), RESULT, CARD, hand_on_to=name.next)


def fail(session: Session, job_id: UUID, name: StageName) -> None:
    """Run the stage, and end the job there."""
    assert claims.fail(session, run(session, job_id, name), ERROR)
    jobs.fail(session, job_id, name, ERROR)


def test_a_job_is_asked_for_in_one_statement_until_it_succeeds(session: Session, job: Job) -> None:
    """Whoever waits asks again and again; before the end there are no instances to look for."""
    with listened_to() as statements:
        assert stored(session, job.id).instances == []
    assert len(statements) == 1
    for name in StageName:
        complete(session, job.id, name)
    jobs.succeed(session, job.id, StageName.SEGMENT, Outcome.FOUND, "cat")
    session.add_all(new_instance(job.id, position) for position in (1, 0))
    session.flush()
    with listened_to() as statements:
        assert [found.position for found in stored(session, job.id).instances] == [0, 1]
    assert len(statements) == 2


def test_a_new_job_waits_at_its_first_stage(session: Session, job: Job) -> None:
    """Created: the job and its first stage are queued, the others pending, and what was submitted is kept."""
    found = stored(session, job.id)
    assert found.status is JobStatus.QUEUED
    assert stage_statuses(found) == [StageStatus.QUEUED, StageStatus.PENDING, StageStatus.PENDING]
    assert (found.description, found.caller_metadata) == ("a cat on a sofa", {"order": 7})
    assert found.created_at.utcoffset() is not None
    assert found.stages[0].due_at is not None


def test_an_unknown_job_is_said_to_be_unknown(session: Session) -> None:
    """Asking for an id that no job has raises `JobNotFound` with the id."""
    missing = uuid7()
    with pytest.raises(JobNotFound, match=str(missing)):
        jobs.get(session, missing)


def test_a_failed_job_says_where_and_why(session: Session, job: Job) -> None:
    """Failing ends the job with the stage and the cause; the stages that never ran are skipped."""
    fail(session, job.id, StageName.CLASSIFY)
    found = stored(session, job.id)
    assert found.status is JobStatus.FAILED
    assert found.error == {"stage": "classify", **ERROR}
    assert found.finished_at is not None
    assert stage_statuses(found) == [StageStatus.FAILED, StageStatus.SKIPPED, StageStatus.SKIPPED]


def test_finding_nothing_is_a_success_that_skips_the_rest(session: Session, job: Job) -> None:
    """`not_found` ends the job as succeeded; the segment stage is skipped."""
    complete(session, job.id, StageName.CLASSIFY)
    assert claims.complete(session, run(session, job.id, StageName.DETECT), RESULT, CARD)
    jobs.succeed(session, job.id, StageName.DETECT, Outcome.NOT_FOUND, "cat")
    found = stored(session, job.id)
    assert (found.status, found.outcome) == (JobStatus.SUCCEEDED, Outcome.NOT_FOUND)
    assert stage_statuses(found) == [StageStatus.SUCCEEDED, StageStatus.SUCCEEDED, StageStatus.SKIPPED]


@pytest.mark.parametrize("is_running", [False, True], ids=["queued", "running"])
def test_a_canceled_job_ends_at_once(session: Session, job: Job, is_running: bool) -> None:
    """Canceling ends the job and skips what hasn't finished; a result that comes later is refused."""
    claim = run(session, job.id, StageName.CLASSIFY) if is_running else None
    assert jobs.cancel(session, job.id)
    found = stored(session, job.id)
    assert found.status is JobStatus.CANCELED
    assert found.finished_at is not None
    assert stage_statuses(found) == [StageStatus.SKIPPED] * 3
    assert claim is None or not claims.complete(session, claim, RESULT, CARD)
    assert claims.take(session, job.id, StageName.CLASSIFY, Holder("here", 60), suspect=False) is None


def test_an_ended_job_can_not_be_canceled(session: Session, job: Job) -> None:
    """Canceling what has ended changes nothing, and says so; canceling twice is one cancel."""
    fail(session, job.id, StageName.CLASSIFY)
    assert not jobs.cancel(session, job.id)
    assert stored(session, job.id).status is JobStatus.FAILED


def test_a_failed_job_starts_again_where_it_failed(session: Session, job: Job) -> None:
    """Requeued: the failed stage has all its attempts again, what succeeded stays, what was skipped waits."""
    complete(session, job.id, StageName.CLASSIFY)
    fail(session, job.id, StageName.DETECT)
    assert jobs.requeue(session, job.id) is StageName.DETECT
    found = stored(session, job.id)
    assert (found.status, found.error, found.finished_at) == (JobStatus.QUEUED, None, None)
    assert stage_statuses(found) == [StageStatus.SUCCEEDED, StageStatus.QUEUED, StageStatus.PENDING]
    assert found.stages[0].result == RESULT
    assert run(session, job.id, StageName.DETECT).attempt == 1


def test_only_a_failed_job_is_requeued(session: Session, job: Job) -> None:
    """A job that waits, runs or ended otherwise is left as it is."""
    assert jobs.requeue(session, job.id) is None
    jobs.cancel(session, job.id)
    assert jobs.requeue(session, job.id) is None


def test_a_tenant_finds_its_own_jobs_alone(session: Session, job: Job) -> None:
    """Another's job is as if there were none."""
    assert jobs.find(session, "local", job.id) is job
    with pytest.raises(JobNotFound):
        jobs.find(session, "other", job.id)


def test_a_deleted_job_leaves_no_row(session: Session, job: Job) -> None:
    """Its stages go with it."""
    jobs.delete(session, [job.id])
    with pytest.raises(JobNotFound):
        stored(session, job.id)
