"""What a caller sends to prove itself, as text: `mm_<the key's id>_<its secret>`."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from api.errors import Unauthenticated

SECRET_BYTES = 32
# All of it is one word to a double click.
KEY = re.compile(r"mm_([0-9a-f]{32})_([0-9a-f]{64})")


@dataclass(frozen=True)
class Credentials:
    """A key's two halves."""

    key_id: UUID
    secret: str = field(repr=False)

    def __str__(self) -> str:
        """What the caller sends."""
        return f"mm_{self.key_id.hex}_{self.secret}"

    def sha256(self) -> bytes:
        """What is stored of the secret. It is random and long, so that it needs neither salt nor a slow hash."""
        return digest(self.secret)

    @classmethod
    def new(cls, key_id: UUID) -> "Credentials":
        """A new secret for this id."""
        return cls(key_id, secrets.token_hex(SECRET_BYTES))

    @classmethod
    def read(cls, text: str) -> "Credentials":
        """Raises `Unauthenticated` for what isn't written as a key is."""
        found = KEY.fullmatch(text)
        if not found:
            raise Unauthenticated
        return cls(UUID(found[1]), found[2])


def bearer(authorization: Sequence[str]) -> str:
    """What the request's one `Authorization: Bearer …` holds; raises `Unauthenticated` for anything else.

    Two of them are refused: which one counts, a proxy in front may see otherwise.
    """
    if len(authorization) != 1:
        raise Unauthenticated
    scheme, _, text = authorization[0].partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise Unauthenticated
    return text


def digest(text: str) -> bytes:
    """SHA-256. Secrets are compared by it: digests have one length, whatever has been sent."""
    return hashlib.sha256(text.encode()).digest()


def is_same(one: bytes, other: bytes) -> bool:
    """Compares in a time that doesn't tell where they differ."""
    return hmac.compare_digest(one, other)
