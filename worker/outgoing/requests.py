"""What is sent: the client's own headers, and those that its user adds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpcore

from worker.outgoing.destinations import Destination

OWN_HEADERS = {
    "User-Agent": "mainmask (+https://mainmask.dev)",
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # a few bytes that unpack to gigabytes are refused, so they aren't asked for
    "Connection": "close",
}
FIXED_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""They decide what is a request, and for whom: never anybody else's to set."""
NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?")


@dataclass(frozen=True)
class Request:
    """All of a request but where it goes."""

    method: str
    maximum_bytes: int
    """Of the answer's content."""
    tenant: str | None = None
    """On whose behalf it is made: lookups are shared out between tenants."""
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError: a header is malformed, or not for its user to set."""
        for name, value in self.headers.items():
            if name.lower() in FIXED_HEADERS or not NAME.fullmatch(name) or not VALUE.fullmatch(value):
                # Without the value, which may be a secret.
                raise ValueError(f"The header {name!r} is malformed, or may not be set.")

    def to(self, destination: Destination) -> httpcore.Request:
        """The whole request."""
        given = {name.lower() for name in self.headers}
        headers = {
            "Host": destination.authority,
            **{name: value for name, value in OWN_HEADERS.items() if name.lower() not in given},
            **self.headers,
        }
        if self.method == "POST":
            headers["Content-Length"] = str(len(self.content))
        return httpcore.Request(
            self.method,
            httpcore.URL(
                scheme=destination.scheme, host=destination.host, port=destination.port, target=destination.target
            ),
            headers=list(headers.items()),
            content=self.content,
        )
