"""An id for each request, in its answer and in every line that is logged on its behalf."""

import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from db import tracing

HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What a proxy in front may have chosen; anything else could forge lines of the log."""


class RequestIds:
    """ASGI middleware, around all others."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its id: the one that it came with, or a new one."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if SANE.fullmatch(given) else uuid.uuid4().hex

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        scope.setdefault("state", {})["request_id"] = request_id
        # For good: the server runs each request in a context of its own, in which it logs what was not caught.
        bind_contextvars(request_id=request_id)
        tracing.bind_log()
        await self._app(scope, receive, marked)
