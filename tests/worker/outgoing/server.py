"""A server on one loopback address that keeps what it is sent, and answers byte for byte as a test says."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

CERTIFICATE = Path(__file__).with_name("pictures.example.pem")
SILENCE_SECONDS = 10
"""When a server stops waiting for a client that has forgotten it."""

Answering = Callable[[socket.socket], None]


def answer(
    content: bytes = b"", status: int = 200, *, headers: tuple[str, ...] = (), length: int | None = None
) -> Answering:
    """A whole answer; its `Content-Length` is true if no other is given."""
    lines = [
        f"HTTP/1.1 {status} Any",
        f"Content-Length: {len(content) if length is None else length}",
        *headers,
        "",
        "",
    ]
    return raw("\r\n".join(lines).encode() + content)


def redirect(location: str, status: int = 302) -> Answering:
    """A redirect to there."""
    return answer(b"elsewhere", status, headers=(f"Location: {location}",))


def raw(data: bytes) -> Answering:
    """These bytes, and then the connection's end."""
    return lambda connection: connection.sendall(data)


def endless(beginning: bytes, again: bytes) -> Answering:
    """Bytes for as long as they are taken."""

    def send(connection: socket.socket) -> None:
        connection.sendall(beginning)
        while True:
            connection.sendall(again)

    return send


def dripping(beginning: bytes, pause_seconds: float = 0.05) -> Answering:
    """A byte now and then."""

    def send(connection: socket.socket) -> None:
        connection.sendall(beginning)
        pause = threading.Event()
        while not pause.wait(pause_seconds):
            connection.sendall(b"x")

    return send


def holding(beginning: bytes = b"") -> Answering:
    """These bytes, and then nothing until the client goes."""

    def send(connection: socket.socket) -> None:
        connection.sendall(beginning)
        connection.recv(1)

    return send


class Server:
    """Serves from its making to the end of its `with` block; each connection is for one request."""

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, *, tls: bool = False, read: bool = True, greet: bool = True
    ) -> None:
        """With `read` false it never reads, and with `greet` false it speaks no TLS where it should."""
        self.answers: dict[str, Answering] = {}
        """By path; what isn't here gets 200 and `picture`."""
        self.requests: list[bytes] = []
        """Each as it was sent: head and content."""
        self.names: list[str | None] = []
        """The server names that TLS clients asked for."""
        self._read = read
        self._peers: list[object] = []
        self._accepted = threading.Condition()
        self._tls = _tls_context(self.names) if tls and greet else None
        self._greet = greet
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family)
        self.host = host
        self.port = int(self._listener.getsockname()[1])
        self._serving = threading.Thread(target=self._serve, daemon=True)
        self._serving.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone doesn't wake the thread that accepts, and the port stays taken for as long as it waits.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._serving.join()
        self._listener.close()

    def connections(self) -> int:
        """How many there were before this call: the listener takes them in turn, so none can still be on its way."""
        with socket.create_connection((self.host, self.port)) as knock:
            name = knock.getsockname()
            with self._accepted:
                assert self._accepted.wait_for(lambda: name in self._peers, timeout=SILENCE_SECONDS)
                count = self._peers.index(name)
                self._peers.remove(name)
                return count

    def _serve(self) -> None:
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            with self._accepted:
                self._peers.append(peer)
                self._accepted.notify_all()
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        # A client that goes at once is what many tests are about.
        with suppress(OSError), connection:
            connection.settimeout(SILENCE_SECONDS)
            if not self._read:
                threading.Event().wait(SILENCE_SECONDS)
            if not self._greet:
                connection.recv(1 << 16)
                connection.recv(1)
            if self._tls is None:
                self._answer(connection)
                return
            with self._tls.wrap_socket(connection, server_side=True) as secure:
                self._answer(secure)

    def _answer(self, connection: socket.socket) -> None:
        if request := _request(connection):
            self.requests.append(request)
            path = request.split(b" ", 2)[1].decode()
            self.answers.get(path, answer(b"picture", headers=("Content-Type: image/png",)))(connection)


def _request(connection: socket.socket) -> bytes:
    """One whole request, or nothing."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(1 << 16)
        if not more:
            return b""
        data += more
    head, _, content = data.partition(b"\r\n\r\n")
    lengths = [line[16:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: ")]
    while lengths and len(content) < int(lengths[0]):
        content += connection.recv(1 << 16)
    return head + b"\r\n\r\n" + content


def _tls_context(names: list[str | None]) -> ssl.SSLContext:
    def keep(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        names.append(name)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    context.sni_callback = keep
    return context
