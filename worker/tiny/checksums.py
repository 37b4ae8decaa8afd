"""The list of SHA-256 sums beside a checkpoint, which the loader checks."""

import hashlib
from pathlib import Path


def write_checksums(folder: Path) -> None:
    """Writes `SHA256SUMS`, in the form of `sha256sum`, for the weights in `folder`."""
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  model.safetensors\n", encoding="utf-8")
