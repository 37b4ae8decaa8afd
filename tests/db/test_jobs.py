"""Jobs in the real Postgres: each step moves exactly what it should, once."""

from uuid import UUID

import pytest
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from db import jobs
from db.errors import JobNotFound
from db.models import Job
from db.states import JobStatus, Outcome, StageName, StageStatus

CLASSIFIED = {"candidates": [{"label": "cat", "score": 1.0}], "margin": 1.0, "ambiguous": False}
CARD = {"name": "a model", "revision": "1", "license": "MIT"}
ERROR = {"type": "storage-unavailable", "message": "away"}


def stored(session: Session, job_id: UUID) -> Job:
    """The job as it stands in the table."""
    session.expire_all()
    return jobs.get(session, job_id)


def stage_statuses(job: Job) -> list[StageStatus]:
    """Its stages' states, in order."""
    return [stage.status for stage in job.stages]


def test_a_new_job_waits_at_its_first_stage(session: Session, job: Job) -> None:
    """Created: the job and its first stage are queued, the others pending, and what was submitted is kept."""
    found = stored(session, job.id)
    assert found.status is JobStatus.QUEUED
    assert stage_statuses(found) == [StageStatus.QUEUED, StageStatus.PENDING, StageStatus.PENDING]
    assert (found.description, found.caller_metadata) == ("a cat on a sofa", {"order": 7})
    assert found.created_at.utcoffset() is not None


def test_an_unknown_job_is_said_to_be_unknown(session: Session) -> None:
    """Asking for an id that no job has raises `JobNotFound` with the id."""
    missing = uuid7()
    with pytest.raises(JobNotFound, match=str(missing)):
        jobs.get(session, missing)


def test_a_stage_is_claimed_once(session: Session, job: Job) -> None:
    """The first claim takes the stage and counts the attempt; a second message finds nothing to do."""
    claimed = jobs.claim_stage(session, job.id, StageName.CLASSIFY)
    assert claimed is not None
    assert jobs.claim_stage(session, job.id, StageName.CLASSIFY) is None
    found = stored(session, job.id)
    assert found.status is JobStatus.RUNNING
    assert found.stages[0].attempts == 1
    assert found.stages[0].started_at is not None


def test_a_later_stage_can_not_be_claimed_early(session: Session, job: Job) -> None:
    """A message for a stage whose predecessor hasn't finished does nothing."""
    assert jobs.claim_stage(session, job.id, StageName.DETECT) is None
    assert stored(session, job.id).status is JobStatus.QUEUED


def test_a_result_is_kept_and_the_next_stage_queued(session: Session, job: Job) -> None:
    """Completing a stage stores its result and model; handing on queues the next one."""
    jobs.claim_stage(session, job.id, StageName.CLASSIFY)
    assert jobs.complete_stage(session, job.id, StageName.CLASSIFY, CLASSIFIED, CARD)
    jobs.hand_on(session, job.id, StageName.DETECT)
    found = stored(session, job.id)
    assert stage_statuses(found) == [StageStatus.SUCCEEDED, StageStatus.QUEUED, StageStatus.PENDING]
    assert (found.stages[0].result, found.stages[0].model) == (CLASSIFIED, CARD)


def test_a_result_is_refused_when_nothing_was_claimed(session: Session, job: Job) -> None:
    """A late or doubled worker can't write a result, give the stage back, or fail the job."""
    assert not jobs.complete_stage(session, job.id, StageName.CLASSIFY, CLASSIFIED, CARD)
    assert not jobs.requeue_stage(session, job.id, StageName.CLASSIFY, ERROR)
    assert not jobs.fail(session, job.id, StageName.CLASSIFY, ERROR)
    found = stored(session, job.id)
    assert (found.status, found.stages[0].result) == (JobStatus.QUEUED, None)


def test_a_requeued_stage_can_be_claimed_again(session: Session, job: Job) -> None:
    """Another attempt counts on from the last, and forgets its error only when it starts."""
    jobs.claim_stage(session, job.id, StageName.CLASSIFY)
    assert jobs.requeue_stage(session, job.id, StageName.CLASSIFY, ERROR)
    assert stored(session, job.id).stages[0].error == ERROR
    jobs.claim_stage(session, job.id, StageName.CLASSIFY)
    stage = stored(session, job.id).stages[0]
    assert (stage.attempts, stage.error) == (2, None)


def test_a_failed_job_says_where_and_why(session: Session, job: Job) -> None:
    """Failing ends the job with the stage and the cause; the stages that never ran are skipped."""
    jobs.claim_stage(session, job.id, StageName.CLASSIFY)
    assert jobs.fail(session, job.id, StageName.CLASSIFY, ERROR)
    found = stored(session, job.id)
    assert found.status is JobStatus.FAILED
    assert found.error == {"stage": "classify", **ERROR}
    assert found.finished_at is not None
    assert stage_statuses(found) == [StageStatus.FAILED, StageStatus.SKIPPED, StageStatus.SKIPPED]


def test_finding_nothing_is_a_success_that_skips_the_rest(session: Session, job: Job) -> None:
    """`not_found` ends the job as succeeded; the segment stage is skipped."""
    for name in (StageName.CLASSIFY, StageName.DETECT):
        jobs.hand_on(session, job.id, name) if name is StageName.DETECT else None
        jobs.claim_stage(session, job.id, name)
        jobs.complete_stage(session, job.id, name, CLASSIFIED, CARD)
    jobs.succeed(session, job.id, Outcome.NOT_FOUND)
    found = stored(session, job.id)
    assert (found.status, found.outcome) == (JobStatus.SUCCEEDED, Outcome.NOT_FOUND)
    assert stage_statuses(found) == [StageStatus.SUCCEEDED, StageStatus.SUCCEEDED, StageStatus.SKIPPED]
