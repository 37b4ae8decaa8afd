"""The bundled checkpoints: whole, or not."""

import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from mainmask.doctor.finding import Finding, fail, ok, warn

SUMS = "SHA256SUMS"


def check() -> Iterator[Finding]:
    """Each checkpoint's files against the list of their sums. The worker's code is found, not imported."""
    worker = importlib.util.find_spec("worker")
    folders = worker.submodule_search_locations if worker else None
    if not folders:
        yield warn("models", "no worker is installed here", "pip install 'mainmask[worker]', if one is to run here")
        return
    checkpoints = Path(folders[0]) / "tiny" / "checkpoints"
    lists = sorted(checkpoints.glob(f"*/{SUMS}"))
    if not lists:
        yield fail("models", f"there are none in {checkpoints}", "install mainmask again")
    for sums in lists:
        yield _checkpoint(sums)


def _checkpoint(sums: Path) -> Finding:
    name = f"model tiny/{sums.parent.name}"
    listed = [line.split(maxsplit=1) for line in sums.read_text().splitlines() if line.strip()]
    try:
        broken = [file for digest, file in listed if _sha256(sums.parent / file.strip().lstrip("*")) != digest]
    except (OSError, ValueError) as error:
        return fail(name, f"cannot be read: {error}", "install mainmask again")
    if broken:
        return fail(name, f"{', '.join(broken)} is not what {SUMS} says", "install mainmask again")
    return ok(name, f"whole ({len(listed)} {'file' if len(listed) == 1 else 'files'})")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
