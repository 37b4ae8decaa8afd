"""The manifest's answers as one file of COCO annotations (https://cocodataset.org/#format-data)."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mainmask import artifacts
from mainmask.folder.durable import replaced
from mainmask.folder.errors import DamagedResult
from mainmask.folder.manifest import Row


def export(rows: Iterable[Row], folder: Path, path: Path) -> None:
    """Write the images, one annotation for each instance, and the labels as categories.

    Masks are compressed run-length codes, boxes are the masks' tight ones: x, y, width and height in pixels of the
    upright picture. Pictures in which nothing was found are there without annotations. The ids count from 1 in the
    order of the names.

    Args:
        rows: the manifest's; those that failed are left out.
        folder: holds the pictures' results.
        path: the file to write.

    Raises:
        OSError: a result cannot be read, or the file cannot be written.
        DamagedResult: a result is no longer what was saved.
    """
    answered = sorted((row for row in rows if row.succeeded), key=lambda row: row.path)
    documents = [_document(folder / row.path / artifacts.DOCUMENT) for row in answered]
    labels = sorted({instance["label"] for document in documents for instance in document["result"]["instances"]})
    category_ids = {label: number for number, label in enumerate(labels, start=1)}
    images = [
        _image(number, row.path, document)
        for number, (row, document) in enumerate(zip(answered, documents, strict=True), start=1)
    ]
    annotations = [
        {"id": number, **annotation} for number, annotation in enumerate(_annotations(documents, category_ids), start=1)
    ]
    categories = [{"id": number, "name": label} for label, number in category_ids.items()]
    with replaced(path) as file:
        json.dump({"images": images, "annotations": annotations, "categories": categories}, file)


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise DamagedResult(path) from error


def _image(number: int, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    image = document["input"]["image"]
    return {"id": number, "file_name": name, "width": image["width"], "height": image["height"]}


def _annotations(documents: Iterable[Mapping[str, Any]], category_ids: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    for image_id, document in enumerate(documents, start=1):
        for instance in document["result"]["instances"]:
            mask = instance["mask"]
            left, top, right, bottom = mask["box"]
            yield {
                "image_id": image_id,
                "category_id": category_ids[instance["label"]],
                "segmentation": mask["rle"],
                "bbox": [left, top, right - left, bottom - top],
                "area": mask["area"],
                "iscrowd": 0,
                "score": instance["box_score"],
            }
