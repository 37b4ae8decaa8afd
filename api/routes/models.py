"""Which models there are, which of them answer here, and what their licences allow."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.guards import GuardedRoute, needs
from db import loaded_profiles
from db.api_keys import Scope
from db.catalog import CHECKPOINTS
from db.checkpoints import Checkpoint
from db.models import JSON
from db.profiles import PROFILES
from db.session import session_factory
from db.settings import settings
from db.states import StageName

router = APIRouter(prefix="/v1/models", tags=["models"], route_class=GuardedRoute)


class ModelDetails(BaseModel):
    """One model of the table."""

    name: str = Field(description="What a job's `models` calls it.", examples=["google/owlv2-base-patch16-ensemble"])
    stage: StageName
    kind: str = Field(description="The model's class.")
    source: str = Field(description="Where its files come from.")
    source_revision: str | None = Field(
        description="The hub's commit that a worker has; while none is known, what a pull asks the hub for. "
        "Null where its files are of no hub.",
        examples=["main"],
    )
    sha256: str | None = Field(
        description="Of its weights, as the table has it; null for those of the hub, "
        "which are compared with what the hub tells when they are pulled."
    )
    license: str = Field(description="SPDX identifier.", examples=["Apache-2.0"])
    commercial_use: bool = Field(description="Whether the licence allows it.")
    parameters: int = Field(description="How many weights it has.")
    input_pixels: int = Field(description="The longer side of what it looks at.")
    remark: str = Field(description="What else is worth knowing; often empty.")
    default: bool = Field(description="It answers here where a job names no other one.")
    lent: bool = Field(description="A job may name it in `models`.")
    ready: bool = Field(description="A worker that was heard of within the last minute has it, whole.")
    revision: str | None = Field(description="The beginning of its weights' SHA-256, as a worker has them.")


class ModelTable(BaseModel):
    """All models that mainmask knows, and what this service makes of them."""

    profile: str = Field(description="The one that answers here.")
    profiles: dict[str, dict[StageName, str]] = Field(description="The models that go together, by stage.")
    models: list[ModelDetails] = Field(description="All that there are, offered here or not.")


@router.get("", dependencies=[needs(Scope.JOBS_READ)])
def list_models() -> ModelTable:
    """The table of models; those with `default` or `lent` are offered here."""
    with session_factory()() as session:
        loaded = loaded_profiles.present(session, settings().profile)
        cards = [*loaded.models.values(), *loaded.lent.values()] if loaded else []
    ready = {card["name"]: card for card in cards}
    return ModelTable(
        profile=settings().profile,
        profiles={name: {stage: getattr(profile, stage) for stage in StageName} for name, profile in PROFILES.items()},
        models=[_details(checkpoint, ready.get(name)) for name, checkpoint in CHECKPOINTS.items()],
    )


def _details(checkpoint: Checkpoint, card: JSON | None) -> ModelDetails:
    return ModelDetails(
        name=checkpoint.name,
        stage=checkpoint.stage,
        kind=checkpoint.kind,
        source=checkpoint.origin,
        source_revision=(card or {}).get("source_revision") or checkpoint.source_revision,
        sha256=checkpoint.sha256,
        license=checkpoint.license.id,
        commercial_use=checkpoint.license.commercial_use,
        parameters=checkpoint.parameters,
        input_pixels=checkpoint.input_pixels,
        remark=checkpoint.remark,
        default=checkpoint == settings().checkpoints[checkpoint.stage],
        lent=checkpoint.name in settings().lent_checkpoints,
        ready=card is not None,
        revision=card["revision"] if card else None,
    )
