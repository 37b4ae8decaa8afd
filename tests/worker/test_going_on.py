"""A worker that has begun a job goes on with it: no message, and all else as if there had been one."""

import hashlib
import json
from collections import Counter
from typing import Any
from unittest.mock import Mock

import pytest
import redis
from celery.exceptions import Retry

from db import jobs
from db.errors import OutOfMemory
from db.models import Job
from db.session import session_factory
from db.states import JobStatus, StageName, StageStatus
from tests.worker.consumer import Consumer, lengths
from tests.worker.fake_worker import FakeDetector, Worker, make_due, picture_file, submit, submit_pointer
from worker import stages
from worker.runtime import Runtime, image_cache

FOLLOWING = (StageName.DETECT, StageName.SEGMENT)


def test_one_message_ends_a_job(worker: Worker, queues: "redis.Redis", consumer: Consumer) -> None:
    """The job's result, stages and counts are what three messages give; Flower is told of both stages that follow."""
    by_messages = submit(labels=["cat", "dog"])
    in_one = submit(labels=["cat", "dog"])
    worker.run(StageName.CLASSIFY, in_one)
    assert lengths(queues) == {}
    assert consumer.told == [(event, name) for name in FOLLOWING for event in ("received", "started", "succeeded")]
    assert {fields["uuid"] for fields in consumer.fields} == {f"{name}-{in_one}" for name in FOLLOWING}
    consumer.app.amqp.queues.consume_from.clear()
    one, three = worker.document(in_one), worker.run_all(by_messages)
    assert one.status is JobStatus.SUCCEEDED
    assert [(stage.status, stage.attempts) for stage in one.stages] == [(StageStatus.SUCCEEDED, 1)] * 3
    assert one.result is not None
    assert three.result is not None
    unlike = {"mask_url", "cutout_url", "overlay_url"}  # they name the job
    assert one.result.model_dump(exclude={"instances": {"__all__": unlike}}) == three.result.model_dump(
        exclude={"instances": {"__all__": unlike}}
    )


def test_round_trips_of_a_job(worker: Worker, consumer: Consumer, round_trips: Counter[str]) -> None:
    """All that it asks of Postgres and S3: more must be meant."""
    worker.images = image_cache(10**6)
    job_id = submit(labels=["cat", "dog"], image_sha256=hashlib.sha256(picture_file()).hexdigest())
    round_trips.clear()
    worker.run(StageName.CLASSIFY, job_id)
    # The claim, the job with its stages, and its start; two results that take the next stage; the last result, the
    # instances and the job's end. One picture in, three out.
    assert round_trips == {"statements": 8, "calls": 4}


def test_a_picture_that_was_fetched_is_fetched_once(
    worker: Worker, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stages that follow know what the first found out about it."""
    worker.images = image_cache(10**6)
    worker.fetched["https://a.example/"] = picture_file()
    job_id = submit_pointer(image_url="https://a.example/")
    fetch = Mock(side_effect=worker.fetch)
    monkeypatch.setattr(worker, "fetch", fetch)
    worker.run(StageName.CLASSIFY, job_id)
    assert worker.document(job_id).status is JobStatus.SUCCEEDED
    fetch.assert_called_once()


def test_a_stage_that_follows_reads_what_is_stored(
    worker: Worker, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job that it is given says of attempts, results and picture what the row says: it isn't loaded again."""
    worker.images = image_cache(10**6)
    worker.fetched["https://a.example/"] = picture_file()
    job_id = submit_pointer(image_url="https://a.example/")
    run, compared = stages.run, []

    def run_compared(name: StageName, job: Job, runtime: Runtime) -> stages.StageOutput:
        with session_factory()() as session:
            stored = jobs.get(session, job_id)
        compared.append(name)
        assert (job.id, job.image_sha256) == (stored.id, stored.image_sha256)
        for given, row in zip(job.stages, stored.stages, strict=True):
            assert (given.name, given.attempts) == (row.name, row.attempts)
            assert json.loads(json.dumps(given.result)) == row.result
        return run(name, job, runtime)

    monkeypatch.setattr(stages, "run", run_compared)
    worker.run(StageName.CLASSIFY, job_id)
    assert compared == list(StageName)
    assert worker.document(job_id).status is JobStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("consumer", "left"),
    [((StageName.CLASSIFY,), StageName.DETECT), ((StageName.CLASSIFY, StageName.DETECT), StageName.SEGMENT)],
    indirect=["consumer"],
)
def test_other_stages_are_left_to_others(
    worker: Worker, queues: "redis.Redis", consumer: Consumer, left: StageName
) -> None:
    """A worker that serves some stages only sends the message that wakes the next one's."""
    worker.run(StageName.CLASSIFY, submit(labels=["cat"]))
    assert lengths(queues) == {left: 1}


@pytest.mark.usefixtures("leaving", "consumer")
def test_a_worker_that_stops_begins_nothing(worker: Worker, queues: "redis.Redis") -> None:
    """It ends its stage, and leaves the next to somebody else."""
    worker.run(StageName.CLASSIFY, submit(labels=["cat"]))
    assert lengths(queues) == {StageName.DETECT: 1}


def test_a_job_that_ends_early_has_nothing_to_follow(worker: Worker, queues: "redis.Redis", consumer: Consumer) -> None:
    """Nothing is found, so nothing is cut out."""
    worker.detector = FakeDetector(boxes=())
    job_id = submit(labels=["cat"])
    worker.run(StageName.CLASSIFY, job_id)
    assert worker.document(job_id).status is JobStatus.SUCCEEDED
    assert consumer.told[-1] == ("succeeded", StageName.DETECT)
    assert lengths(queues) == {}


def test_a_suspect_goes_on_by_a_message(worker: Worker, queues: "redis.Redis", consumer: Consumer) -> None:
    """It runs alone; what follows it may run beside others."""
    job_id = submit(labels=["cat", "dog"])
    worker.classifier.error = OutOfMemory()
    with pytest.raises(Retry):
        worker.run(StageName.CLASSIFY, job_id)
    worker.classifier.error = None
    make_due(job_id)
    queues.delete(*StageName)
    worker.run(StageName.CLASSIFY, job_id)
    assert worker.document(job_id).stages[0].status is StageStatus.SUCCEEDED
    assert lengths(queues) == {StageName.DETECT: 1}


def test_what_is_running_is_renewed(worker: Worker, consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The claim on the stage that follows is looked after like any other."""
    held: list[StageName] = []
    job_id = submit(labels=["cat"])
    detect = worker.detector.detect_each

    def note(*arguments: Any, **options: Any) -> Any:
        held.extend(claim.name for claim in worker.leases._started)
        return detect(*arguments, **options)

    monkeypatch.setattr(worker.detector, "detect_each", note)
    worker.run(StageName.CLASSIFY, job_id)
    assert held == [StageName.DETECT]
