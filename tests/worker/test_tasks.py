"""The stage tasks over real Postgres, Redis and S3, with small fakes where the models are."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import redis
from celery.exceptions import Retry
from PIL import Image

from db.errors import (
    InvalidImage,
    MainmaskError,
    OutOfMemory,
    StorageUnavailable,
)
from db.keys import artifact_key, image_key
from db.states import Artifact, JobStatus, Outcome, StageName, StageStatus
from db.storage import object_store
from tests.worker.fake_worker import (
    BOX,
    Worker,
    make_due,
    submit,
)
from worker.retries import OUTAGE


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
