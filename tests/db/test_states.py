"""The transition tables: complete, and closed where a job has ended."""

import pytest

from db.states import (
    JOB_TRANSITIONS,
    STAGE_TRANSITIONS,
    TERMINAL,
    JobStatus,
    StageName,
    StageStatus,
    check_job,
    check_stage,
)


def test_every_state_has_its_row() -> None:
    """No state is missing from its table."""
    assert set(JOB_TRANSITIONS) == set(JobStatus)
    assert set(STAGE_TRANSITIONS) == set(StageStatus)


def test_an_ended_job_stays_ended_unless_it_is_requeued() -> None:
    """From a terminal state only a failed job leads anywhere, and only back to the queue."""
    leaving = {status: JOB_TRANSITIONS[status] for status in TERMINAL if JOB_TRANSITIONS[status]}
    assert leaving == {JobStatus.FAILED: {JobStatus.QUEUED}}


def test_an_illegal_step_is_a_mistake_in_the_code() -> None:
    """A step that the tables don't have raises, for jobs and for stages."""
    with pytest.raises(ValueError, match="can't go from succeeded to running"):
        check_job(JobStatus.SUCCEEDED, JobStatus.RUNNING)
    with pytest.raises(ValueError, match="can't go from pending to running"):
        check_stage(StageStatus.PENDING, StageStatus.RUNNING)


def test_stages_follow_one_another() -> None:
    """Each stage names the one after it; the last has none."""
    assert [stage.next for stage in StageName] == [StageName.DETECT, StageName.SEGMENT, None]
