"""What comes back: judged by its headers before its content is read, and counted while it is."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import httpcore

from db.errors import FetchFailed, FetchTooLarge, FetchUnavailable

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAY_PASS = frozenset({408, 425, 429})
"""What a server answers, besides 5xx, to be asked again later."""

BREAKS = (OSError, httpcore.NetworkError, httpcore.RemoteProtocolError)
"""How a connection fails, its deadline included."""


@dataclass(frozen=True)
class Fetched:
    """What a URL gave."""

    content: bytes
    content_type: str
    """As the server names it; empty where it doesn't."""


@dataclass(frozen=True)
class Answer:
    """What a server said to a request, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case; one that came more than once has its values joined by commas."""
    head: bytes
    """The beginning of its content, as it was sent."""
    duration_seconds: float
    """From before the name was resolved until all this was there."""


def location(response: httpcore.Response) -> bytes | None:
    """Where the answer redirects to; None: it doesn't."""
    found = _values(response, b"location")
    return found[0] if found and response.status in REDIRECTS else None


def fetched(response: httpcore.Response, maximum_bytes: int) -> Fetched:
    """Read the whole content.

    Raises:
        FetchFailed, FetchTooLarge, FetchUnavailable: there is none to be had, or too much of it.
    """
    _check(response, maximum_bytes)
    content = bytearray()
    for chunk in response.iter_stream():
        content += chunk
        if len(content) > maximum_bytes:
            raise FetchTooLarge(maximum_bytes)
    return Fetched(bytes(content), headers(response).get("content-type", ""))


def headers(response: httpcore.Response) -> dict[str, str]:
    """The answer's headers, as `Answer` has them."""
    found: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def head(response: httpcore.Response, maximum_bytes: int) -> bytes:
    """The beginning of the content, or what of it came before the deadline or the connection's end."""
    content = bytearray()
    # The status is known: that the rest is missing doesn't undo what the request has done.
    with suppress(*BREAKS):
        for chunk in response.iter_stream():
            content += chunk
            if len(content) >= maximum_bytes:
                break
    return bytes(content[:maximum_bytes])


def _check(response: httpcore.Response, maximum_bytes: int) -> None:
    if response.status >= 500 or response.status in MAY_PASS:
        raise FetchUnavailable(f"it answers {response.status}")
    if response.status != 200:
        raise FetchFailed(f"it answers {response.status}")
    if any(value.strip().lower() not in {b"", b"identity"} for value in _values(response, b"content-encoding")):
        raise FetchFailed("its answer is compressed, which wasn't asked for")
    # That it is a number, and but one, the protocol's parser has seen to.
    if any(int(value) > maximum_bytes for value in _values(response, b"content-length")):
        raise FetchTooLarge(maximum_bytes)


def _values(response: httpcore.Response, name: bytes) -> list[bytes]:
    return [value for found, value in response.headers if found.lower() == name]
