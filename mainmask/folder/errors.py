"""What keeps a folder from being worked through, one class a cause."""

from pathlib import Path


class FolderError(Exception):
    """It cannot be done as it was asked; the message is meant for the person who asked."""


class NoPictures(FolderError):
    """Nothing to do."""

    def __init__(self, where: str, out: Path) -> None:
        super().__init__(f"There are no pictures in {where}. What is in {out}, the folder for results, does not count")


class BadCaptions(FolderError):
    """The table of captions cannot be used."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")


class BadManifest(FolderError):
    """The manifest was written by something else, or edited."""

    def __init__(self, path: Path, line: int) -> None:
        super().__init__(f"{path}, line {line}, is no row of a manifest. Mend it, or choose another folder with --out")


class ManifestInUse(FolderError):
    """Another run writes it at this moment."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"Another run is writing {path}. Wait for it, or choose another folder with --out")


class DamagedResult(FolderError):
    """A file of the results is no longer what was saved."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is damaged. The command that made it makes it again")
