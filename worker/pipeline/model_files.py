"""The files of checkpoints on this machine, and whether they are whole."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from db.checkpoints import Bundled, Checkpoint, HubRepository, WebFile
from db.errors import CheckpointInvalid, CheckpointMissing

BUNDLED = Path(__file__).parent.parent / "tiny" / "checkpoints"
SUMS = "SHA256SUMS"
"""In the form of `sha256sum`. A pull writes it last: where it is missing, the pull didn't end."""
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""What transformers' weights are called, the safer form first."""


@dataclass(frozen=True)
class ModelFiles:
    """A checkpoint's folder, all of whose files have the sums that were written down."""

    folder: Path
    weights: Path
    sha256: str
    """Of the weights, in hexadecimal."""

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
        if not isinstance(checkpoint.source, Bundled) and not (folder / SUMS).exists():
            raise CheckpointMissing(checkpoint.name, self.root)
        try:
            sums = read_sums(folder / SUMS)
            for name, expected in sums.items():
                check_sum(folder / name, expected)
        except OSError as error:
            raise CheckpointInvalid(folder, str(error)) from error
        weights = next((name for name in weights_names(checkpoint) if name in sums), None)
        if weights is None:
            raise CheckpointInvalid(folder, f"{SUMS} lists no weights")
        return ModelFiles(folder, folder / weights, sums[weights])


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
    """SHA-256 sums by file name; raises OSError, and `CheckpointInvalid` for a line that is none."""
    sums = {}
    for line in path.read_text().splitlines():
        digest, separator, name = line.partition("  ")
        # A name is that of a file beside the list: it leads nowhere else.
        if not separator or len(digest) != hashlib.sha256().digest_size * 2 or Path(name).name != name:
            raise CheckpointInvalid(path, f"this line is no checksum: {line[:100]!r}")
        sums[name] = digest
    return sums


def check_sum(path: Path, expected: str) -> None:
    """Read the file through; raises OSError, and `CheckpointInvalid` when its SHA-256 is another one."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != expected:
        raise CheckpointInvalid(path, f"its SHA-256 is not the one in {SUMS}")
