"""TCP and TLS to addresses that were checked; every wait within the request's deadline."""

import socket
import ssl
from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import Self

import httpcore

from worker.outgoing.addresses import Address
from worker.outgoing.deadline import Deadline

ADDRESSES_TRIED = 4
"""A caller's name may resolve to hundreds, which are no business of ours to knock at."""


def connect(addresses: Sequence[Address], port: int, deadline: Deadline) -> socket.socket:
    """A connection to the first of these addresses, at least one, that takes it.

    Raises:
        OSError: none did; with TimeoutError, the last one in its share of the time that remained.
    """
    tried = addresses[:ADDRESSES_TRIED]
    for position, address in enumerate(tried, start=1):
        # One that is silent leaves the others their time.
        share_seconds = deadline.remaining_seconds() / (len(tried) - position + 1)
        try:
            return _connected(address, port, share_seconds)
        except OSError:
            if position == len(tried):
                raise
    raise ValueError("There is no address to connect to.")


def _connected(address: Address, port: int, timeout_seconds: float) -> socket.socket:
    # No library's connect, which would take a name as well: this takes an address, so nothing is resolved again.
    family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_seconds)
        connection.connect((str(address), port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


class Stream(httpcore.NetworkStream):
    """One connection for httpcore, whose own timeouts hold for a single read or write and are ignored here."""

    def __init__(self, connection: socket.socket, deadline: Deadline, maximum_bytes: int) -> None:
        """At most `maximum_bytes` are read, framing and headers with them."""
        self._connection = connection
        self._deadline = deadline
        self._remaining_bytes = maximum_bytes

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - httpcore's interface
        """What has come, at most `max_bytes`; nothing at the end.

        Raises:
            OSError: the connection broke; with TimeoutError, at the deadline.
            httpcore.RemoteProtocolError: more came than an honest answer needs.
        """
        self._connection.settimeout(self._deadline.remaining_seconds())
        found = self._connection.recv(max_bytes)
        self._remaining_bytes -= len(found)
        if self._remaining_bytes < 0:
            # Headers without end, or a frame around each byte.
            raise httpcore.RemoteProtocolError("The answer is more framing than content.")
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - httpcore's interface
        """Send it all.

        Raises:
            TimeoutError: at the deadline.
            httpcore.WriteError: the connection broke; httpcore looks for an early answer then.
        """
        rest = memoryview(buffer)
        while rest:
            # Not `sendall`: a receiver that takes a byte at a time would get all that time for each of them.
            self._connection.settimeout(self._deadline.remaining_seconds())
            try:
                rest = rest[self._connection.send(rest) :]
            except TimeoutError:
                raise
            except OSError as error:
                raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """Close the connection; also twice."""
        self._connection.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - httpcore's interface
    ) -> Self:
        """Speak TLS from here on.

        Raises:
            OSError: the handshake failed; ssl.SSLCertVerificationError: for its certificate.
        """
        self._connection.settimeout(self._deadline.remaining_seconds())
        # The new socket owns the old one's descriptor; where the handshake fails, it has closed it.
        self._connection = ssl_context.wrap_socket(self._connection, server_hostname=server_hostname)
        return self
