"""The work of each stage: a claimed job in, what to store out. The masks go to S3 here, before any row."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import asdict, dataclass, field, replace

from PIL import Image

from db import reuse, tracing
from db.errors import NoCandidates
from db.jobs import ImageFacts
from db.keys import artifact_key
from db.models import JSON, Instance, Job
from db.states import Artifact, Instances, Outcome, StageName
from worker import earlier
from worker.acquisition import acquire
from worker.pipeline import masks
from worker.pipeline.results import Box, Candidate, Mask
from worker.pipeline.search import Wish
from worker.runtime import Runtime


@dataclass(frozen=True)
class StageOutput:
    """A stage's result, and the job's outcome where this stage is its last."""

    result: JSON
    outcome: Outcome | None = None
    label: str = ""
    """The main object's, with the outcome."""
    instances: list[Instance] = field(default_factory=list)
    image: ImageFacts | None = None
    """Of an image that the submission only pointed to."""
    reuse_key: str = ""
    """The question's, with the image."""
    answer: Job | None = None
    """The earlier job that answers for this one, with the outcome."""
    model: JSON = field(default_factory=dict)
    """Which weights gave it."""


def run(name: StageName, job: Job, runtime: Runtime) -> StageOutput:
    """Do one stage of a job that was loaded with its stages, with the model that the job asks for."""
    pipeline = runtime.lending.pipeline(runtime.pipeline, name, job.models)
    output = RUNNERS[name](job, replace(runtime, pipeline=pipeline))
    return replace(output, model=output.model or asdict(pipeline.cards[name]))


def classify(job: Job, runtime: Runtime) -> StageOutput:
    """Choose the main object among the caller's labels, or those that the description names."""
    nominated = runtime.nominator.nominate(job.labels, job.description)
    if not nominated.labels:
        raise NoCandidates
    image, facts = acquire(job, runtime)
    reuse_key = reuse.reuse_key(job, facts.sha256) if facts else ""
    if facts and (found := earlier.answer(job, reuse_key, runtime)):
        return _answered(found, StageOutput({}, image=facts, reuse_key=reuse_key))
    ranking = runtime.pipeline.classifier.classify(image, nominated.labels)
    notes = [*nominated.notes, *(f"The classifier reads only the beginning of “{label}”." for label in ranking.cut)]
    return StageOutput(
        {**asdict(ranking), "source": nominated.source, "notes": notes, "makeshift": nominated.is_makeshift},
        image=facts,
        reuse_key=reuse_key,
    )


def _answered(found: Job, output: StageOutput) -> StageOutput:
    """What the stage found for the earlier job."""
    first = found.stages[0]
    return replace(
        output,
        result=first.result or {},
        model=first.model or {},
        outcome=found.outcome,
        label=found.label or "",
        answer=found,
    )


def detect(job: Job, runtime: Runtime) -> StageOutput:
    """Box the chosen label, or the next that is there; where none is, the job ends here with `not_found`."""
    wish = Wish(
        every_instance=job.instances_wanted is Instances.ALL,
        maximum_instances=runtime.maximum_instances,
        threshold=job.box_threshold,
        on_missing=job.on_missing,
    )
    candidates = [Candidate(**candidate) for candidate in _result(job, StageName.CLASSIFY)["candidates"]]
    image, _ = acquire(job, runtime)
    finding = runtime.pipeline.search(image, candidates, wish)
    result = {**asdict(finding.detection), "searched": finding.summary(), "notes": finding.notes(wish)}
    outcome = None if finding.detection.boxes else Outcome.NOT_FOUND
    return StageOutput(result, outcome=outcome, label=finding.detection.label)


def segment(job: Job, runtime: Runtime) -> StageOutput:
    """Cut every box out and store its pictures."""
    detection = _result(job, StageName.DETECT)
    image, _ = acquire(job, runtime)
    boxes: list[Box] = [tuple(found["box"]) for found in detection["boxes"]]
    cut = runtime.pipeline.segmenter.segment(image, boxes)
    with _storing_pictures(runtime, job, [Cut(image, mask, box) for mask, box in zip(cut, boxes, strict=True)]):
        instances = [
            _instance(job, position, detection["label"], found, mask)
            for position, (found, mask) in enumerate(zip(detection["boxes"], cut, strict=True))
        ]
    return StageOutput(
        {"instances": len(instances)}, outcome=Outcome.FOUND, label=detection["label"], instances=instances
    )


RUNNERS: dict[StageName, Callable[[Job, Runtime], StageOutput]] = {
    StageName.CLASSIFY: classify,
    StageName.DETECT: detect,
    StageName.SEGMENT: segment,
}


def _result(job: Job, name: StageName) -> JSON:
    """The stored result of a stage before this one."""
    result = next(stage.result for stage in job.stages if stage.name is name)
    if result is None:
        raise ValueError(f"Job {job.id} has no result of {name}: its stages were queued out of order.")
    return result


def _instance(job: Job, position: int, label: str, found: JSON, mask: Mask) -> Instance:
    return Instance(
        job_id=job.id,
        position=position,
        label=label,
        box=list(found["box"]),
        box_score=found["score"],
        mask_box=list(masks.tight_box(mask.pixels)),
        area=int(mask.pixels.sum()),
        predicted_iou=mask.predicted_iou,
        stability=mask.stability,
        rle=masks.encode_rle(mask.pixels),
        polygons=masks.polygons(mask.pixels),
    )


@dataclass(frozen=True)
class Cut:
    """An instance as it is drawn: the picture, its mask and the box that SAM was given."""

    image: Image.Image
    mask: Mask
    box: Box


DRAWN: dict[Artifact, Callable[[Cut], bytes]] = {
    Artifact.OVERLAY: lambda cut: masks.overlay(cut.image, cut.mask.pixels, cut.box),
    Artifact.CUTOUT: lambda cut: masks.cutout(cut.image, cut.mask.pixels),
    Artifact.MASK: lambda cut: masks.encode_png(cut.mask.pixels),
}
"""The longest first."""


@contextmanager
def _storing_pictures(runtime: Runtime, job: Job, cuts: Sequence[Cut]) -> Iterator[None]:
    """Draw, encode and store all pictures of all instances, side by side with each other and with the block.

    Raises when one can't be stored.
    """

    def store(position: int, cut: Cut, artifact: Artifact) -> None:
        runtime.store.put(artifact_key(job.id, position, artifact), DRAWN[artifact](cut), artifact.content_type)

    wanted = sorted(map(Artifact, job.outputs), key=list(DRAWN).index)
    with tracing.part("store pictures"):
        stored = [
            runtime.pool.submit(copy_context().run, store, position, cut, artifact)
            for position, cut in enumerate(cuts)
            for artifact in wanted
        ]
        try:
            yield
        finally:
            wait(stored)  # all of them, also when one fails: none is still at work when the stage is tried again
        for each in stored:
            each.result()
