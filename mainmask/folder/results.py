"""A picture's files among the results: what they were when they were written, and whether they still are."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainmask import artifacts

URL = "url"
"""What the names of a document's URLs are or end with: presigned, they differ each time that it is asked for."""


def digest(file_name: str, content: bytes) -> str:
    """The SHA-256 of a file's content; of the job's document without its URLs, so that it tells answers apart.

    Raises:
        ValueError: it is to be a document, and is none.
    """
    if file_name == artifacts.DOCUMENT:
        content = json.dumps(_without_urls(json.loads(content)), sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def are_whole(folder: Path, files: Mapping[str, str] | None) -> bool:
    """Whether all of them are in the folder, and what they were; where none were noted, they aren't known to be."""
    if not files:
        return False
    try:
        return all(digest(name, (folder / name).read_bytes()) == expected for name, expected in files.items())
    except (OSError, ValueError):
        return False


def _without_urls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_urls(each) for name, each in value.items() if not _is_url(name)}
    return [_without_urls(each) for each in value] if isinstance(value, list) else value


def _is_url(name: str) -> bool:
    return name == URL or name.endswith(f"_{URL}")
