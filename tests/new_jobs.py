"""Jobs as the API makes them."""

from typing import Any

from uuid_utils.compat import uuid7

from db.new_jobs import NewJob


def new_job(**values: Any) -> NewJob:
    """A job of a small picture, with whatever a test wants different."""
    defaults: dict[str, Any] = {
        "id": uuid7(),
        "tenant": "local",
        "profile": "tiny",
        "image_sha256": "0" * 64,
        "image_width": 64,
        "image_height": 48,
        "image_bytes": 99,
    }
    if not values.get("labels"):
        defaults["description"] = "a cat"
    return NewJob(**(defaults | values))
