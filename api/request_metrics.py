"""Requests, counted by route and timed until their answers begin."""

import time
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db import metrics

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NONE = "none"
"""The route of files, and of what no route answers; a path would be the caller's own words."""


class RequestMetrics:
    """ASGI middleware, around all others: what they refuse is counted, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and look at when its answer begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arrived = time.perf_counter()
        is_answered = False

        async def timed(message: Message) -> None:
            nonlocal is_answered
            if message["type"] == "http.response.start" and not is_answered:
                is_answered = True
                _count(scope, message["status"], time.perf_counter() - arrived)
            await send(message)

        try:
            await self._app(scope, receive, timed)
        except Exception:
            if not is_answered:  # it will be, by what is around this
                _count(scope, HTTPStatus.INTERNAL_SERVER_ERROR, time.perf_counter() - arrived)
            raise


def _count(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", NONE) or NONE
    method = scope["method"] if scope["method"] in METHODS else "other"
    metrics.HTTP_REQUESTS.labels(method, route, status).inc()
    metrics.HTTP_REQUEST_DURATION.labels(route).observe(seconds)
