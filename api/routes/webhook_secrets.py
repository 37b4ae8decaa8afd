"""What webhooks are signed with: read it, rotate it."""

from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.callers import CallerOf
from api.guards import needs
from api.problems import responses
from db import signing
from db.api_keys import Scope
from db.models import SigningSecret
from db.session import session_factory
from db.settings import settings

router = APIRouter(prefix="/v1/webhook-secrets", tags=["webhooks"])

# Not for keys that only read: whoever has a secret can sign, and be taken for this service by its owner's receivers.
GUARDS = [needs(Scope.JOBS_WRITE)]


class SecretDocument(BaseModel):
    """One signing secret."""

    id: UUID = Field(description="No secret.")
    secret: str = Field(description="As the Standard Webhooks libraries take it.", examples=["whsec_C2FVsBQIhrscChlQ"])
    created_at: datetime = Field(description="Since when it signs.")
    expires_at: datetime | None = Field(description="Until when it signs; null for the newest one.")


class SecretList(BaseModel):
    """All secrets that sign now, the newest first: one, or two for a time after a rotation."""

    secrets: list[SecretDocument] = Field(description="Each webhook is signed with all of them.")


@router.get("", dependencies=GUARDS, responses=responses(HTTPStatus.SERVICE_UNAVAILABLE))
def list_webhook_secrets(caller: CallerOf, response: Response) -> SecretList:
    """Your signing secrets. The first one is made when it is first asked for."""
    with session_factory().begin() as session:
        return _list(signing.valid(session, caller.tenant), response)


@router.post(
    "", status_code=HTTPStatus.CREATED, dependencies=GUARDS, responses=responses(HTTPStatus.SERVICE_UNAVAILABLE)
)
def rotate_webhook_secrets(caller: CallerOf, response: Response) -> SecretList:
    """Get a new secret. The one before it signs, too, for another day, so that receivers can change over.

    No more than two sign at once: should there be two already, the older one ends now.
    """
    overlap = timedelta(hours=settings().webhook_secret_overlap_hours)
    with session_factory().begin() as session:
        return _list(signing.rotate(session, caller.tenant, overlap), response)


def _list(found: list[SigningSecret], response: Response) -> SecretList:
    response.headers["Cache-Control"] = "no-store"
    return SecretList(secrets=[SecretDocument.model_validate(secret, from_attributes=True) for secret in found])
