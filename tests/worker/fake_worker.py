"""The stage tasks over the real servers, with small fakes where the models are: what their tests share."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn, cast
from uuid import UUID

from celery import Task
from celery.exceptions import Retry
from PIL import Image
from sqlalchemy import func, update

from db import jobs
from db.claims import Holder
from db.documents import JobDocument, job_document
from db.image_limits import ImageLimits
from db.keys import image_key
from db.models import Stage
from db.session import session_factory
from db.states import StageName
from db.storage import ObjectStore, object_store
from tests.new_jobs import new_job
from tests.whole_boxes import WholeBoxes
from worker import tasks
from worker.candidates.nominator import Nominator
from worker.candidates.problems import EndpointFailed
from worker.gate import Gate
from worker.leases import Leases
from worker.pipeline.cache import Cache
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.results import Box, Candidate, Classification, DetectedBox, Detection, ModelCard, Query
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
    error: Exception | None = None
    asked: list[tuple[str, bool]] = field(default_factory=list)
    ladders: list[tuple[float, ...]] = field(default_factory=list)

    def ladder(self, fit: float | None) -> tuple[float, ...]:
        return (0.5, 0.25)

    def detect_each(
        self, image: Image.Image, queries: Sequence[Query], *, every_instance: bool = False
    ) -> list[Detection]:
        if self.error:
            raise self.error
        self.asked += [(query.label, every_instance) for query in queries]
        self.ladders += [query.ladder for query in queries]
        return [self.detect(query) for query in queries]

    def detect(self, query: Query) -> Detection:
        if query.label in self.missing or not self.boxes:
            return Detection(query.label, (), query.ladder[-1], best_score=0.125)
        found = tuple(DetectedBox(box, 0.9) for box in self.boxes)
        return Detection(query.label, found, query.ladder[0], best_score=0.9)


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
        pipeline = Pipeline(cast("Any", self.classifier), cast("Any", self.detector), cast("Any", WholeBoxes()), cards)
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

    def run(self, name: StageName, job_id: UUID) -> float:
        """As a message does; the seconds of the stage itself."""
        return tasks.run_stage(partial(tasks._again, cast("Task", FakeTask())), name, job_id)

    def run_all(self, job_id: UUID) -> JobDocument:
        for name in StageName:
            self.run(name, job_id)
        return self.document(job_id)

    def document(self, job_id: UUID) -> JobDocument:
        with session_factory()() as session:
            return job_document(jobs.get(session, job_id), self.store)


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
