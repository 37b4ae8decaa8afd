"""The `Idempotency-Key` header: a request that is sent again does nothing again."""

from typing import Annotated

from fastapi import Header
from pydantic import StringConstraints

from db import idempotency
from db.session import session_factory

IdempotencyKey = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")] | None,
    Header(
        description="Any text of your own. A request that comes again with the same key and the same content gets the "
        "first one's answer, however often and whenever within a day; with other content it is refused."
    ),
]


def is_known(tenant: str, key: str | None) -> bool:
    """Whether a request of the tenant's with this key was answered before."""
    if not key:
        return False
    with session_factory()() as session:
        return idempotency.find(session, tenant, key) is not None
