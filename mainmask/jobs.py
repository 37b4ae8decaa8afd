"""A job as the service describes it: what was asked, how far it is, and what came out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels of the upright image."""

ENDED = frozenset({"succeeded", "failed", "canceled"})


@dataclass(frozen=True)
class Stage:
    """One of the three steps of a job."""

    name: str
    status: str
    """pending, queued, running, succeeded, failed or skipped."""
    attempts: int
    duration_ms: float | None
    error: Mapping[str, Any] | str | None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read it from the job document's `stages`."""
        return cls(
            name=document["name"],
            status=document["status"],
            attempts=document["attempts"],
            duration_ms=document["duration_ms"],
            error=document["error"],
        )


@dataclass(frozen=True)
class JobError:
    """Why a job failed."""

    stage: str
    type: str
    message: str

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read it from the job document's `error`."""
        return cls(stage=document["stage"], type=document["type"], message=document["message"])


@dataclass(frozen=True)
class Candidate:
    """A label that was considered."""

    label: str
    score: float
    """0 to 1; all candidates' scores make 1."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read it from the result's `candidates`."""
        return cls(label=document["label"], score=document["score"])


@dataclass(frozen=True)
class MainObject:
    """The label that suits the image's main object best."""

    label: str
    score: float
    margin: float
    """How far the next best is behind."""
    ambiguous: bool

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read it from the result's `main_object`."""
        return cls(
            label=document["label"],
            score=document["score"],
            margin=document["margin"],
            ambiguous=document["ambiguous"],
        )


@dataclass(frozen=True)
class Instance:
    """One object that was cut out."""

    label: str
    box: Box
    box_score: float
    area: int
    """In pixels."""
    predicted_iou: float
    """SAM's own estimate of how well the mask fits, 0 to 1."""
    stability: float

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read it from the result's `instances`."""
        left, top, right, bottom = document["box"]
        mask = document["mask"]
        return cls(
            label=document["label"],
            box=(left, top, right, bottom),
            box_score=document["box_score"],
            area=mask["area"],
            predicted_iou=mask["predicted_iou"],
            stability=mask["stability"],
        )


@dataclass(frozen=True)
class Result:
    """What came out of a job that succeeded. Finding nothing is a result, too."""

    outcome: str
    """found or not_found."""
    main_object: MainObject | None
    candidates: tuple[Candidate, ...]
    """The best first."""
    instances: tuple[Instance, ...]
    explanation: str = ""
    """How the answer came about, in a line for people."""
    none_fits: bool = False
    """Nothing was found, and the image seems to show something else than any of the candidates."""

    @property
    def found(self) -> bool:
        """Whether there is a mask."""
        return self.outcome == "found"

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read it from the job document's `result`."""
        main_object = document["main_object"]
        return cls(
            outcome=document["outcome"],
            main_object=MainObject.from_document(main_object) if main_object else None,
            candidates=tuple(Candidate.from_document(candidate) for candidate in document["candidates"]),
            instances=tuple(Instance.from_document(instance) for instance in document["instances"]),
            explanation=document.get("explanation", ""),
            none_fits=document.get("none_fits", False),
        )


@dataclass(frozen=True)
class Job:
    """A job at the moment of asking."""

    id: str
    status: str
    """queued, running, succeeded, failed or canceled."""
    created_at: datetime
    finished_at: datetime | None
    stages: tuple[Stage, ...]
    result: Result | None
    error: JobError | None
    reused_from: str | None
    """The job whose answer this one was given, because it asked the same."""
    document: Mapping[str, Any] = field(repr=False, compare=False)
    """All that the service said, also what has no field here: polygons, run-length codes, models, …"""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in ENDED

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read a job document.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        finished_at, result, error = document["finished_at"], document["result"], document["error"]
        return cls(
            id=document["id"],
            status=document["status"],
            created_at=datetime.fromisoformat(document["created_at"]),
            finished_at=datetime.fromisoformat(finished_at) if finished_at else None,
            stages=tuple(Stage.from_document(stage) for stage in document["stages"]),
            result=Result.from_document(result) if result else None,
            error=JobError.from_document(error) if error else None,
            reused_from=document.get("reused_from"),
            document=document,
        )
