"""What callers write, so that Postgres can keep it: JSON can say more than a `text` or `jsonb` column holds."""

import json
import math
import re
from typing import Annotated, Any

from pydantic import AfterValidator

from db.settings import settings

MOST_NESTED = 32
"""Levels of metadata: what reads and writes JSON recurses."""
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def check_text(text: str) -> str:
    """The text; raises `ValueError` where it holds a NUL or half a surrogate pair."""
    if UNSTORABLE.search(text):
        raise ValueError("a text may hold neither the character NUL nor half a surrogate pair")
    return text


def check_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """The metadata; raises `ValueError` where they are too large, too deep, or hold what can't be kept."""
    maximum = settings().maximum_metadata_bytes
    too_large = ValueError(f"metadata has at most {maximum} bytes as JSON")
    level: list[Any] = [metadata]
    depth = parts = 0
    while level:
        depth, parts = depth + 1, parts + len(level)
        if depth > MOST_NESTED:
            raise ValueError(f"metadata are at most {MOST_NESTED} levels deep")
        if parts > maximum:  # each is a byte at the least
            raise too_large
        level = [inner for value in level for inner in _checked_parts(value)]
    if len(json.dumps(metadata)) > maximum:
        raise too_large
    return metadata


def _checked_parts(value: Any) -> list[Any]:
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is too large")  # 1e400 is JSON, and infinite once read
    elif isinstance(value, dict):
        return [*value, *value.values()]
    elif isinstance(value, list):
        return value
    return []


Text = Annotated[str, AfterValidator(check_text)]
Metadata = Annotated[dict[str, Any], AfterValidator(check_metadata)]
