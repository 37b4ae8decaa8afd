"""Jobs as the API makes them, and instances as workers find them."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from db.models import Instance
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


def new_instance(job_id: UUID, position: int = 0, **values: Any) -> Instance:
    """What a stage found, with these values instead of the usual ones."""
    usual: dict[str, Any] = {
        "label": "square",
        "box": [1.0, 2.0, 3.0, 4.0],
        "box_score": 0.9,
        "mask_box": [1.0, 2.0, 3.0, 4.0],
        "area": 4,
        "predicted_iou": 0.8,
        "stability": 0.7,
        "rle": {"size": [48, 64], "counts": "x"},
        "polygons": [[1.0, 2.0, 3.0, 2.0, 3.0, 4.0]],
    }
    return Instance(job_id=job_id, position=position, **(usual | values))
