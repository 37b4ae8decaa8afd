"""A worker that has begun a job goes on with it: no message, and all else as if there had been one."""

import hashlib
import logging
from collections import Counter
from collections.abc import Collection, Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import redis
from celery.exceptions import Retry
from celery.worker.request import Request
from sqlalchemy.exc import OperationalError

from db import jobs
from db.claims import Claim
from db.errors import InvalidImage, OutOfMemory, StorageUnavailable
from db.session import session_factory
from db.states import JobStatus, StageName, StageStatus
from tests.worker.fake_worker import FakeDetector, Worker, make_due, picture_file, submit, submit_pointer
from worker import runs
from worker.consuming import Consuming, StageRequest, consuming
from worker.runtime import image_cache

FOLLOWING = (StageName.DETECT, StageName.SEGMENT)


class Consumer:
    """What Celery gives a process that takes messages of these queues; it remembers what Flower was told."""

    def __init__(self, queues: Collection[StageName]) -> None:
        self.app = SimpleNamespace(amqp=SimpleNamespace(queues=SimpleNamespace(consume_from=dict.fromkeys(queues))))
        self.event_dispatcher = SimpleNamespace(enabled=True, send=self._send)
        self.told: list[tuple[str, str]] = []
        self.fields: list[dict[str, Any]] = []

    def _send(self, event: str, **fields: Any) -> None:
        self.told.append((event.removeprefix("task-"), fields["name"]))
        self.fields.append(fields)


@pytest.fixture
def consumer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Consumer:
    """This process takes messages of all stages, or of those that are given."""
    made = Consumer(getattr(request, "param", tuple(StageName)))
    monkeypatch.setattr(consuming, "_consumer", made)
    return made


@pytest.fixture
def leaving() -> Iterator[None]:
    """This process was told to stop."""
    consuming.leaving.set()
    yield
    consuming.leaving.clear()


def lengths(queues: "redis.Redis") -> dict[StageName, int]:
    """How many messages lie in each queue that has some."""
    return {name: count for name in StageName if (count := queues.llen(name))}


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


def test_a_picture_that_was_fetched_is_fetched_once(worker: Worker, consumer: Consumer) -> None:
    """The stages that follow know what the first found out about it."""
    worker.images = image_cache(10**6)
    worker.fetched["https://a.example/"] = picture_file()
    job_id = submit_pointer(image_url="https://a.example/")
    taken: list[str] = []
    fetch = worker.fetch
    worker.fetch = lambda url, tenant: taken.append(url) or fetch(url, tenant)  # type: ignore[method-assign,func-returns-value] # counted
    worker.run(StageName.CLASSIFY, job_id)
    assert worker.document(job_id).status is JobStatus.SUCCEEDED
    assert len(taken) == 1


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


def failing(error: Exception) -> FakeDetector:
    """A detector that raises it."""
    detector = FakeDetector()
    detector.detect = Mock(side_effect=error)  # type: ignore[method-assign] # a fake of a fake
    return detector


def test_a_stage_that_follows_is_retried_by_a_message(
    worker: Worker, queues: "redis.Redis", consumer: Consumer
) -> None:
    """An outage in it is its own: the stage before it went well, and its second attempt begins with a message."""
    worker.detector = failing(StorageUnavailable("get"))
    job_id = submit(labels=["cat"])
    worker.run(StageName.CLASSIFY, job_id)
    assert consumer.told[-1] == ("retried", StageName.DETECT)
    assert lengths(queues) == {StageName.DETECT: 1}
    waiting = worker.document(job_id).stages
    assert [stage.status for stage in waiting] == [StageStatus.SUCCEEDED, StageStatus.QUEUED, StageStatus.PENDING]
    worker.detector = FakeDetector()
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
    worker.detector = failing(error)
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
    """Postgres goes away in a stage that follows: it costs no attempt."""
    job_id = submit(labels=["cat"])
    save = runs.save

    def saved_at_first(claim: Claim, *others: Any, **options: Any) -> runs.Saved | None:
        if claim.name is StageName.DETECT:
            raise OperationalError("", {}, Exception())
        return save(claim, *others, **options)

    with monkeypatch.context() as outage:
        outage.setattr(runs, "save", saved_at_first)
        worker.run(StageName.CLASSIFY, job_id)
    worker.leases.check()
    stage = worker.document(job_id).stages[1]
    assert (stage.status, stage.attempts) == (StageStatus.QUEUED, 0)
    worker.run(StageName.DETECT, job_id)
    assert worker.document(job_id).status is JobStatus.SUCCEEDED


def test_a_job_that_is_canceled_between_goes_no_further(
    worker: Worker, queues: "redis.Redis", consumer: Consumer
) -> None:
    """Canceled while the stage that follows runs: its result is refused, and nothing comes after it."""
    job_id = submit(labels=["cat"])
    detector = worker.detector
    detect = detector.detect_each

    def cancel_meanwhile(*arguments: Any, **options: Any) -> Any:
        with session_factory().begin() as session:
            assert jobs.cancel(session, job_id)
        return detect(*arguments, **options)

    detector.detect_each = cancel_meanwhile  # type: ignore[method-assign] # a fake of a fake
    worker.run(StageName.CLASSIFY, job_id)
    assert worker.document(job_id).status is JobStatus.CANCELED
    assert StageName.SEGMENT not in {name for _, name in consumer.told}
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


def test_what_is_running_is_renewed(worker: Worker, consumer: Consumer) -> None:
    """The claim on the stage that follows is looked after like any other."""
    held: list[StageName] = []
    job_id = submit(labels=["cat"])
    detect = worker.detector.detect_each

    def note(*arguments: Any, **options: Any) -> Any:
        held.extend(claim.name for claim in worker.leases._started)
        return detect(*arguments, **options)

    worker.detector.detect_each = note  # type: ignore[method-assign] # a fake of a fake
    worker.run(StageName.CLASSIFY, job_id)
    assert held == [StageName.DETECT]


def test_flower_is_told_how_long_a_stage_took_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery counts until the thread is free again, with the stages that followed."""
    send = Mock()
    monkeypatch.setattr(Request, "send_event", send)
    request = StageRequest.__new__(StageRequest)
    request.send_event("task-succeeded", result="0.25", runtime=3.0)
    request.send_event("task-started")
    assert [(call.args, call.kwargs) for call in send.call_args_list] == [
        (("task-succeeded",), {"result": "0.25", "runtime": 0.25}),
        (("task-started",), {}),
    ]


def test_a_process_that_consumes_nothing_takes_nothing() -> None:
    """A script that runs a stage by hand, say."""
    assert not Consuming().takes(StageName.DETECT)
