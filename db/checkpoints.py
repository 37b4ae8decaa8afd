"""What is known of a checkpoint before its files are there: which model it is, where it comes from, what it may do."""

from dataclasses import dataclass
from enum import StrEnum

from db.states import StageName


class Kind(StrEnum):
    """The model's class, and with it the form of its files."""

    CLIP = "clip"
    SIGLIP = "siglip"
    GROUNDING_DINO = "grounding-dino"
    MM_GROUNDING_DINO = "mm-grounding-dino"
    OWLV2 = "owlv2"
    SEGMENT_ANYTHING = "segment-anything"
    """The original package's model."""
    SAM = "sam"
    """The same in transformers, which knows its small relatives, too."""
    SAM_HQ = "sam-hq"


class SamSize(StrEnum):
    """The image encoder of an original SAM: its `.pth` doesn't say which it is."""

    BASE = "vit_b"
    LARGE = "vit_l"
    HUGE = "vit_h"


@dataclass(frozen=True)
class License:
    """What the weights are under: an SPDX id."""

    id: str
    commercial_use: bool


@dataclass(frozen=True)
class Bundled:
    """A folder of this repository's own, under `worker/tiny/checkpoints`."""

    folder: str
    sha256: str
    """Of its weights."""


@dataclass(frozen=True)
class HubRepository:
    """A repository of the Hugging Face hub. The pull records which commit `revision` was."""

    repository: str
    revision: str = "main"


@dataclass(frozen=True)
class WebFile:
    """One file at its authors' address."""

    url: str
    sha256: str


Source = Bundled | HubRepository | WebFile


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One model of the table."""

    name: str
    stage: StageName
    kind: Kind
    source: Source
    license: License
    parameters: int
    input_pixels: int
    """The longer side of what the model looks at."""
    box_thresholds: tuple[float, ...] = ()
    """Of a detector: the ladder of box scores, highest first."""
    middle: float = 0
    """Of a CLIP that looks at a picture's middle, too: which share of each side. 0 for one that doesn't."""
    context: float = 0
    """Of an original SAM that is shown what is around a box: how much, in multiples of the box's longer side.

    0 for one that is shown the whole picture.
    """
    snaps: bool = False
    """Of an original SAM whose masks are moved to the picture's own edges."""
    sam_size: SamSize | None = None
    """Of an original `.pth`; the bundled SAM says in its `config.json` what it is."""
    remark: str = ""

    @property
    def origin(self) -> str:
        """Where the files come from, for people."""
        match self.source:
            case Bundled():
                return "bundled"
            case HubRepository(repository):
                return f"https://huggingface.co/{repository}"
            case WebFile(url):
                return url

    @property
    def source_revision(self) -> str | None:
        """What a pull asks the hub for: a branch, a tag or a commit; None where the files are of no hub."""
        return self.source.revision if isinstance(self.source, HubRepository) else None

    @property
    def sha256(self) -> str | None:
        """Of the weights; None where the hub tells it, when they are pulled."""
        return None if isinstance(self.source, HubRepository) else self.source.sha256
