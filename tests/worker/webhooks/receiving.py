"""A receiver's side: its requests taken apart, and verified as receivers do."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from standardwebhooks import Webhook

from db import signing
from db.session import session_factory
from tests.worker.outgoing.server import Server

PATH = "/hook"


@dataclass(frozen=True)
class Received:
    """One webhook, as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def webhook_id(self) -> str:
        """The same for every attempt of an event."""
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """Its payload; raises the library's error unless it was signed with this secret."""
        return Webhook(secret).verify(self.body, self.headers)


def received(server: Server, path: str = PATH) -> list[Received]:
    """All that was sent to this path, in order."""
    return [_parsed(request) for request in server.requests if request.startswith(f"POST {path} ".encode())]


def _parsed(request: bytes) -> Received:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
    return Received({name.lower(): value for name, _, value in lines}, body)


def secrets_of(tenant: str) -> list[str]:
    """What its webhooks are signed with, the newest first."""
    with session_factory().begin() as session:
        return [found.secret for found in signing.valid(session, tenant)]


def url(server: Server, path: str = PATH) -> str:
    """Where its webhooks go."""
    return f"http://{server.host}:{server.port}{path}"


def ids(found: list[Received]) -> set[UUID]:
    """The events that were told of."""
    return {UUID(one.webhook_id) for one in found}
