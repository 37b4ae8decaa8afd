"""Is the process alive, and can it serve?"""

import logging
from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from db import messages, session
from db.storage import object_store

logger = logging.getLogger(__name__)
router = APIRouter(tags=["health"])


class Readiness(BaseModel):
    """Which of the servers behind the API answer."""

    ready: bool = Field(description="Jobs are accepted.")
    degraded: bool = Field(description="Jobs are accepted, but don't run until Redis is back.")
    checks: dict[str, bool] = Field(
        description="Which answers.", examples=[{"database": True, "storage": True, "redis": True}]
    )


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={int(HTTPStatus.SERVICE_UNAVAILABLE): {"model": Readiness}})
def readyz(response: Response) -> Readiness:
    """200 when jobs are accepted: Postgres and S3 answer. Without Redis they wait, and the body says so."""
    checks = {name: _answers(name, ping) for name, ping in PINGS.items()}
    ready = checks["database"] and checks["storage"]
    if not ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Readiness(ready=ready, degraded=ready and not checks["redis"], checks=checks)


def _ping_database() -> None:
    with session.session_factory()() as opened:
        session.ping(opened)


PINGS: dict[str, Callable[[], None]] = {
    "database": _ping_database,
    "redis": messages.ping,
    "storage": lambda: object_store().ping(),
}


def _answers(name: str, ping: Callable[[], None]) -> bool:
    try:
        ping()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it isn't ready
        logger.warning("%s does not answer: %s", name, error)
        return False
    return True
