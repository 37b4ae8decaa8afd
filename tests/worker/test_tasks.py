"""The stage tasks over real Postgres, Redis and S3, with small fakes where the models are."""

import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from unittest.mock import Mock

import numpy as np
import pytest
import redis
from celery.exceptions import Retry
from PIL import Image
from sqlalchemy import update
from sqlalchemy.exc import DataError, OperationalError

from db import jobs
from db.errors import (
    InvalidImage,
    MainmaskError,
    ObjectMissing,
    OutOfMemory,
    StorageUnavailable,
)
from db.keys import artifact_key, image_key
from db.models import Stage
from db.session import session_factory
from db.states import Artifact, JobStatus, Outcome, StageName, StageStatus
from db.storage import object_store
from tests.worker.fake_worker import (
    BOX,
    FakeClassifier,
    Worker,
    make_due,
    picture_file,
    submit,
    submit_pointer,
)
from worker import runs
from worker.pipeline.results import Classification
from worker.retries import OUTAGE
from worker.runtime import image_cache


def test_three_stages_make_a_result(worker: Worker) -> None:
    """From labels to masks: choice, box, mask numbers and pictures are all there, each stage tried once."""
    job_id = submit(labels=["cat", "sofa"])
    document = worker.run_all(job_id)
    assert document.status is JobStatus.SUCCEEDED
    assert document.result is not None
    assert document.result.outcome is Outcome.FOUND
    assert document.result.main_object.label == "sofa"
    (instance,) = document.result.instances
    assert (tuple(instance.box), instance.mask.area, instance.mask.box) == (BOX, 400, list(BOX))
    assert [(stage.status, stage.attempts) for stage in document.stages] == [(StageStatus.SUCCEEDED, 1)] * 3
    assert all(stage.duration_ms is not None for stage in document.stages)
    mask = Image.open(io.BytesIO(object_store().get(artifact_key(job_id, 0, Artifact.MASK)))).convert("1")
    assert np.asarray(mask).sum() == 400


def test_each_stage_wakes_the_next_one_and_no_other(worker: Worker, queues: "redis.Redis") -> None:
    """After a stage's commit one message lies in the next stage's queue; after the last, none anywhere."""
    job_id = submit(labels=["cat"])
    for name in StageName:
        worker.run(name, job_id)
        lengths = {queue: queues.llen(queue) for queue in StageName}
        assert lengths == {queue: int(queue is name.next) for queue in StageName}
        queues.delete(*StageName)


def test_a_message_that_comes_twice_does_nothing(worker: Worker, queues: "redis.Redis") -> None:
    """The second delivery neither runs the stage again nor wakes the next stage again."""
    job_id = submit(labels=["cat"])
    worker.run(StageName.CLASSIFY, job_id)
    queues.delete(*StageName)
    worker.run(StageName.CLASSIFY, job_id)
    assert queues.llen(StageName.DETECT) == 0
    assert worker.document(job_id).stages[0].attempts == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [(InvalidImage("it is broken."), "invalid-image"), (ValueError("a secret path"), "internal")],
    ids=["the sender's fault", "ours"],
)
def test_what_can_not_succeed_fails_at_once(worker: Worker, error: Exception, code: str) -> None:
    """The first failure ends the job with its stage and cause; the inside of our own mistakes is not told."""
    worker.classifier.error = error
    job_id = submit(labels=["cat", "dog"])
    with pytest.raises(type(error)):
        worker.run(StageName.CLASSIFY, job_id)
    document = worker.document(job_id)
    assert document.status is JobStatus.FAILED
    assert document.error is not None
    assert (document.error.stage, document.error.type) == (StageName.CLASSIFY, code)
    assert "secret" not in document.error.message
    assert [stage.status for stage in document.stages[1:]] == [StageStatus.SKIPPED, StageStatus.SKIPPED]


def test_an_outage_is_retried_from_the_stage_that_met_it(worker: Worker) -> None:
    """A passing fault requeues the stage with its cause; the next attempt goes on with the earlier results."""
    job_id = submit(labels=["cat", "dog"])
    worker.classifier.error = StorageUnavailable("get")
    with pytest.raises(Retry):
        worker.run(StageName.CLASSIFY, job_id)
    waiting = worker.document(job_id)
    assert waiting.status is JobStatus.RUNNING
    assert waiting.stages[0].status is StageStatus.QUEUED
    assert waiting.stages[0].error is not None
    worker.classifier.error = None
    make_due(job_id)
    document = worker.run_all(job_id)
    assert document.status is JobStatus.SUCCEEDED
    assert [stage.attempts for stage in document.stages] == [2, 1, 1]


def test_an_outage_that_lasts_fails_the_job(worker: Worker) -> None:
    """After the last attempt the job is failed, with the outage as its cause."""
    job_id = submit(labels=["cat", "dog"])
    worker.classifier.error = StorageUnavailable("get")
    for _ in range(OUTAGE.attempts - 1):
        with pytest.raises(Retry):
            worker.run(StageName.CLASSIFY, job_id)
        make_due(job_id)
    with pytest.raises(MainmaskError):
        worker.run(StageName.CLASSIFY, job_id)
    document = worker.document(job_id)
    assert document.status is JobStatus.FAILED
    assert document.stages[0].attempts == OUTAGE.attempts


def test_an_image_that_is_gone_is_not_waited_for(worker: Worker) -> None:
    """An object that the storage doesn't hold fails the job: no retry would bring it back."""
    job_id = submit(labels=["cat", "dog"])
    worker.store._client.delete_object(Bucket=worker.store._bucket, Key=image_key(job_id))
    with pytest.raises(MainmaskError):
        worker.run(StageName.CLASSIFY, job_id)
    error = worker.document(job_id).error
    assert error is not None
    assert error.type == "object-missing"


def test_a_full_device_is_tried_again_alone_then_fails_clearly(worker: Worker) -> None:
    """The second attempt waits until nobody else is in, and runs alone; what doesn't fit then is said not to fit."""
    job_id = submit(labels=["cat", "dog"])
    worker.classifier.error = OutOfMemory()
    with pytest.raises(Retry):
        worker.run(StageName.CLASSIFY, job_id)
    make_due(job_id)
    with ThreadPoolExecutor() as threads:
        with worker.gate.shared():
            attempt = threads.submit(worker.run, StageName.CLASSIFY, job_id)
            with pytest.raises(TimeoutError):
                attempt.result(timeout=0.5)
            assert worker.document(job_id).stages[0].attempts == 1
        with pytest.raises(OutOfMemory):
            attempt.result(timeout=5)
    error = worker.document(job_id).error
    assert error is not None
    assert error.type == "out-of-memory"


def test_the_result_of_a_canceled_job_is_dropped(worker: Worker, queues: "redis.Redis") -> None:
    """Canceled while its stage runs: the result is refused, nothing is sent on, and the job stays canceled."""
    job_id = submit(labels=["cat", "dog"])

    def cancel_meanwhile(image: Image.Image, labels: Sequence[str]) -> Classification:
        with session_factory().begin() as session:
            assert jobs.cancel(session, job_id)
        return FakeClassifier().classify(image, labels)

    worker.classifier.classify = cancel_meanwhile  # type: ignore[method-assign] # a fake of a fake
    worker.run(StageName.CLASSIFY, job_id)
    document = worker.document(job_id)
    assert (document.status, document.result) == (JobStatus.CANCELED, None)
    assert queues.llen(StageName.DETECT) == 0


def test_the_result_of_a_stage_that_was_taken_over_is_refused(worker: Worker, queues: "redis.Redis") -> None:
    """A worker that was silent too long writes nothing over what its successor does."""
    job_id = submit(labels=["cat", "dog"])

    def taken_over_meanwhile(image: Image.Image, labels: Sequence[str]) -> Classification:
        with session_factory().begin() as session:
            session.execute(update(Stage).where(Stage.job_id == job_id).values(token=Stage.token + 1))
        return FakeClassifier().classify(image, labels)

    worker.classifier.classify = taken_over_meanwhile  # type: ignore[method-assign] # a fake of a fake
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
