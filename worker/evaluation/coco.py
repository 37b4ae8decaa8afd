"""An annotation file in COCO's format, whose every field may be anything."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from worker.evaluation.errors import WRONG, in_words
from worker.evaluation.outlines import FARTHEST
from worker.evaluation.samples import Sample, Truth

MAIN = "main_object"
"""The annotation's field, true or false, that says which is the main object."""


class Coco:
    """An annotation file, looked up by ids."""

    def __init__(self, document: Any, folder: Path) -> None:
        if not isinstance(document, dict):
            raise ValueError("it is no JSON object with `images`, `annotations` and `categories`")
        names = {found: _name(category) for found, category in _by_id("category", document).items()}
        self._images = _by_id("image", document)
        self._references = document.get("refs")
        self.unannotated = 0
        """How many of the sentences are about objects that aren't here."""
        self._folder = folder
        self._truths: dict[Any, Truth] = {}
        self._of_image: dict[Any, list[Any]] = {image_id: [] for image_id in self._images}
        self._main: dict[Any, Any] = {}
        self._crowds: dict[Any, list[Truth]] = {image_id: [] for image_id in self._images}
        for number, annotation in enumerate(document["annotations"]):
            try:
                self._add(annotation, names)
            except WRONG as error:
                raise ValueError(
                    f"annotation {number + 1} of {len(document['annotations'])}: {in_words(error)}"
                ) from error

    def _add(self, annotation: Mapping[str, Any], names: Mapping[Any, str]) -> None:
        if not annotation.get("segmentation"):
            return
        category, image = annotation["category_id"], annotation["image_id"]
        if category not in names or image not in self._images:
            raise ValueError(
                f"there is no category {category}" if category not in names else f"there is no image {image}"
            )
        truth = _truth(annotation, names[category])
        if annotation.get("iscrowd"):
            # It is no object, and may be any number of them.
            self._crowds[image].append(truth)
        elif truth.box[0] < truth.box[2] and truth.box[1] < truth.box[3]:
            self._take(annotation["id"], truth, image, is_main=_is_main(annotation))

    def _take(self, own: Any, truth: Truth, image: Any, *, is_main: bool) -> None:
        if own in self._truths:
            raise ValueError(f"an earlier one has the id {own}, too")
        self._truths[own] = truth
        self._of_image[image].append(own)
        if is_main:
            self._main[image] = own

    @property
    def empty(self) -> int:
        """How many pictures have no annotated object."""
        return sum(not found for found in self._of_image.values())

    def questions(self) -> list[Sample]:
        """One for each sentence in the file, or else for each picture."""
        return self.main_objects() if self._references is None else self.referred(self._references)

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

    def referred(self, references: Any) -> list[Sample]:
        """A question for each sentence about an object that is annotated; the others are counted."""
        if not isinstance(references, list):
            raise ValueError("its references are no list of `image_id`, `ann_id` and `sentences`")
        samples: list[Sample] = []
        self.unannotated = 0
        for reference in references:
            image, own, sentences = reference["image_id"], reference["ann_id"], reference["sentences"]
            if own not in self._truths:
                self.unannotated += len(sentences)
            elif own not in self._of_image.get(image, ()):
                raise ValueError(f"object {own} is not on picture {image}")
            else:
                samples += [self._sample(image, own, [], _words(sentence, own)) for sentence in sentences]
        return samples

    def _sample(self, image_id: Any, main_id: Any, labels: list[str], description: str | None) -> Sample:
        main, image = self._truths[main_id], self._images[image_id]
        truths = (self._truths[found] for found in self._of_image[image_id])
        if description is not None and not _is_text(description):
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


def _is_text(value: object) -> TypeGuard[str]:
    """Whether models can read it: JSON can spell halves of characters, which are none."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _by_id(noun: str, document: Mapping[str, Any]) -> dict[Any, Any]:
    """The file's images or categories."""
    found: dict[Any, Any] = {}
    for one in document["categories" if noun == "category" else f"{noun}s"]:
        if one["id"] in found:
            raise ValueError(f"more than one {noun} has the id {one['id']}")
        found[one["id"]] = one
    return found


def _name(category: Mapping[str, Any]) -> str:
    name = category["name"]
    if not _is_text(name) or not name.strip():
        raise ValueError(f"category {category['id']} has no name, or one that is no text")
    return name


def _words(sentence: Mapping[str, Any], own: Any) -> str:
    words = sentence["sent"]
    if not _is_text(words):
        raise ValueError(f"a sentence about object {own} is no text")
    return words


def _is_main(annotation: Mapping[str, Any]) -> bool:
    said = annotation.get(MAIN, False)
    if not isinstance(said, bool):
        raise ValueError(f"its {MAIN} is {json.dumps(said)}, neither true nor false")
    return said


def _truth(annotation: Mapping[str, Any], label: str) -> Truth:
    left, top, width, height = map(float, annotation["bbox"])
    area = float(annotation.get("area") or width * height)
    box = (left, top, left + width, top + height)
    if not all(abs(edge) < FARTHEST for edge in box) or min(width, height) < 0:
        raise ValueError(f"its box {annotation['bbox']} is none, or leads far out of the picture")
    if not math.isfinite(area):
        raise ValueError(f"its area {area} is none")
    return Truth(label, box, area, annotation["segmentation"])
