"""A key as the service describes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Key:
    """What a caller proves itself with, without its secret. A quota that is None is no limit."""

    id: str
    name: str
    tenant: str
    """Whose jobs it sees; keys of one tenant see the same."""
    scopes: tuple[str, ...]
    requests_per_minute: int | None
    jobs_in_flight: int | None
    bytes_per_day: int | None
    created_at: datetime
    revoked_at: datetime | None
    document: Mapping[str, Any] = field(repr=False, compare=False)
    """All that the service said; of a created key this holds the key itself, too."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read a key document.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        return cls(**_fields(document))


@dataclass(frozen=True, kw_only=True)
class CreatedKey(Key):
    """A new key. What it is, is said this once."""

    key: str = field(repr=False)
    """What to send, mm_…"""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read the document of a new key; raises as of any key."""
        return cls(**_fields(document), key=document["key"])


def _fields(document: Mapping[str, Any]) -> dict[str, Any]:
    revoked_at = document["revoked_at"]
    return {
        **{
            name: document[name]
            for name in ("id", "name", "tenant", "requests_per_minute", "jobs_in_flight", "bytes_per_day")
        },
        "scopes": tuple(document["scopes"]),
        "created_at": datetime.fromisoformat(document["created_at"]),
        "revoked_at": datetime.fromisoformat(revoked_at) if revoked_at else None,
        "document": document,
    }
