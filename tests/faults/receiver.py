"""The receiver of a site's webhooks: it notes what comes, verifies it, and always answers 204."""

import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from standardwebhooks import Webhook

from mainmask.stack.ports import LOOPBACK


@dataclass(frozen=True)
class Heard:
    """One request. What could not be verified is about nothing."""

    webhook_id: str
    event: str = ""
    job_id: str = ""

    @property
    def is_genuine(self) -> bool:
        """Its signature was right."""
        return bool(self.event)


class Receiver:
    """Listens from its making on; serves within its `with` block."""

    def __init__(self) -> None:
        self.secret = ""
        """What webhooks must be signed with; set it before any comes."""
        self.heard: list[Heard] = []
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler(self))
        self._server.daemon_threads = True
        self.address = f"{LOOPBACK}:{self._server.server_port}"
        self.url = f"http://{self.address}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def hear(self, headers: dict[str, str], body: bytes) -> None:
        """Note a request."""
        heard = Heard(headers.get("webhook-id", ""))
        with suppress(Exception):  # however it is wrong
            payload = Webhook(self.secret).verify(body, headers)
            heard = Heard(heard.webhook_id, payload["type"], payload["data"]["id"])
        self.heard.append(heard)

    def knows(self, job_id: str, event: str) -> bool:
        """Whether it has heard of this, and of nothing else about the job, and always under one id."""
        about = {(heard.event, heard.webhook_id) for heard in list(self.heard) if heard.job_id == job_id}
        return [told for told, _ in about] == [event]

    def forged(self) -> list[Heard]:
        """What was not signed as it must be."""
        return [heard for heard in list(self.heard) if not heard.is_genuine]

    def repeated(self) -> int:
        """How many requests told of what was known already."""
        counts = Counter(heard.webhook_id for heard in list(self.heard))
        return sum(counts.values()) - len(counts)


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Take a webhook."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.hear({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    return Handler
