"""Annotated pictures in COCO's format, and sentences that refer to their objects, as RefCOCO has them.

COCO: Lin et al., "Microsoft COCO: Common Objects in Context", 2014; RefCOCO: Yu et al., "Modeling Context in Referring
Expressions", 2016. Its original files are pickles, which can hold code: here they are JSON of the same content.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.evaluation.coco import Coco
from worker.evaluation.errors import WRONG, DatasetInvalid, in_words
from worker.evaluation.samples import Sample


@dataclass(frozen=True)
class Dataset:
    """What is measured on, and how many pictures have nothing to be measured on."""

    samples: tuple[Sample, ...]
    skipped: int
    unannotated: int = 0
    """How many sentences are about objects that the annotations don't have."""


def read_dataset(annotations: Path, images: Path | None = None, references: Path | None = None) -> Dataset:
    """The questions of an annotation file.

    `images` is the folder of the pictures, else the annotation file's own, or `images` in it. Each picture is one
    question: its main object is the one that is annotated as `main_object`, else the largest; the candidates are
    the names of all that is annotated in it, or the picture's `description`. With `references`, each sentence is one
    instead. Raises `DatasetInvalid`.
    """
    with _refused(annotations):
        coco = Coco(_json(annotations), images or _images_beside(annotations))
        samples = coco.questions()
    if references is not None:
        with _refused(references):
            samples = coco.referred(_json(references))
    if not samples:
        what = "object in it is annotated" if not coco.unannotated else "sentence is about an object that is annotated"
        raise DatasetInvalid(references or annotations, f"no {what}")
    if not any(_is_file(sample.path) for sample in samples):
        raise DatasetInvalid(annotations, f"there is no picture {samples[0].path}, nor any of the others")
    return Dataset(tuple(samples), coco.empty, coco.unannotated)


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    """Raise `DatasetInvalid`, which names the file, for whatever is wrong with its content."""
    try:
        yield
    except WRONG as error:
        raise DatasetInvalid(path, in_words(error)) from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, for one
        return False


def _json(path: Path) -> Any:
    """The file's content; raises ValueError for one of another form, as RefCOCO's own pickles are, and OSError."""
    try:
        # Some editors begin a file with the encoding's mark.
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"it is no JSON: {error}") from error


def _images_beside(annotations: Path) -> Path:
    inner = annotations.parent / "images"
    return inner if inner.is_dir() else annotations.parent
