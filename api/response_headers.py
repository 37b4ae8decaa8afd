"""What the OpenAPI document says of the answers' headers."""

from typing import Any

_STRING, _SECONDS = {"type": "string"}, {"type": "integer", "minimum": 0}
_HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {
        "description": "Of what it is as it stands: send it as `If-None-Match`, and what is unchanged is answered 304.",
        "schema": _STRING,
    },
    "Idempotent-Replayed": {
        "description": "`true` where this is the first answer to the same `Idempotency-Key`, given again.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Location": {"description": "Where what was made is found.", "schema": _STRING},
    "Preference-Applied": {
        "description": "`wait=N`: how long the answer was waited for at most, where it was asked for.",
        "schema": _STRING,
    },
    "Retry-After": {"description": "In so many seconds it is worth asking again.", "schema": _SECONDS},
    "WWW-Authenticate": {"description": "`Bearer`.", "schema": _STRING},
}


def documented(*names: str) -> dict[str, Any]:
    """For a response in a route's `responses`."""
    return {"headers": {name: _HEADERS[name] for name in names}}
