"""The document of a job's answer: which object, where, which pixels, and how sure.

Built here and nowhere else.
"""

from collections.abc import Collection
from typing import Any, Protocol

from pydantic import BaseModel, Field

from db.explanations import Ranked, Searched, Story, explain
from db.keys import artifact_key
from db.models import Instance, Job
from db.states import Artifact, CandidateSource, Outcome, StageName


class UrlSigner(Protocol):
    """What turns an object's key into a URL that its reader may GET: `db.storage.ObjectStore`."""

    def url(self, key: str, filename: str | None = None) -> str:
        """A presigned URL, which a browser saves under the file name instead of showing it, where there is one."""
        ...


class CandidateDocument(BaseModel):
    """A label and the probability, among the candidates, that it names the main object."""

    label: str = Field(examples=["snowboard"], description="As it was given, or as the description names it.")
    score: float = Field(description="The probability; all candidates' add up to 1.", examples=[0.97])
    fit: float | None = Field(
        None,
        description="The probability of this label among all that such a picture may show; by SigLIP, that it "
        "describes the picture, whatever else does; null where the models aren't calibrated for it.",
        examples=[0.31],
    )


class MainObjectDocument(CandidateDocument):
    """The candidate that is answered for, and how clear the choice was."""

    margin: float = Field(
        description="Its score less the best one of the others; negative where a better one wasn't found."
    )
    ambiguous: bool = Field(description="The margin is too small to be sure.")


class SearchDocument(BaseModel):
    """A candidate that was looked for in the picture."""

    label: str = Field(description="One of the candidates.", examples=["snowboard"])
    found: bool = Field(description="Whether any box was taken.")
    best_score: float = Field(description="Of all its boxes, also where it is too low.")
    threshold: float = Field(description="The least box score that was taken, or would have been.")


class MaskDocument(BaseModel):
    """A mask in COCO's compressed run-length encoding, with SAM's own doubts about it."""

    rle: dict[str, Any] = Field(
        description="`size` is height and width; pycocotools decodes it.",
        examples=[{"size": [480, 640], "counts": "PXl02n>1N3N1"}],
    )
    area: int = Field(description="In pixels.")
    box: list[float] = Field(description="The tight box around the mask: XYXY, right and bottom exclusive.")
    predicted_iou: float = Field(description="SAM's own guess of the mask's IoU with the true one.", examples=[0.93])
    stability: float = Field(description="The IoU of the masks that a higher and a lower threshold would give.")


class InstanceDocument(BaseModel):
    """One instance of the main object, in pixels of the upright image."""

    label: str = Field(description="Of the main object.", examples=["snowboard"])
    box: list[float] = Field(description="The detector's box: XYXY.")
    box_score: float = Field(description="The detector's, from 0 to 1.", examples=[0.61])
    mask: MaskDocument
    polygons: list[list[float]] = Field(description="Outer outlines: [x1, y1, x2, y2, …], largest first.")
    mask_url: str | None = Field(description="A presigned URL; null where `outputs` didn't ask for it.")
    cutout_url: str | None = Field(description="Of an RGBA PNG of the mask's box; null where it wasn't asked for.")
    overlay_url: str | None = Field(
        description="Of the picture with the mask in colour; null where it wasn't asked for."
    )


class ModelDocument(BaseModel):
    """Which weights ran a stage."""

    stage: StageName
    name: str = Field(description="As `GET /v1/models` lists it.", examples=["openai/clip-vit-base-patch32"])
    revision: str = Field(description="The beginning of its weights' SHA-256.")
    license: str = Field(description="SPDX identifier.", examples=["MIT"])
    source_revision: str | None = Field(
        None, description="The hub's commit that its files were pulled from; null for those of no hub."
    )


class ResultDocument(BaseModel):
    """The answer of a succeeded job."""

    outcome: Outcome
    explanation: str = Field(
        description="How the answer came about, in a line for people.",
        examples=["Of 2 candidates “snowboard” suits the picture best (score 0.83). It was found (box score 0.61)."],
    )
    none_fits: bool = Field(
        description="Nothing was found, and the picture seems to show something else than any of the candidates."
    )
    main_object: MainObjectDocument
    candidates: list[CandidateDocument] = Field(description="All of them, the best first.")
    candidate_source: CandidateSource = Field(description="Who named the candidates.")
    searched: list[SearchDocument] = Field(
        description="The candidates that were looked for: the best one and, with `on_missing: next`, those after it."
    )
    notes: list[str] = Field(description="What else should be known, such as a label of which only a part was read.")
    instances: list[InstanceDocument] = Field(description="The best first; none where it wasn't found.")
    models: list[ModelDocument] = Field(description="One a stage that ran.")


def result_document(job: Job, signer: UrlSigner) -> ResultDocument:
    """The answer of a job that has one, and was loaded with its stages and instances."""
    by_name = {stage.name: stage.result or {} for stage in job.stages}
    # Jobs of earlier versions have fewer facts.
    classified, detected = by_name[StageName.CLASSIFY], by_name[StageName.DETECT]
    candidates = [CandidateDocument.model_validate(candidate) for candidate in classified["candidates"]]
    searched = [SearchDocument.model_validate(each) for each in detected.get("searched", [])]
    source = CandidateSource(classified.get("source", CandidateSource.LABELS if job.labels else CandidateSource.LOCAL))
    none_fits = job.outcome is Outcome.NOT_FOUND and bool(classified.get("none_fits"))
    story = Story(
        outcome=Outcome(job.outcome or Outcome.NOT_FOUND),
        source=source,
        ranking=[Ranked(each.label, each.score) for each in candidates],
        searched=[Searched(**each) for each in detected.get("searched", [])],
        ambiguous=classified["ambiguous"],
        none_fits=none_fits,
    )
    return ResultDocument(
        outcome=story.outcome,
        explanation=explain(story),
        none_fits=none_fits,
        main_object=_main_object(candidates, job.label, ambiguous=classified["ambiguous"]),
        candidates=candidates,
        candidate_source=source,
        searched=searched,
        notes=[*classified.get("notes", []), *detected.get("notes", [])],
        instances=[_instance(instance, job.outputs, signer) for instance in job.instances],
        models=[ModelDocument(stage=stage.name, **stage.model) for stage in job.stages if stage.model],
    )


def _main_object(candidates: list[CandidateDocument], label: str | None, *, ambiguous: bool) -> MainObjectDocument:
    """The candidate of this label, the best one where none is."""
    chosen = next((each for each in candidates if each.label == label), candidates[0])
    others = [each.score for each in candidates if each is not chosen]
    margin = chosen.score - max(others) if others else 1.0
    return MainObjectDocument(**chosen.model_dump(), margin=margin, ambiguous=ambiguous)


def _instance(instance: Instance, outputs: Collection[str], signer: UrlSigner) -> InstanceDocument:
    urls = {
        f"{artifact}_url": signer.url(
            artifact_key(instance.job_id, instance.position, artifact),
            f"{instance.job_id}-{instance.position}-{artifact}{artifact.suffix}",
        )
        if artifact in outputs
        else None
        for artifact in Artifact
    }
    return InstanceDocument(
        label=instance.label,
        box=instance.box,
        box_score=instance.box_score,
        mask=MaskDocument(
            rle=instance.rle,
            area=instance.area,
            box=instance.mask_box,
            predicted_iou=instance.predicted_iou,
            stability=instance.stability,
        ),
        polygons=instance.polygons,
        **urls,
    )
