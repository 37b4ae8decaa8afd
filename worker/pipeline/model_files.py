"""The files of checkpoints on this machine, and whether they are whole."""

import hashlib
import re
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from db.checkpoints import Bundled, Checkpoint, HubRepository, WebFile
from db.errors import CheckpointInvalid, CheckpointMissing

BUNDLED = Path(__file__).parent.parent / "tiny" / "checkpoints"
SUMS = "SHA256SUMS"
"""In the form of `sha256sum`. A pull writes it last: where it is missing, the pull didn't end."""
REVISION = "REVISION"
"""Where the commit is kept that was pulled: results name it, and a damaged file is fetched from it again."""
UNFINISHED = ".part"
"""What the name of a file ends with while it is being fetched."""
SHA256 = re.compile("[0-9a-f]{64}")
COMMIT = re.compile("[0-9a-f]{40}")
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""What transformers' weights are called, the safer form first."""


@dataclass(frozen=True)
class ModelFiles:
    """A checkpoint's folder, all of whose files have the sums that were written down."""

    folder: Path
    weights: Path
    sha256: str
    """Of the weights, in hexadecimal."""
    commit: str | None
    """The hub's, which the pull wrote down; None where it wrote none."""

    @property
    def revision(self) -> str:
        """The beginning of the weights' SHA-256: other weights never pass for these."""
        return self.sha256[:12]


@dataclass(frozen=True)
class ModelFolder:
    """Where pulled checkpoints lie: one folder each."""

    root: Path

    def of(self, checkpoint: Checkpoint) -> Path:
        """The checkpoint's folder, whether it is there or not."""
        if isinstance(checkpoint.source, Bundled):
            return BUNDLED / checkpoint.source.folder
        return self.root / checkpoint.name.replace("/", "--")

    def find(self, checkpoint: Checkpoint) -> ModelFiles:
        """The checkpoint's files, read through and compared with their sums.

        Raises `CheckpointMissing` when they were never pulled whole, `CheckpointInvalid` when they have changed since.
        """
        folder = self.of(checkpoint)
        was_pulled = not isinstance(checkpoint.source, Bundled)
        try:
            if was_pulled and not (folder / SUMS).exists():
                raise CheckpointMissing(checkpoint.name, self.root)
            sums = read_sums(folder / SUMS)
            if was_pulled:
                check_no_others(folder, sums)
            for name, expected in sums.items():
                check_sum(folder / name, expected)
            commit = read_commit(folder)
        except OSError as error:
            raise CheckpointInvalid(folder, str(error)) from error
        weights = next((name for name in weights_names(checkpoint) if name in sums), None)
        if weights is None:
            raise CheckpointInvalid(folder, f"{SUMS} lists no weights")
        return ModelFiles(folder, folder / weights, sums[weights], commit)


def weights_names(checkpoint: Checkpoint) -> tuple[str, ...]:
    """What the file of the weights may be called; the first that is there counts."""
    match checkpoint.source:
        case WebFile(url):
            return (url.rpartition("/")[2],)
        case HubRepository():
            return WEIGHTS
        case Bundled():
            return WEIGHTS[:1]


def read_sums(path: Path) -> dict[str, str]:
    """SHA-256 sums by file name; raises OSError, and `CheckpointInvalid` for a line that is none.

    `sha256sum` marks files that it reads as binary by a star. Where it is run again, the old list is among its files.
    """
    sums = {}
    # What is no text shows in the line's own error.
    for line in path.read_text(errors="backslashreplace").splitlines():
        digest, separator, name = line.replace(" *", "  ", 1).partition("  ")
        # A name is that of a file beside the list: it leads nowhere else.
        if not separator or not SHA256.fullmatch(digest) or Path(name).name != name or "\0" in name:
            raise CheckpointInvalid(path, f"this line is no checksum: {line[:100]!r}")
        if name != SUMS:
            sums[name] = digest
    return sums


def read_commit(folder: Path) -> str | None:
    """The one that was pulled; None, too, where what is written there is none. Raises OSError."""
    path = folder / REVISION
    # A pipe or device would be read for ever.
    found = path.read_text(errors="replace").strip() if path.is_file() else ""
    return found if COMMIT.fullmatch(found) else None


def check_no_others(folder: Path, names: Container[str]) -> None:
    """Raise `CheckpointInvalid` for a file that isn't one of these, and that transformers might read; OSError.

    What a pull keeps beside them, and hidden files, it doesn't read.
    """
    for path in sorted(folder.iterdir()):
        is_ours = path.name in {SUMS, REVISION} or path.name.endswith(UNFINISHED) or path.name.startswith(".")
        if not is_ours and path.name not in names:
            raise CheckpointInvalid(folder, f"{path.name} is none of its files, and has to go")


def check_sum(path: Path, expected: str) -> None:
    """Read the file through; raises OSError, and `CheckpointInvalid` when its SHA-256 is another one."""
    if path.exists() and not path.is_file():
        raise CheckpointInvalid(path, "it is no file")  # a pipe or device would be read for ever
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != expected:
        raise CheckpointInvalid(path, f"its SHA-256 is not the one in {SUMS}")
