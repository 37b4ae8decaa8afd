"""The ceiling on request bodies, kept before anything parses them."""

from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import BodyTooLarge
from api.problems import problem_response


class BodyLimit:
    """ASGI middleware: refuses by `Content-Length` at once, and counts what streams without one."""

    def __init__(self, app: ASGIApp, maximum_bytes: int) -> None:
        self._app = app
        self._maximum_bytes = maximum_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._maximum_bytes:
            error = BodyTooLarge("request", self._maximum_bytes)
            response = problem_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error.code, str(error))
            await response(scope, receive, send)
            return
        await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        received_bytes = 0

        async def counted() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > self._maximum_bytes:
                raise BodyTooLarge("request", self._maximum_bytes)
            return message

        return counted
