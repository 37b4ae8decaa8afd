"""How a run of a stage ends: what is stored, what is refused, and what is handed back."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from unittest.mock import Mock

import pytest
import redis
from celery.exceptions import Retry
from PIL import Image
from sqlalchemy import update
from sqlalchemy.exc import DataError, OperationalError

from db import jobs
from db.errors import (
    InvalidImage,
    ObjectMissing,
    StorageUnavailable,
)
from db.keys import artifact_key, image_key
from db.models import Stage
from db.session import session_factory
from db.states import Artifact, JobStatus, StageName, StageStatus
from tests.worker.fake_worker import (
    FakeClassifier,
    Worker,
    make_due,
    picture_file,
    submit,
    submit_pointer,
)
from worker import runs, tasks
from worker.pipeline.results import Classification
from worker.runtime import image_cache


def test_the_result_of_a_canceled_job_is_dropped(
    worker: Worker, queues: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Canceled while its stage runs: the result is refused, nothing is sent on, and the job stays canceled."""
    job_id = submit(labels=["cat", "dog"])

    def cancel_meanwhile(image: Image.Image, labels: Sequence[str]) -> Classification:
        with session_factory().begin() as session:
            assert jobs.cancel(session, job_id)
        return FakeClassifier().classify(image, labels)

    monkeypatch.setattr(worker.classifier, "classify", cancel_meanwhile)
    worker.run(StageName.CLASSIFY, job_id)
    document = worker.document(job_id)
    assert (document.status, document.result) == (JobStatus.CANCELED, None)
    assert queues.llen(StageName.DETECT) == 0


def test_the_result_of_a_stage_that_was_taken_over_is_refused(
    worker: Worker, queues: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was silent too long writes nothing over what its successor does."""
    job_id = submit(labels=["cat", "dog"])

    def taken_over_meanwhile(image: Image.Image, labels: Sequence[str]) -> Classification:
        with session_factory().begin() as session:
            session.execute(update(Stage).where(Stage.job_id == job_id).values(token=Stage.token + 1))
        return FakeClassifier().classify(image, labels)

    monkeypatch.setattr(worker.classifier, "classify", taken_over_meanwhile)
    worker.run(StageName.CLASSIFY, job_id)
    assert worker.document(job_id).stages[0].status is StageStatus.RUNNING
    assert queues.llen(StageName.DETECT) == 0


def test_a_result_that_cannot_be_saved_costs_no_attempt(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Postgres goes away before the commit: the stage is handed back when it is there again, as if never begun."""
    job_id = submit(labels=["cat"])
    with monkeypatch.context() as outage:
        outage.setattr(runs, "save", Mock(side_effect=OperationalError("", {}, Exception())))
        with pytest.raises(OperationalError):
            worker.run(StageName.CLASSIFY, job_id)
    worker.leases.check()
    stage = worker.document(job_id).stages[0]
    assert (stage.status, stage.attempts, stage.error) == (StageStatus.QUEUED, 0, None)
    assert worker.run_all(job_id).status is JobStatus.SUCCEEDED


def test_a_run_that_met_an_outage_is_no_success(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """To Celery and Flower its task has failed, in a way that is known: in the log that is a line, no traceback."""
    monkeypatch.setattr(runs, "save", Mock(side_effect=OperationalError("", {}, Exception())))
    with pytest.raises(OperationalError) as outage:
        tasks.classify.run(str(submit(labels=["cat"])))
    assert isinstance(outage.value, tasks.classify.throws)


@pytest.mark.parametrize("data", [picture_file((70, 35)), b"no picture"], ids=["succeeds", "fails"])
def test_a_job_that_is_deleted_while_a_stage_runs_leaves_nothing(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    """What the stage stored after the deletion is removed by itself, however the stage ends."""
    job_id = submit_pointer(image_url="https://a.example/")

    def fetch(url: str, tenant: str) -> bytes:
        with session_factory().begin() as session:
            jobs.cancel(session, job_id)
            jobs.delete(session, [job_id])
        return data

    monkeypatch.setattr(worker, "fetch", fetch)
    with suppress(InvalidImage):
        worker.run(StageName.CLASSIFY, job_id)
    with pytest.raises(ObjectMissing):
        worker.store.get(image_key(job_id))


def test_a_picture_that_can_not_be_stored_fails_the_stage_for_now(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of three, stored side by side: the stage is tried again, and then all are there."""
    job_id = submit(labels=["cat"])
    worker.run(StageName.CLASSIFY, job_id)
    worker.run(StageName.DETECT, job_id)
    put = worker.store.put
    with monkeypatch.context() as outage:

        def put_some(key: str, body: bytes, content_type: str) -> None:
            if "overlay" in key:
                raise StorageUnavailable("put")
            put(key, body, content_type)

        outage.setattr(worker.store, "put", put_some)
        with pytest.raises(Retry):
            worker.run(StageName.SEGMENT, job_id)
    make_due(job_id)
    worker.run(StageName.SEGMENT, job_id)
    assert worker.document(job_id).status is JobStatus.SUCCEEDED
    assert worker.store.get(artifact_key(job_id, 0, Artifact.OVERLAY))


def test_round_trips_of_a_stage(worker: Worker, round_trips: Counter[str]) -> None:
    """The statements to Postgres and the calls of S3 that each stage takes: more of them must be meant."""
    worker.images = image_cache(10**6)
    job_id = submit(labels=["cat", "dog"], image_sha256=hashlib.sha256(picture_file()).hexdigest())
    taken = {}
    for name in StageName:
        round_trips.clear()
        worker.run(name, job_id)
        taken[name] = (round_trips["statements"], round_trips["calls"])
    # The claim, the job with its stages (the first stage starts it), and the result with the next stage; after the
    # last stage the instances and the job's end. One picture in, three out.
    assert taken == {StageName.CLASSIFY: (4, 1), StageName.DETECT: (3, 0), StageName.SEGMENT: (5, 3)}


def test_a_result_that_no_database_takes_fails_the_job(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no outage: handed back, it would come again for ever."""
    job_id = submit(labels=["cat"])
    with monkeypatch.context() as broken:
        broken.setattr(runs, "save", Mock(side_effect=DataError("", {}, Exception())))
        with pytest.raises(DataError):
            worker.run(StageName.CLASSIFY, job_id)
    worker.leases.check()
    document = worker.document(job_id)
    assert document.status is JobStatus.FAILED
    assert document.error is not None
    assert (document.error.type, document.error.stage) == ("internal", StageName.CLASSIFY)
