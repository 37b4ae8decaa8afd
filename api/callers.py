"""Who calls: whose jobs a request is about, what it may do, and how much."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.credentials import Credentials, bearer, digest, is_same
from api.errors import Unauthenticated
from api.known_keys import known_keys
from api.quotas import Quotas
from db.api_keys import ADMIN_TENANT, LOCAL_TENANT, Scope
from db.models import ApiKey
from db.settings import settings

NO_SECRET = bytes(32)
"""The digest of nothing that anyone knows."""


@dataclass(frozen=True)
class Caller:
    """The tenant on whose behalf a request comes: it sees its own jobs alone."""

    tenant: str
    scopes: frozenset[str] = frozenset()
    quotas: Quotas = field(default_factory=Quotas)


def caller(request: Request) -> Caller:
    """The caller of this request, who is asked, and whose request is counted, only once.

    Raises `Unauthenticated`, and `QuotaExceeded` for one request too many.
    """
    known: Caller | None = getattr(request.state, "caller", None)
    if known is None:
        known = _identify(request)
        known.quotas.take_request()
        request.state.caller = known
    return known


CallerOf = Annotated[Caller, Depends(caller)]


def _identify(request: Request) -> Caller:
    if not settings().auth:
        return Caller(LOCAL_TENANT, frozenset(Scope))
    sent = bearer(request.headers.getlist("authorization"))
    if _is_admin_key(sent):
        return Caller(ADMIN_TENANT, frozenset({Scope.ADMIN}))
    key = _authenticate(Credentials.read(sent))
    quotas = Quotas(key.id, key.requests_per_minute, key.jobs_in_flight, key.bytes_per_day)
    return Caller(key.tenant, frozenset(key.scopes), quotas)


def _is_admin_key(sent: str) -> bool:
    admin_key = settings().admin_key
    return admin_key is not None and is_same(digest(sent), digest(admin_key.get_secret_value()))


def _authenticate(sent: Credentials) -> ApiKey:
    """The key; an unknown, a wrong and a revoked one take the same way to the same refusal."""
    key = known_keys().get(sent.key_id)
    matches = is_same(sent.sha256(), key.secret_sha256 if key else NO_SECRET)
    if key is None or key.revoked_at is not None or not matches:
        raise Unauthenticated
    return key
