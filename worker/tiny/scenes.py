"""Composed scenes: objects on a background, with the true visible mask of each and one unambiguous main object."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.tiny.backgrounds import background, ground, horizon
from worker.tiny.sprites import RGBA, vary

MAIN_AREA_RATIO = 1.6
LEAST_VISIBLE = 0.4
LEAST_AREA = 0.004
CENTRE_MARGIN = 0.06


@dataclass(frozen=True)
class Scene:
    """A picture and what is in it.

    image: uint8 (height, width, 3). instances: uint8 (height, width), 0 for background and k for object k - 1.
    labels: class ids, one an object. main: the position in `labels` of the main object, the largest and most central.
    """

    image: NDArray[np.uint8]
    instances: NDArray[np.uint8]
    labels: tuple[int, ...]
    main: int

    def mask(self, position: int) -> NDArray[np.bool_]:
        """The visible pixels of one object."""
        visible: NDArray[np.bool_] = self.instances == position + 1
        return visible

    def boxes(self) -> NDArray[np.float32]:
        """The tight box of each object's visible pixels: (objects, 4) float32, XYXY, in pixels."""
        return np.stack([box_of(self.mask(position)) for position in range(len(self.labels))])


def box_of(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The tight XYXY box, exclusive at the right and bottom, of a mask that is not empty."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


class _Canvas:
    """A scene while it is painted."""

    def __init__(self, backdrop: NDArray[np.float32]) -> None:
        self.pixels = backdrop
        self.instances: NDArray[np.uint8] = np.zeros(backdrop.shape[:2], np.uint8)
        self.painted: list[int] = []

    def paint(self, sprite: RGBA, left: int, top: int, number: int) -> None:
        """Lays `sprite` over the picture as object `number`; what falls outside is cut off."""
        x0, y0, x1, y1 = self._inside(sprite, left, top)
        self.painted.append(int((sprite[..., 3] > 127).sum()))
        if x0 >= x1 or y0 >= y1:
            return
        part = sprite[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.float32)
        alpha = part[..., 3:] / 255
        window = self.pixels[y0:y1, x0:x1]
        window += (part[..., :3] - window) * alpha
        self.instances[y0:y1, x0:x1][alpha[..., 0] > 0.5] = number

    def shade(self, sprite: RGBA, left: int, top: int, strength: float) -> None:
        """A soft shadow of `sprite`, shifted down and right."""
        small = Image.fromarray(sprite[..., 3]).reduce(8 if min(sprite.shape[:2]) > 16 else 1)
        soft = np.asarray(small.resize((sprite.shape[1], sprite.shape[0]), Image.Resampling.BICUBIC), np.float32) / 255
        shift = max(2, sprite.shape[0] // 20)
        left, top = left + shift, top + shift
        x0, y0, x1, y1 = self._inside(soft, left, top)
        if x0 < x1 and y0 < y1:
            self.pixels[y0:y1, x0:x1] *= 1 - strength * soft[y0 - top : y1 - top, x0 - left : x1 - left, None]

    def _inside(self, shape: NDArray[Any], left: int, top: int) -> tuple[int, int, int, int]:
        height, width = self.instances.shape[:2]
        return max(left, 0), max(top, 0), min(left + shape.shape[1], width), min(top + shape.shape[0], height)


def compose(rng: np.random.Generator, sprites: list[list[RGBA]], width: int, height: int, objects: int) -> Scene:
    """A scene of up to `objects` things, drawn again until its main object is unambiguous."""
    while True:
        scene = _attempt(rng, sprites, width, height, objects)
        if scene is not None:
            return scene


def _attempt(
    rng: np.random.Generator, sprites: list[list[RGBA]], width: int, height: int, objects: int
) -> Scene | None:
    canvas = _Canvas(background(rng, width, height))
    area = width * height
    main_area = area * rng.uniform(0.06, 0.3)
    labels = _labels(rng, len(sprites), objects)
    # What is painted later hides what is painted earlier; the main object is mostly, but not always, in front.
    order = sorted(range(objects), key=lambda k: rng.random() + (0.45 if k == 0 else 0))
    for k in order:
        pictures = sprites[labels[k]]
        target = main_area if k == 0 else max(main_area / rng.uniform(1.8, 6), area * LEAST_AREA * 2)
        sprite = vary(rng, pictures[rng.integers(len(pictures))], target, (width, height), upright=rng.random() < 0.4)
        left, top = _place(rng, sprite, width, height, central=k == 0)
        if rng.random() < 0.45:
            canvas.shade(sprite, left, top, float(rng.uniform(0.15, 0.55)))
        canvas.paint(sprite, left, top, k + 1)
    if rng.random() < 0.2 and (canvas.instances == 1).any():
        _bury(rng, canvas)
    painted = dict(zip(order, canvas.painted, strict=True))
    instances, kept = _drop_hidden(canvas.instances, [painted[k] for k in range(objects)])
    if not kept or kept[0] != 0 or not _is_unambiguous(instances, len(kept)):
        return None
    return Scene(finish(rng, canvas.pixels), instances, tuple(labels[k] for k in kept), 0)


def _labels(rng: np.random.Generator, classes: int, objects: int) -> list[int]:
    """Distinct classes, the first the main object's; at times two of the others are alike."""
    labels = [int(label) for label in rng.choice(classes, objects, replace=False)]
    if objects > 2 and rng.random() < 0.2:
        labels[-1] = labels[-2]
    return labels


def _place(rng: np.random.Generator, sprite: RGBA, width: int, height: int, *, central: bool) -> tuple[int, int]:
    if central:
        x, y = width * (0.5 + rng.uniform(-0.13, 0.13)), height * (0.5 + rng.uniform(-0.13, 0.13))
    else:
        x, y = width * rng.uniform(0.05, 0.95), height * rng.uniform(0.05, 0.95)
    return round(x - sprite.shape[1] / 2), round(y - sprite.shape[0] / 2)


def _bury(rng: np.random.Generator, canvas: _Canvas) -> None:
    """Hides the lower part of the main object, and all that is lower, in snow, grass, sand, water or earth."""
    height, width = canvas.instances.shape[:2]
    _, top, _, bottom = box_of(canvas.instances == 1)
    line = horizon(rng, width, bottom - (bottom - top) * rng.uniform(0.15, 0.5), 0.02 * height)
    below = np.arange(height, dtype=np.float32)[:, None] > line
    canvas.pixels[below] = ground(rng, width, height)[below]
    canvas.instances[below] = 0


def _drop_hidden(instances: NDArray[np.uint8], painted: list[int]) -> tuple[NDArray[np.uint8], list[int]]:
    """Takes objects of which little shows off the list, and numbers the rest anew."""
    visible = np.bincount(instances.ravel(), minlength=len(painted) + 1)[1:]
    kept = [
        k
        for k, seen in enumerate(visible)
        if seen >= LEAST_VISIBLE * painted[k] and seen >= LEAST_AREA * instances.size
    ]
    renumber = np.zeros(len(painted) + 1, np.uint8)
    for new, old in enumerate(kept):
        renumber[old + 1] = new + 1
    return renumber[instances], kept


def _is_unambiguous(instances: NDArray[np.uint8], objects: int) -> bool:
    """Whether object 0 is larger than each other by `MAIN_AREA_RATIO`, and clearly nearest the centre."""
    height, width = instances.shape
    areas = np.bincount(instances.ravel(), minlength=objects + 1)[1:]
    boxes = np.stack([box_of(instances == k + 1) for k in range(objects)])
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / (width, height) - 0.5
    distances = np.hypot(centres[:, 0], centres[:, 1])
    return bool(
        (areas[0] >= MAIN_AREA_RATIO * areas[1:]).all() and (distances[0] + CENTRE_MARGIN <= distances[1:]).all()
    )


def mosaic(rng: np.random.Generator, sprites: list[list[RGBA]], side: int) -> Scene:
    """A grid of 9 to 16 objects, for dense supervision; its "main" object means nothing."""
    cells = int(rng.integers(3, 5))
    canvas = _Canvas(background(rng, side, side))
    labels = tuple(int(label) for label in rng.integers(len(sprites), size=cells * cells))
    pitch = side / cells
    for k, label in enumerate(labels):
        pictures = sprites[label]
        target = (pitch * rng.uniform(0.55, 0.95)) ** 2
        room = (round(pitch * 1.1), round(pitch * 1.1))
        sprite = vary(rng, pictures[rng.integers(len(pictures))], target, room, upright=rng.random() < 0.4)
        x, y = (k % cells + 0.5) * pitch, (k // cells + 0.5) * pitch
        canvas.paint(sprite, round(x - sprite.shape[1] / 2), round(y - sprite.shape[0] / 2), k + 1)
    instances, kept = _drop_hidden(canvas.instances, [1] * len(labels))
    return Scene(finish(rng, canvas.pixels), instances, tuple(labels[k] for k in kept), 0)


def finish(rng: np.random.Generator, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """What a camera and a file format do: exposure, noise, compression."""
    if rng.random() < 0.4:
        pixels = (pixels - 128) * np.float32(rng.uniform(0.7, 1.15)) + 128 + np.float32(rng.uniform(-25, 25))
    if rng.random() < 0.25:
        pixels = pixels + rng.normal(0, rng.uniform(2, 9), pixels.shape).astype(np.float32)
    image = np.clip(pixels, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=int(rng.integers(50, 95)))
        image = np.asarray(Image.open(buffer))
    return image
