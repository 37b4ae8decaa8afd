"""`python -m worker.tiny.coco FOLDER`: writes held-out scenes as a COCO dataset, for `mainmask evaluate`."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from worker.pipeline.masks import encode_rle
from worker.tiny.classes import object_classes
from worker.tiny.evaluation import held_out_scenes
from worker.tiny.scenes import Scene


def main() -> None:
    """Composes and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--never-trained", action="store_true", help="in the styles that training has not seen")
    parser.add_argument("--work", type=Path, default=Path(".data/tiny"), help="where fetched art is kept")
    options = parser.parse_args()
    write_coco(options.folder, held_out_scenes(options.work, options.scenes, trained_styles=not options.never_trained))


def write_coco(folder: Path, scenes: Sequence[Scene]) -> Path:
    """Write the pictures and `annotations.json`, which says the main objects; returns its path."""
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number, scene in enumerate(scenes):
        name = f"{number:06}.png"
        Image.fromarray(scene.image).save(folder / "images" / name, compress_level=1)
        height, width = scene.instances.shape
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        annotations += [
            {"id": number * 100 + place, "image_id": number, **_annotation(scene, place)}
            for place in range(len(scene.labels))
        ]
    categories = [{"id": number, "name": found.name} for number, found in enumerate(object_classes())]
    path = folder / "annotations.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def _annotation(scene: Scene, place: int) -> dict[str, Any]:
    mask = scene.mask(place)
    left, top, right, bottom = scene.boxes()[place].tolist()
    return {
        "category_id": scene.labels[place],
        "bbox": [left, top, right - left, bottom - top],
        "area": int(mask.sum()),
        "segmentation": encode_rle(mask),
        "iscrowd": 0,
        "main_object": place == scene.main,
    }


if __name__ == "__main__":
    main()
