"""What goes wrong in a stage that no message began is that stage's own."""

import logging
from typing import Any

import pytest
import redis
from sqlalchemy.exc import OperationalError

from db import jobs
from db.claims import Claim
from db.errors import InvalidImage, StorageUnavailable
from db.session import session_factory
from db.states import JobStatus, StageName, StageStatus
from tests.worker.consumer import Consumer, lengths
from tests.worker.fake_worker import Worker, make_due, submit
from worker import runs


def test_a_stage_that_follows_is_retried_by_a_message(
    worker: Worker, queues: "redis.Redis", consumer: Consumer
) -> None:
    """An outage in it is its own: the stage before it went well, and its second attempt begins with a message."""
    worker.detector.error = StorageUnavailable("get")
    job_id = submit(labels=["cat"])
    worker.run(StageName.CLASSIFY, job_id)
    assert consumer.told[-1] == ("retried", StageName.DETECT)
    assert lengths(queues) == {StageName.DETECT: 1}
    waiting = worker.document(job_id).stages
    assert [stage.status for stage in waiting] == [StageStatus.SUCCEEDED, StageStatus.QUEUED, StageStatus.PENDING]
    worker.detector.error = None
    make_due(job_id)
    worker.run(StageName.DETECT, job_id)
    document = worker.document(job_id)
    assert document.status is JobStatus.SUCCEEDED
    assert [stage.attempts for stage in document.stages] == [1, 2, 1]


@pytest.mark.parametrize(
    ("error", "level"),
    [(InvalidImage("it is broken."), logging.INFO), (ValueError("what is this"), logging.ERROR)],
    ids=["the sender's fault", "ours"],
)
def test_a_stage_that_follows_fails_alone(
    worker: Worker, consumer: Consumer, caplog: pytest.LogCaptureFixture, error: Exception, level: int
) -> None:
    """The job fails there, and the message that began it has been answered; our own mistakes have a traceback."""
    caplog.set_level(logging.INFO, "worker.consuming")
    worker.detector.error = error
    job_id = submit(labels=["cat"])
    worker.run(StageName.CLASSIFY, job_id)
    document = worker.document(job_id)
    assert document.status is JobStatus.FAILED
    assert document.error is not None
    assert document.error.stage is StageName.DETECT
    assert consumer.told[-1] == ("failed", StageName.DETECT)
    assert consumer.fields[-1]["exception"] == repr(error)
    assert repr(error).partition("(")[0] in consumer.fields[-1]["traceback"]
    (line,) = (record for record in caplog.records if record.name == "worker.consuming")
    assert (line.levelno, line.exc_info is not None) == (level, level == logging.ERROR)


def test_what_can_not_be_saved_is_handed_back(
    worker: Worker, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres goes away in a stage that follows: it costs no attempt, and Flower isn't told that all went well."""
    job_id = submit(labels=["cat"])
    save = runs.save

    def saved_at_first(claim: Claim, *others: Any, **options: Any) -> runs.Saved | None:
        if claim.name is StageName.DETECT:
            raise OperationalError("", {}, Exception())
        return save(claim, *others, **options)

    with monkeypatch.context() as outage:
        outage.setattr(runs, "save", saved_at_first)
        worker.run(StageName.CLASSIFY, job_id)
    assert consumer.told[-1] == ("failed", StageName.DETECT)
    worker.leases.check()
    stage = worker.document(job_id).stages[1]
    assert (stage.status, stage.attempts) == (StageStatus.QUEUED, 0)
    worker.run(StageName.DETECT, job_id)
    assert worker.document(job_id).status is JobStatus.SUCCEEDED


def test_a_job_that_is_canceled_between_goes_no_further(
    worker: Worker, queues: "redis.Redis", consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Canceled while the stage that follows runs: its result is refused, and nothing comes after it."""
    job_id = submit(labels=["cat"])
    detect = worker.detector.detect_each

    def cancel_meanwhile(*arguments: Any, **options: Any) -> Any:
        with session_factory().begin() as session:
            assert jobs.cancel(session, job_id)
        return detect(*arguments, **options)

    monkeypatch.setattr(worker.detector, "detect_each", cancel_meanwhile)
    worker.run(StageName.CLASSIFY, job_id)
    assert worker.document(job_id).status is JobStatus.CANCELED
    assert StageName.SEGMENT not in {name for _, name in consumer.told}
    assert lengths(queues) == {}
