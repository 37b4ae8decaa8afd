"""Who calls."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

LOCAL_TENANT = "local"


@dataclass(frozen=True)
class Caller:
    """The tenant on whose behalf a request comes: it sees its own jobs alone."""

    tenant: str


def caller() -> Caller:
    """The caller of this request."""
    return Caller(LOCAL_TENANT)


CallerOf = Annotated[Caller, Depends(caller)]
