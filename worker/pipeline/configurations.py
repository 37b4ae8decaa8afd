"""What a checkpoint's configuration may not say: transformers would follow it to code or weights of somebody else's."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from db.errors import CheckpointInvalid

LEADS_ELSEWHERE = frozenset(
    {
        "auto_map",  # classes in Python files
        "attn_implementation",  # a repository of compiled kernels, as are the next two
        "_attn_implementation",
        "experts_implementation",
        "quantization_config",  # other packages
        "use_pretrained_backbone",  # weights that are fetched
        "use_timm_backbone",  # another package, which fetches weights
    }
)
HARMLESS = (None, False, "eager", "sdpa")
"""Values of the same keys that transformers has itself."""


def check_configuration(path: Path) -> None:
    """Raise `CheckpointInvalid` for a JSON file that leads elsewhere at any depth, or is none; OSError."""
    try:
        found = next(_leading_elsewhere(json.loads(path.read_text())), None)
    except (ValueError, RecursionError) as error:
        raise CheckpointInvalid(path, str(error)) from error
    if found is not None:
        raise CheckpointInvalid(path, f"its {found!r} would run code or fetch weights that are not the checkpoint's")


def _leading_elsewhere(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in LEADS_ELSEWHERE and inner not in HARMLESS:
                yield key
            yield from _leading_elsewhere(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leading_elsewhere(inner)
