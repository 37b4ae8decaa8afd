"""Make, list and revoke keys."""

import re
from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from uuid_utils.compat import uuid7

from api.credentials import Credentials
from api.guards import GuardedRoute, needs
from api.ids import KeyId
from api.known_keys import known_keys
from api.problems import responses
from db import api_keys
from db.api_keys import Scope
from db.models import ApiKey
from db.session import session_factory

router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=GuardedRoute)

TENANT = r"^[a-z0-9][a-z0-9._-]{0,63}$"
Tenant = Annotated[str, StringConstraints(pattern=TENANT)]
# One line, without control characters, that doesn't begin with a space.
Name = Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$")]


def _check_is_no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number is wanted")
    return value


# Pydantic takes true for 1, which the schema doesn't say.
IsNoBoolean = BeforeValidator(_check_is_no_boolean)
# The bounds stand on the number, not on the optional: only there do they reach the schema.
RequestsPerMinute = Annotated[int, Field(ge=1, le=100_000), IsNoBoolean]
JobsInFlight = Annotated[int, Field(ge=1, le=1_000_000), IsNoBoolean]
BytesPerDay = Annotated[int, Field(ge=1, le=2**50), IsNoBoolean]


class KeyFields(BaseModel):
    """What a key is for."""

    name: Name = Field(description="For people.", examples=["The shop's back end"])
    tenant: Tenant | None = Field(
        None,
        description="Whose jobs the key sees. Keys of one tenant see the same. Left out, it is made of the name.",
        examples=["the-shop-s-back-end"],
    )
    scopes: list[Scope] = Field(
        [Scope.JOBS_READ, Scope.JOBS_WRITE], min_length=1, description="What may be done with it."
    )
    requests_per_minute: RequestsPerMinute | None = Field(None, description="More are answered 429.")
    jobs_in_flight: JobsInFlight | None = Field(None, description="How many of its tenant's jobs may not have ended.")
    bytes_per_day: BytesPerDay | None = Field(None, description="Of submissions, and the uploads they name.")


class NewKey(KeyFields):
    """A key to be made. A quota that is left out, or null, is no limit."""

    model_config = ConfigDict(extra="forbid")


class KeyDocument(KeyFields):
    """A key, without its secret."""

    id: UUID = Field(description="To revoke it by. It is part of the key, and no secret.")
    tenant: str = Field(description="Whose jobs the key sees.", examples=["the-shop-s-back-end"])
    created_at: datetime = Field(description="When it was made.")
    revoked_at: datetime | None = Field(description="Since when it is refused; null while it is good.")


class CreatedKeyDocument(KeyDocument):
    """A key with its secret, which is shown this once."""

    key: str = Field(description="What to send: `Authorization: Bearer mm_…`", examples=["mm_019aaf0e…_5c1f…"])


class KeyPage(BaseModel):
    """Some keys, the newest first."""

    keys: list[KeyDocument] = Field(description="The revoked ones, too.")
    next: UUID | None = Field(description="Send it as `before` for the next page; null on the last.")


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    dependencies=[needs(Scope.ADMIN)],
    responses=responses(HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
)
def create_key(new: NewKey, response: Response) -> CreatedKeyDocument:
    """Make a key. This answer alone holds it whole: only a hash of it is kept."""
    credentials = Credentials.new(uuid7())
    key = ApiKey(
        id=credentials.key_id,
        tenant=new.tenant or slug(new.name) or f"tenant-{credentials.key_id.hex}",
        name=new.name,
        secret_sha256=credentials.sha256(),
        scopes=list(dict.fromkeys(new.scopes)),
        requests_per_minute=new.requests_per_minute,
        jobs_in_flight=new.jobs_in_flight,
        bytes_per_day=new.bytes_per_day,
    )
    with session_factory().begin() as session:
        api_keys.add(session, key, new_tenant=new.tenant is None)
        session.refresh(key)
    response.headers["Cache-Control"] = "no-store"
    return CreatedKeyDocument(**key_document(key).model_dump(), key=str(credentials))


@router.get("", dependencies=[needs(Scope.ADMIN)], responses=responses(HTTPStatus.UNPROCESSABLE_ENTITY))
def list_keys(
    before: Annotated[UUID | None, Query(description="Only keys older than this one.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="How many on a page.")] = 20,
) -> KeyPage:
    """All tenants' keys, the newest first, the revoked ones too."""
    with session_factory()() as session:
        found = api_keys.page(session, before=before, limit=limit + 1)
    listed = [key_document(key) for key in found[:limit]]
    return KeyPage(keys=listed, next=listed[-1].id if len(found) > limit else None)


@router.delete(
    "/{key_id}",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies=[needs(Scope.ADMIN)],
    responses=responses(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
def revoke_key(key_id: KeyId) -> None:
    """End the key, within seconds everywhere. Its tenant's jobs stay, and so does its place in the list."""
    with session_factory().begin() as session:
        api_keys.revoke(session, key_id)
    known_keys().forget(key_id)


def key_document(key: ApiKey) -> KeyDocument:
    """All but the secret's hash."""
    return KeyDocument.model_validate(key, from_attributes=True)


def slug(name: str) -> str:
    """The name in a tenant's letters; empty when none of it is."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64]
