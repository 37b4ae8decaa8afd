"""The FastAPI application: `uvicorn api.app:create_app --factory`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import Scope

from api import problems
from api.body_limit import BodyLimit
from api.changes import watching
from api.introduction import DESCRIPTION, TAGS
from api.pace import PaceKeeper
from api.request_ids import RequestIds
from api.request_metrics import RequestMetrics
from api.routes import (
    batches,
    deliveries,
    documentation,
    health,
    home,
    jobs,
    keys,
    metrics,
    models,
    uploads,
    webhook_secrets,
)
from api.security_headers import SecurityHeaders
from db import logs, tracing
from db.settings import settings

# The longest body is a JSON one: base64 is a third longer than the image, and the other fields need some room.
BASE64_GROWTH = 4 / 3
OTHER_FIELDS_BYTES = 256 * 1024

WATCHED = frozenset({"/healthz", "/readyz", "/metrics"})


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.pace = PaceKeeper()
    async with watching() as app.state.changes:
        yield


def _is_watching(scope: Scope) -> bool:
    """Whether the request is a probe's or Prometheus': one every few seconds, and no news."""
    return scope["path"] in WATCHED


TELEMETRY: TelemetryConfig = {
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
    "exclude": _is_watching,
}
"""Spans of requests, to the process's own collector. Metrics and logs have ways of their own."""


def create_app() -> FastAPI:
    """Build the application from the process's settings."""
    logs.configure()
    tracing.configure("api")
    app = FastAPI(
        lifespan=_lifespan,
        title="mainmask",
        version=version("mainmask"),
        summary="A picture and some words in, the precise mask of the picture's main object out.",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        # Clients are generated from these names.
        generate_unique_id_function=lambda route: route.name,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings().pages else None,
        telemetry=TELEMETRY,
    )
    if settings().pages:
        home.install(app)
        documentation.install(app)
    for guarded in (deliveries, webhook_secrets, jobs, batches, uploads, models, keys):
        app.include_router(guarded.router, responses=problems.responses(*problems.GUARDED))
    app.include_router(health.router, responses=problems.responses(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
    app.include_router(metrics.router)
    problems.install(app)
    maximum_bytes = int(settings().maximum_image_bytes * BASE64_GROWTH) + OTHER_FIELDS_BYTES
    app.add_middleware(BodyLimit, maximum_bytes=maximum_bytes)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestMetrics)
    app.add_middleware(RequestIds)
    return app
