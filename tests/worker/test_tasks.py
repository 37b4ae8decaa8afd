"""The stage tasks over real Postgres, Redis and S3, with small fakes where the models are."""

import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn, cast
from unittest.mock import Mock
from uuid import UUID, uuid4

import numpy as np
import pytest
import redis
from celery import Task
from celery.exceptions import Retry
from PIL import Image
from sqlalchemy import event, func, update
from sqlalchemy.exc import DataError, OperationalError

from db import jobs, profiles
from db.claims import Holder
from db.documents import JobDocument, job_document
from db.errors import (
    InvalidImage,
    MainmaskError,
    NoCandidates,
    ObjectMissing,
    OutOfMemory,
    StorageUnavailable,
)
from db.image_limits import ImageLimits
from db.keys import artifact_key, image_key
from db.models import Stage
from db.session import session_factory
from db.states import Artifact, Instances, JobStatus, OnMissing, Outcome, StageName, StageStatus
from db.storage import ObjectStore, object_store
from tests.new_jobs import new_job
from worker import tasks
from worker.candidates.nominator import Nominator
from worker.candidates.problems import EndpointFailed
from worker.gate import Gate
from worker.leases import Leases
from worker.outgoing.busy import OutgoingBusy
from worker.pipeline.cache import Cache
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.results import Box, Candidate, Classification, DetectedBox, Detection, Mask, ModelCard, Query
from worker.retries import ELSEWHERE, OUTAGE
from worker.runtime import Runtime, image_cache

BOX: Box = (10.0, 8.0, 30.0, 28.0)


@dataclass
class FakeClassifier:
    """Takes the last label to be the main object."""

    error: Exception | None = None
    none_fits: bool | None = None

    def classify(self, image: Image.Image, labels: Sequence[str]) -> Classification:
        if self.error:
            raise self.error
        share = 1 / len(labels)
        ranked = tuple(Candidate(label, share) for label in reversed(labels))
        return Classification(ranked, 0.0, ambiguous=True, none_fits=self.none_fits)


@dataclass
class FakeDetector:
    """Finds every label in the same places."""

    boxes: tuple[Box, ...] = (BOX,)
    missing: frozenset[str] = frozenset()
    asked: list[tuple[str, bool]] = field(default_factory=list)
    ladders: list[tuple[float, ...]] = field(default_factory=list)

    def ladder(self, fit: float | None) -> tuple[float, ...]:
        return (0.5, 0.25)

    def detect_each(
        self, image: Image.Image, queries: Sequence[Query], *, every_instance: bool = False
    ) -> list[Detection]:
        self.asked += [(query.label, every_instance) for query in queries]
        self.ladders += [query.ladder for query in queries]
        return [self.detect(query) for query in queries]

    def detect(self, query: Query) -> Detection:
        if query.label in self.missing or not self.boxes:
            return Detection(query.label, (), query.ladder[-1], best_score=0.125)
        found = tuple(DetectedBox(box, 0.9) for box in self.boxes)
        return Detection(query.label, found, query.ladder[0], best_score=0.9)


class FakeSegmenter:
    """Takes the whole box to be the object."""

    def segment(self, image: Image.Image, boxes: Sequence[Box]) -> list[Mask]:
        masks = []
        for left, top, right, bottom in boxes:
            pixels = np.zeros((image.height, image.width), dtype=np.bool_)
            pixels[int(top) : int(bottom), int(left) : int(right)] = True
            masks.append(Mask(pixels, predicted_iou=0.8, stability=0.9))
        return masks


class FakeExtractor:
    """Every word of three letters or more is a thing."""

    def extract(self, description: str, *, maximum: int = 20) -> list[str]:
        return [word for word in description.split() if len(word) > 2][:maximum]


@dataclass
class FakeReader:
    """A language model that always says the same."""

    answer: list[str] | EndpointFailed

    def read(self, description: str) -> list[str]:
        if isinstance(self.answer, EndpointFailed):
            raise self.answer
        return self.answer


class FakeTask:
    """What Celery gives a bound task; only `retry` is used of it."""

    def retry(self, *, exc: Exception, countdown: float, max_retries: None) -> NoReturn:
        raise Retry(exc=exc, when=countdown)


@dataclass
class Worker:
    """The tasks with their fakes, and a look at what they left."""

    classifier: FakeClassifier = field(default_factory=FakeClassifier)
    detector: FakeDetector = field(default_factory=FakeDetector)
    reader: FakeReader | None = None
    maximum_instances: int = 100
    store: ObjectStore = field(default_factory=object_store)
    gate: Gate = field(default_factory=Gate)
    fetched: dict[str, bytes | Exception] = field(default_factory=dict)
    """What URLs give."""
    leases: Leases = field(default_factory=lambda: Leases(session_factory(), lease_seconds=60))
    images: Cache[Image.Image] = field(default_factory=lambda: image_cache(0))

    def runtime(self) -> Runtime:
        cards = {str(name): ModelCard(f"fake {name}", "1", "MIT") for name in StageName}
        pipeline = Pipeline(
            cast("Any", self.classifier), cast("Any", self.detector), cast("Any", FakeSegmenter()), cards
        )
        return Runtime(
            pipeline=pipeline,
            nominator=Nominator(FakeExtractor(), self.reader),
            maximum_instances=self.maximum_instances,
            store=self.store,
            sessions=session_factory(),
            image_limits=ImageLimits(pixels=10**6),
            fetch=self.fetch,
            gate=self.gate,
            leases=self.leases,
            profile="tiny",
            holder=Holder("here", lease_seconds=60),
            images=self.images,
        )

    def fetch(self, url: str, tenant: str) -> bytes:
        found = self.fetched[url]
        if isinstance(found, Exception):
            raise found
        return found

    def run(self, name: StageName, job_id: UUID) -> None:
        tasks.run_stage(cast("Task", FakeTask()), name, job_id)

    def run_all(self, job_id: UUID) -> JobDocument:
        for name in StageName:
            self.run(name, job_id)
        return self.document(job_id)

    def document(self, job_id: UUID) -> JobDocument:
        with session_factory()() as session:
            return job_document(jobs.get(session, job_id), self.store)


@pytest.fixture
def worker(migrated: None, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """Tasks whose models are fakes."""
    made = Worker()
    monkeypatch.setattr(tasks, "runtime", made.runtime)
    return made


@pytest.fixture
def queues(environment: dict[str, str]) -> "redis.Redis":
    """The broker, its stage queues empty."""
    client = redis.Redis.from_url(environment["MAINMASK_REDIS_URL"])
    client.delete(*StageName)
    return client


def submit(*, labels: list[str] | None = None, **values: Any) -> UUID:
    """A job as the API makes it, with its image."""
    new = new_job(labels=labels, **values)
    object_store().put(image_key(new.id), picture_file(), "image/png")
    with session_factory().begin() as session:
        jobs.create(session, new)
    return new.id


def make_due(job_id: UUID) -> None:
    """As if the back-off of the job's queued stage were over."""
    with session_factory().begin() as session:
        session.execute(update(Stage).where(Stage.job_id == job_id).values(due_at=func.clock_timestamp()))


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


def test_candidates_come_from_the_description(worker: Worker) -> None:
    """Without labels, the things that the description names are the candidates."""
    document = worker.run_all(submit(description="a cat on a sofa"))
    assert document.result is not None
    assert [candidate.label for candidate in document.result.candidates] == ["sofa", "cat"]


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


def test_finding_nothing_ends_the_job_well(worker: Worker, queues: "redis.Redis") -> None:
    """No box: the job succeeds with `not_found`, keeps what was chosen, and the segment stage is skipped."""
    worker.detector.boxes = ()
    document = worker.run_all(submit(labels=["cat"]))
    assert (document.status, document.error) == (JobStatus.SUCCEEDED, None)
    assert document.result is not None
    assert (document.result.outcome, document.result.instances) == (Outcome.NOT_FOUND, [])
    assert document.result.main_object.label == "cat"
    assert document.stages[2].status is StageStatus.SKIPPED
    assert queues.llen(StageName.SEGMENT) == 0


def test_all_instances_are_cut_out_when_asked_for(worker: Worker) -> None:
    """`instances: all` reaches the detector, and each box becomes an instance with pictures of its own."""
    worker.detector.boxes = (BOX, (40.0, 8.0, 50.0, 18.0))
    job_id = submit(labels=["cat"], instances_wanted=Instances.ALL)
    document = worker.run_all(job_id)
    assert worker.detector.asked == [("cat", True)]
    assert document.result is not None
    assert [instance.mask.area for instance in document.result.instances] == [400, 100]
    assert object_store().get(artifact_key(job_id, 1, Artifact.CUTOUT))


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


def test_a_description_that_names_nothing_fails_clearly(worker: Worker) -> None:
    """No candidates: the job fails, and says to send labels."""
    job_id = submit(description="oh no")
    with pytest.raises(NoCandidates):
        worker.run(StageName.CLASSIFY, job_id)
    error = worker.document(job_id).error
    assert error is not None
    assert error.type == "no-candidates"
    assert "labels" in error.message


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
        outage.setattr(tasks, "save", Mock(side_effect=OperationalError("", {}, Exception())))
        with pytest.raises(OperationalError):
            worker.run(StageName.CLASSIFY, job_id)
    worker.leases.check()
    stage = worker.document(job_id).stages[0]
    assert (stage.status, stage.attempts, stage.error) == (StageStatus.QUEUED, 0, None)
    assert worker.run_all(job_id).status is JobStatus.SUCCEEDED


def picture_file(size: tuple[int, int] = (64, 48)) -> bytes:
    """A red PNG."""
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, "PNG")
    return buffer.getvalue()


def submit_pointer(**values: Any) -> UUID:
    """A job whose image was not in the submission."""
    unknown = dict.fromkeys(("image_sha256", "image_width", "image_height", "image_bytes"))
    new = new_job(**{"labels": ["cat"], **unknown, **values})
    with session_factory().begin() as session:
        jobs.create(session, new)
    return new.id


def test_an_image_is_fetched_once_and_described(worker: Worker) -> None:
    """The first stage fetches and stores it; the later ones, and the document, have what it was."""
    worker.fetched["https://example.com/cat.png"] = picture_file((80, 40))
    job_id = submit_pointer(image_url="https://example.com/cat.png")
    worker.run(StageName.CLASSIFY, job_id)
    worker.fetched.clear()
    document = worker.run_all(job_id)
    assert document.status is JobStatus.SUCCEEDED
    image = document.input.image
    assert (image.width, image.height) == (80, 40)
    assert image.sha256 == hashlib.sha256(worker.store.get(image_key(job_id))).hexdigest()


@pytest.fixture
def announced(worker: Worker) -> Iterator[None]:
    """The fakes are the models that answer."""
    models = {str(name): asdict(card) for name, card in worker.runtime().pipeline.cards.items()}
    with session_factory().begin() as session:
        profiles.announce(session, "tiny", models)
    yield
    with session_factory().begin() as session:
        profiles.announce(session, "tiny", {})


def test_a_fetched_image_that_was_asked_about_before_is_answered_with_that(worker: Worker, announced: None) -> None:
    """No model looks; the job ends at its first stage, with the same answer and pictures of its own."""
    worker.fetched = {f"https://{host}.example/": picture_file((70, 35)) for host in ("a", "b")}
    tenant = f"tenant-{uuid4()}"
    first = worker.run_all(submit_pointer(image_url="https://a.example/", tenant=tenant))
    worker.classifier.error = ValueError("it is asked again")
    job_id = submit_pointer(image_url="https://b.example/", tenant=tenant)
    worker.run(StageName.CLASSIFY, job_id)
    document = worker.document(job_id)
    assert (document.status, document.reused_from) == (JobStatus.SUCCEEDED, first.id)
    assert [stage.status for stage in document.stages] == [
        StageStatus.SUCCEEDED,
        StageStatus.SKIPPED,
        StageStatus.SKIPPED,
    ]
    assert document.result is not None
    assert first.result is not None
    for part in ("outcome", "explanation", "main_object", "candidates", "searched", "models"):
        assert getattr(document.result, part) == getattr(first.result, part), part
    assert document.result.instances[0].mask == first.result.instances[0].mask
    mask, earlier = (worker.store.get(artifact_key(each, 0, Artifact.MASK)) for each in (job_id, first.id))
    assert mask == earlier
    assert document.input.image.width == 70
    # An answer that was given again may be given again.
    again = submit_pointer(image_url="https://a.example/", tenant=tenant)
    worker.run(StageName.CLASSIFY, again)
    assert worker.document(again).reused_from == job_id


@pytest.mark.parametrize(
    "change",
    [{"reuse": False}, {"tenant": "somebody-else"}, {"labels": ["dog"]}, {"instances_wanted": Instances.ALL}],
    ids=lambda change: next(iter(change)),
)
def test_a_fetched_image_with_another_question_is_looked_at(
    worker: Worker, announced: None, change: dict[str, Any]
) -> None:
    """Also where the caller wants it anew, or is another one."""
    worker.fetched["https://a.example/"] = picture_file((70, 35))
    tenant = f"tenant-{uuid4()}"
    worker.run_all(submit_pointer(image_url="https://a.example/", tenant=tenant))
    document = worker.run_all(submit_pointer(**({"image_url": "https://a.example/", "tenant": tenant} | change)))
    assert (document.status, document.reused_from) == (JobStatus.SUCCEEDED, None)


def test_a_makeshift_answer_is_not_given_again(worker: Worker, announced: None) -> None:
    """While the language model is away the extractor names the candidates; when it is back, it is asked."""
    worker.fetched["https://a.example/"] = picture_file((70, 35))
    tenant = f"tenant-{uuid4()}"
    question = {"image_url": "https://a.example/", "tenant": tenant, "labels": None, "description": "the cat"}
    worker.reader = FakeReader(EndpointFailed("it is away"))
    worker.run_all(submit_pointer(**question))
    worker.reader = FakeReader(["cat"])
    document = worker.run_all(submit_pointer(**question))
    assert document.reused_from is None
    assert document.result is not None
    assert document.result.notes == []


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


def test_an_earlier_answer_whose_pictures_are_gone_is_no_answer(worker: Worker, announced: None) -> None:
    """The image is looked at as if there had been none."""
    worker.fetched["https://a.example/"] = picture_file((70, 35))
    tenant = f"tenant-{uuid4()}"
    first = submit_pointer(image_url="https://a.example/", tenant=tenant)
    worker.run_all(first)
    worker.store.delete([artifact_key(first, 0, Artifact.MASK)])
    document = worker.run_all(submit_pointer(image_url="https://a.example/", tenant=tenant))
    assert (document.status, document.reused_from) == (JobStatus.SUCCEEDED, None)


def test_a_fetch_that_was_not_let_is_no_attempt(worker: Worker) -> None:
    """However often there is no room for it: the stage waits for a moment each time, and then its attempts begin."""
    url = "https://example.com/cat.png"
    worker.fetched[url] = OutgoingBusy()
    job_id = submit_pointer(image_url=url)
    for _ in range(ELSEWHERE.attempts + 1):
        with pytest.raises(Retry):
            worker.run(StageName.CLASSIFY, job_id)
        worker.run(StageName.CLASSIFY, job_id)  # it isn't due yet
        stage = worker.document(job_id).stages[0]
        assert (stage.status, stage.attempts, stage.error) == (StageStatus.QUEUED, 0, None)
        make_due(job_id)
    worker.fetched[url] = picture_file()
    assert worker.run_all(job_id).stages[0].attempts == 1


def test_an_uploaded_image_is_described(worker: Worker) -> None:
    """Nobody has looked at it before the worker."""
    job_id = submit_pointer()
    worker.store.put(image_key(job_id), picture_file(), "image/png")
    assert worker.run_all(job_id).input.image.width == 64


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid-image"),
        (b"<html>Not found</html>", "invalid-image"),
        (picture_file((2000, 1000)), "image-too-large"),
        (picture_file((700, 1)), "image-out-of-shape"),
    ],
    ids=["empty", "page", "large", "long"],
)
def test_what_a_url_gives_is_checked_like_a_submission(worker: Worker, data: bytes, code: str) -> None:
    """The job fails with the cause, at once."""
    worker.fetched["https://example.com/"] = data
    job_id = submit_pointer(image_url="https://example.com/")
    with pytest.raises(MainmaskError):
        worker.run(StageName.CLASSIFY, job_id)
    error = worker.document(job_id).error
    assert error is not None
    assert error.type == code


def test_the_caller_s_threshold_reaches_the_detector(worker: Worker) -> None:
    """And without one the detector keeps its own."""
    for threshold in (0.3, None):
        job_id = submit(labels=["cat"], box_threshold=threshold)
        worker.run(StageName.CLASSIFY, job_id)
        worker.run(StageName.DETECT, job_id)
    assert worker.detector.ladders == [(0.3,), worker.detector.ladder(None)]


def test_only_the_pictures_that_were_asked_for_are_made(worker: Worker) -> None:
    """The others have no object and no URL."""
    job_id = submit(labels=["cat"], outputs=["mask"])
    document = worker.run_all(job_id)
    assert document.result is not None
    instance = document.result.instances[0]
    assert (instance.mask_url is not None, instance.cutout_url, instance.overlay_url) == (True, None, None)
    with pytest.raises(ObjectMissing):
        worker.store.get(artifact_key(job_id, 0, Artifact.OVERLAY))


def test_the_picture_is_fetched_and_decoded_once_for_all_stages(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one stage has decoded the next one in the same process has at hand."""
    worker.images = image_cache(10**6)
    job_id = submit(labels=["cat", "dog"], image_sha256=hashlib.sha256(picture_file()).hexdigest())
    get = Mock(side_effect=worker.store.get)
    monkeypatch.setattr(worker.store, "get", get)
    assert worker.run_all(job_id).status is JobStatus.SUCCEEDED
    get.assert_called_once_with(image_key(job_id))


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


def test_round_trips_of_a_stage(worker: Worker) -> None:
    """The statements to Postgres and the calls of S3 that each stage takes: more of them must be meant."""
    worker.images = image_cache(10**6)
    job_id = submit(labels=["cat", "dog"], image_sha256=hashlib.sha256(picture_file()).hexdigest())
    counted: Counter[str] = Counter()

    def count_statement(*_: Any) -> None:
        counted["statements"] += 1

    def count_call(**_: Any) -> None:
        counted["calls"] += 1

    engine = session_factory().kw["bind"]
    events = worker.store._client.meta.events
    event.listen(engine, "before_cursor_execute", count_statement)
    events.register("before-call.s3", count_call)
    taken = {}
    try:
        for name in StageName:
            counted.clear()
            worker.run(name, job_id)
            taken[name] = (counted["statements"], counted["calls"])
    finally:
        event.remove(engine, "before_cursor_execute", count_statement)
        events.unregister("before-call.s3", count_call)
    # The claim, the job with its stages (the first stage starts it), and the result with the next stage; after the
    # last stage the instances and the job's end. One picture in, three out.
    assert taken == {StageName.CLASSIFY: (4, 1), StageName.DETECT: (3, 0), StageName.SEGMENT: (5, 3)}


def test_a_missing_choice_gives_way_to_the_next_when_asked_to(worker: Worker) -> None:
    """`on_missing: next`: of the candidates that are found, the one that ranks highest is the main object."""
    worker.detector.missing = frozenset({"sofa"})
    document = worker.run_all(submit(labels=["dog", "cat", "sofa"], on_missing=OnMissing.NEXT))
    assert document.result is not None
    assert (document.result.outcome, document.result.main_object.label) == (Outcome.FOUND, "cat")
    assert [(each.label, each.found) for each in document.result.searched] == [
        ("sofa", False),
        ("cat", True),
        ("dog", True),
    ]
    assert document.result.instances[0].label == "cat"
    assert "“sofa” was not found" in document.result.explanation
    assert "Next in line, “cat” was found" in document.result.explanation


def test_a_missing_choice_is_not_found_by_default(worker: Worker) -> None:
    """The caller is told, and the others aren't even looked for."""
    worker.detector.missing = frozenset({"sofa"})
    document = worker.run_all(submit(labels=["cat", "sofa"]))
    assert document.result is not None
    assert (document.result.outcome, document.result.main_object.label) == (Outcome.NOT_FOUND, "sofa")
    (searched,) = document.result.searched
    assert (searched.found, searched.best_score, searched.threshold) == (False, 0.125, 0.25)
    assert "its best box has a score of 0.12, and 0.25 is needed" in document.result.explanation


def test_where_every_candidate_is_missing_the_best_one_is_told(worker: Worker) -> None:
    """`next` changes nothing about that."""
    worker.detector.boxes = ()
    document = worker.run_all(submit(labels=["cat", "sofa"], on_missing=OnMissing.NEXT))
    assert document.result is not None
    assert (document.result.outcome, document.result.main_object.label) == (Outcome.NOT_FOUND, "sofa")
    assert [each.label for each in document.result.searched] == ["sofa", "cat"]


@pytest.mark.parametrize(("boxes", "none_fits"), [((), True), ((BOX,), False)], ids=["not found", "found"])
def test_a_doubt_of_the_classifier_is_told_where_nothing_is_found(
    worker: Worker, boxes: tuple[Box, ...], none_fits: bool
) -> None:
    """`none_fits` says why there is no mask; what was found isn't doubted after all."""
    worker.classifier.none_fits = True
    worker.detector.boxes = boxes
    document = worker.run_all(submit(labels=["cat", "sofa"]))
    assert document.result is not None
    assert document.result.none_fits is none_fits
    assert ("None of the 2 candidates seems to be in the picture" in document.result.explanation) is none_fits


def test_no_more_instances_are_cut_out_than_the_operator_allows(worker: Worker) -> None:
    """The best stay, and a note tells of the others."""
    worker.maximum_instances = 2
    worker.detector.boxes = (BOX, (40.0, 8.0, 50.0, 18.0), (0.0, 0.0, 9.0, 9.0))
    document = worker.run_all(submit(labels=["cat"], instances_wanted=Instances.ALL))
    assert document.result is not None
    assert len(document.result.instances) == 2
    assert document.result.notes == ["Of 3 instances only the best 2 are given."]


def test_who_named_the_candidates_is_told(worker: Worker) -> None:
    """The caller, the local extractor or the operator's language model, with what went wrong."""
    by_labels = worker.run_all(submit(labels=["cat"]))
    worker.reader = FakeReader(["kitten"])
    by_endpoint = worker.run_all(submit(description="a small cat"))
    worker.reader = FakeReader(EndpointFailed("it doesn't answer in time"))
    by_local = worker.run_all(submit(description="a small cat"))
    results = [document.result for document in (by_labels, by_endpoint, by_local)]
    assert [result.candidate_source for result in results if result] == ["labels", "endpoint", "local"]
    assert [result.main_object.label for result in results if result] == ["cat", "kitten", "cat"]
    assert by_local.result is not None
    assert "it doesn't answer in time" in by_local.result.notes[0]


def test_a_result_that_no_database_takes_fails_the_job(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no outage: handed back, it would come again for ever."""
    job_id = submit(labels=["cat"])
    with monkeypatch.context() as broken:
        broken.setattr(tasks, "save", Mock(side_effect=DataError("", {}, Exception())))
        with pytest.raises(DataError):
            worker.run(StageName.CLASSIFY, job_id)
    worker.leases.check()
    document = worker.document(job_id)
    assert document.status is JobStatus.FAILED
    assert document.error is not None
    assert (document.error.type, document.error.stage) == ("internal", StageName.CLASSIFY)
