"""Annotated pictures in COCO's format, and sentences that refer to their objects, as RefCOCO has them.

COCO: Lin et al., "Microsoft COCO: Common Objects in Context", 2014; RefCOCO: Yu et al., "Modeling Context in Referring
Expressions", 2016. Its original files are pickles, which can hold code: here they are JSON of the same content.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.evaluation.errors import DatasetInvalid
from worker.evaluation.outlines import mask_of
from worker.pipeline.results import Box

MAIN = "main_object"
"""The annotation's field, true or false, that says which is the main object."""


@dataclass(frozen=True)
class Truth:
    """One annotated object. XYXY, in pixels."""

    label: str
    box: Box
    area: float
    segmentation: Any
    """COCO's: polygons, or a run-length code."""

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """Shape (height, width); raises ValueError where the annotation's is none, or of another size."""
        return mask_of(self.segmentation, height, width)


@dataclass(frozen=True)
class Sample:
    """One question: a picture, its main object, and the words to find it by."""

    path: Path
    main: Truth
    labels: tuple[str, ...]
    """The candidates; none where there is a description."""
    description: str | None
    truths: tuple[Truth, ...]
    """All objects of the main one's kind, itself among them."""
    crowds: tuple[Box, ...] = ()
    """Where there are many of its kind, which nobody has told apart: boxes on them are neither right nor wrong."""
    size: tuple[int, int] | None = None
    """Width and height of the picture that was annotated, where the file says them."""


@dataclass(frozen=True)
class Dataset:
    """What is measured on, and how many pictures have nothing to be measured on."""

    samples: tuple[Sample, ...]
    skipped: int


def read_dataset(annotations: Path, images: Path | None = None, references: Path | None = None) -> Dataset:
    """The questions of an annotation file.

    `images` is the folder of the pictures, else the annotation file's own, or `images` in it. Each picture is one
    question: its main object is the one that is annotated as `main_object`, else the largest; the candidates are
    the names of all that is annotated in it, or the picture's `description`. With `references`, each sentence is one
    instead. Raises `DatasetInvalid`.
    """
    try:
        document = json.loads(annotations.read_text())
        folder = images or _images_beside(annotations)
        coco = Coco(document, folder)
        if references is not None:
            samples = coco.referred(json.loads(references.read_text()))
        elif "refs" in document:
            samples = coco.referred(document["refs"])
        else:
            samples = coco.main_objects()
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DatasetInvalid(annotations, _reason(error)) from error
    if not samples:
        raise DatasetInvalid(annotations, "no object in it is annotated")
    if not any(sample.path.is_file() for sample in samples):
        raise DatasetInvalid(annotations, f"there is no picture {samples[0].path}, nor any of the others")
    return Dataset(tuple(samples), coco.empty)


def _reason(error: Exception) -> str:
    """A key alone says too little."""
    return f"it has no {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"


def _images_beside(annotations: Path) -> Path:
    inner = annotations.parent / "images"
    return inner if inner.is_dir() else annotations.parent


class Coco:
    """An annotation file, looked up by ids."""

    def __init__(self, document: Mapping[str, Any], folder: Path) -> None:
        names = {category["id"]: str(category["name"]) for category in document["categories"]}
        if not all(name.strip() for name in names.values()):
            raise ValueError("one of its categories has no name")
        self._images = {image["id"]: image for image in document["images"]}
        self._folder = folder
        self._truths: dict[Any, Truth] = {}
        self._of_image: dict[Any, list[Any]] = {image_id: [] for image_id in self._images}
        self._main: dict[Any, Any] = {}
        self._crowds: dict[Any, list[Truth]] = {image_id: [] for image_id in self._images}
        for number, annotation in enumerate(document["annotations"]):
            try:
                self._add(annotation, names)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise ValueError(
                    f"annotation {number + 1} of {len(document['annotations'])}: {_reason(error)}"
                ) from error

    def _add(self, annotation: Mapping[str, Any], names: Mapping[Any, str]) -> None:
        if not annotation.get("segmentation"):
            return
        truth = _truth(annotation, names[annotation["category_id"]])
        if annotation.get("iscrowd"):
            # It is no object, and may be any number of them.
            self._crowds[annotation["image_id"]].append(truth)
        elif truth.box[0] < truth.box[2] and truth.box[1] < truth.box[3]:
            self._of_image[annotation["image_id"]].append(annotation["id"])
            self._truths[annotation["id"]] = truth
            if annotation.get(MAIN):
                self._main[annotation["image_id"]] = annotation["id"]

    @property
    def empty(self) -> int:
        """How many pictures have no annotated object."""
        return sum(not found for found in self._of_image.values())

    def main_objects(self) -> list[Sample]:
        """A question for each picture."""
        samples = []
        for image_id, ids in self._of_image.items():
            if not ids:
                continue
            main = self._main.get(image_id, max(ids, key=lambda found: self._truths[found].area))
            labels = sorted({self._truths[found].label for found in ids})
            samples.append(self._sample(image_id, main, labels, self._images[image_id].get("description")))
        return samples

    def referred(self, references: list[Mapping[str, Any]]) -> list[Sample]:
        """A question for each sentence."""
        return [
            self._sample(reference["image_id"], reference["ann_id"], [], sentence["sent"])
            for reference in references
            for sentence in reference["sentences"]
            if reference["ann_id"] in self._truths
        ]

    def _sample(self, image_id: Any, main_id: Any, labels: list[str], description: str | None) -> Sample:
        main, image = self._truths[main_id], self._images[image_id]
        truths = (self._truths[found] for found in self._of_image[image_id])
        if description is not None and not isinstance(description, str):
            raise ValueError(f"the description of picture {image_id} is no text")
        return Sample(
            path=self._folder / image["file_name"],
            main=main,
            labels=() if description else tuple(labels),
            description=description,
            truths=tuple(truth for truth in truths if truth.label == main.label),
            crowds=tuple(crowd.box for crowd in self._crowds[image_id] if crowd.label == main.label),
            size=(int(image["width"]), int(image["height"])) if {"width", "height"} <= image.keys() else None,
        )


def _truth(annotation: Mapping[str, Any], label: str) -> Truth:
    left, top, width, height = map(float, annotation["bbox"])
    area = float(annotation.get("area") or width * height)
    if not all(map(math.isfinite, (left, top, width, height, area))) or min(width, height) < 0:
        raise ValueError(f"its box {annotation['bbox']} is none")
    return Truth(label, (left, top, left + width, top + height), area, annotation["segmentation"])
