"""A server that plays the Hugging Face hub, and any other site that a mirror stands for, with their bad days."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What it holds, and how it misbehaves."""

    url: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    """By path: what other sites have."""
    breaks_after: list[int] = field(default_factory=list)
    """After how many bytes of a body the next connections break."""
    answers: list[int] = field(default_factory=list)
    """Statuses that the next requests for files get instead."""
    content_type: str = "application/octet-stream"
    knows_ranges: bool = True
    is_endless: bool = False
    """It sends files over and over, and doesn't say how long they are."""
    lists: bytes | None = None
    """What it answers instead of a repository's list."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range of each request."""
    sent_bytes: int = 0

    def listing(self, repository: str) -> bytes:
        """As of the hub's API, with sizes, and checksums of what it stores apart from git."""
        siblings = [
            {"rfilename": name, "size": len(data), "blobId": _git_blob(data), **_lfs(name, data)}
            for name, data in self.repositories[repository].items()
        ]
        return json.dumps({"id": repository, "sha": COMMIT, "siblings": siblings}).encode()

    def find(self, path: str) -> bytes | None:
        """The file at this path of the hub or of another site."""
        for repository, files in self.repositories.items():
            name = path.removeprefix(f"/{repository}/resolve/{COMMIT}/")
            if name != path:
                return files.get(name)
        return self.files.get(path)


def _git_blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _lfs(name: str, data: bytes) -> dict[str, object]:
    if not name.endswith((".safetensors", ".bin")):
        return {}
    return {"lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}}


class Server(ThreadingHTTPServer):
    """Serves a hub on a port of its own."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hub = Hub(f"http://127.0.0.1:{self.server_port}")


class Handler(BaseHTTPRequestHandler):
    """Answers for the hub that its server belongs to."""

    @property
    def hub(self) -> Hub:
        return cast("Server", self.server).hub

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.hub.requests.append((path, self.headers.get("range", "")))
        if path.startswith("/api/models/"):
            self.list_repository(path.removeprefix("/api/models/").partition("/revision/")[0])
            return
        data = self.hub.find(path)
        if self.hub.answers:
            self.send_error(self.hub.answers.pop(0))
        elif data is None:
            self.send_error(404)
        else:
            self.send_file(data)

    def list_repository(self, repository: str) -> None:
        if self.hub.lists is None and repository not in self.hub.repositories:
            self.send_error(404)
            return
        body = self.hub.listing(repository) if self.hub.lists is None else self.hub.lists
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_file(self, data: bytes) -> None:
        asked = self.headers.get("range", "") if self.hub.knows_ranges else ""
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        beyond = bool(asked) and start >= len(data)
        self.send_response(416 if beyond else 206 if asked else 200)
        if asked:
            span = "*" if beyond else f"{start}-{len(data) - 1}"
            self.send_header("content-range", f"bytes {span}/{len(data)}")
        self.send_header("content-type", self.hub.content_type)
        if self.hub.is_endless:
            self.end_headers()
            self.send_without_end(data)
            return
        self.send_header("content-length", str(max(0, len(data) - start)))
        self.end_headers()
        body = data[start:]
        if self.hub.breaks_after:
            body = body[: self.hub.breaks_after.pop(0)]
            self.close_connection = True
        # Counted first: whoever has the last byte may look at once.
        self.hub.sent_bytes += len(body)
        self.wfile.write(body)

    def send_without_end(self, data: bytes) -> None:
        with suppress(ConnectionError):
            while True:
                self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing: the tests look at the requests."""


@contextmanager
def serving() -> Iterator[Hub]:
    """The server on a port of its own, for this block."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
