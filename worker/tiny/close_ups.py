"""What SAM learns from: objects of large scenes, seen as near as the product shows them to it."""

import json
import math
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from db.catalog import CHECKPOINTS
from worker.pipeline.close_ups import Window, window
from worker.tiny.art import fetch_art
from worker.tiny.dataset import OBJECT_COUNTS, OUTLINE_SEED, STYLES, random_size, training_art
from worker.tiny.progress import progress
from worker.tiny.scenes import Scene, box_of, compose
from worker.tiny.sprites import RGBA

CONTEXT = CHECKPOINTS["mainmask/tiny-sam"].context
"""How much of the picture SAM sees, in multiples of the box's longer side."""
ROOM = 2.2
"""The same, of what is kept: a detector's box is larger, or elsewhere, than the true one."""
SHORTEST_SIDE, LONGEST_SIDE = 320, 720
SPRITE_SIZE = 288

# Rendered once in the parent; forked workers share the pages.
_sprites: list[list[RGBA]] = []


@dataclass(frozen=True)
class Plan:
    """How many close-ups, and the side of SAM's input in pixels."""

    total: int = 16_000
    side: int = 256
    seed: int = 4

    @property
    def kept_side(self) -> int:
        """Of what is kept of the surroundings, at the scale at which `CONTEXT` of them fills SAM's input."""
        return math.ceil(self.side * ROOM / CONTEXT) + 8  # windows end at whole pixels


@dataclass(frozen=True)
class CloseUp:
    """One object with its surroundings, or what of them is shown.

    image: uint8 (height, width, 3). mask: uint8 (height, width), 255 where the object is. box: float32 (4,), XYXY, in
    pixels.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    box: NDArray[np.float32]

    def around(self, box: NDArray[np.float32], context: float) -> Window:
        """What of the picture is shown for this box."""
        return window(tuple(box.tolist()), (self.image.shape[1], self.image.shape[0]), context)

    def framed(self, box: NDArray[np.float32], context: float, side: int) -> "CloseUp":
        """What the product shows SAM for a detector's box, its longer side `side` pixels; that box in it."""
        left, top, right, bottom = shown = self.around(box, context)
        return replace(self, box=box).cut(shown, side / max(right - left, bottom - top))

    def mirrored(self) -> "CloseUp":
        """Left and right exchanged."""
        left, top, right, bottom = self.box
        width = self.mask.shape[1]
        box = np.array([width - right, top, width - left, bottom], np.float32)
        return CloseUp(np.ascontiguousarray(self.image[:, ::-1]), np.ascontiguousarray(self.mask[:, ::-1]), box)

    def cut(self, shown: Window, scale: float) -> "CloseUp":
        """This part of it, resized."""
        left, top, right, bottom = shown
        size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
        image, mask = (
            np.asarray(Image.fromarray(part).resize(size, Image.Resampling.BILINEAR, shown))
            for part in (self.image, self.mask)
        )
        return CloseUp(image, mask, ((self.box - [left, top, left, top]) * scale).astype(np.float32))


@dataclass(frozen=True)
class CloseUps:
    """All of them, each at the top left of its array.

    images: uint8 (n, side, side, 3). masks: uint8 (n, side, side). sizes: int32 (n, 2), height and width.
    boxes: float32 (n, 4), XYXY, tight.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    sizes: NDArray[np.int32]
    boxes: NDArray[np.float32]

    def __getitem__(self, index: int) -> CloseUp:
        height, width = self.sizes[index]
        return CloseUp(self.images[index, :height, :width], self.masks[index, :height, :width], self.boxes[index])


def open_close_ups(work: Path, plan: Plan) -> CloseUps:
    """The planned close-ups, in `work`; fetches the art and makes them first if they are not there."""
    folder = work / "close-ups"
    done = folder / "plan.json"
    made_of = asdict(plan) | {"styles": list(STYLES), "outlines": OUTLINE_SEED}
    if not done.exists() or json.loads(done.read_text()) != made_of:
        fetch_art(work / "art", STYLES)
        folder.mkdir(parents=True, exist_ok=True)
        close_ups = _open(folder, plan, "w+")
        for index, each in enumerate(progress(_make(plan, work / "art"), "close-ups", plan.total)):
            height, width = each.mask.shape
            close_ups.images[index, :height, :width] = each.image
            close_ups.masks[index, :height, :width] = each.mask
            close_ups.sizes[index] = height, width
            close_ups.boxes[index] = each.box
        done.write_text(json.dumps(made_of))
    return _open(folder, plan, "r")


def _open(folder: Path, plan: Plan, mode: str) -> CloseUps:
    side = plan.kept_side
    shapes = {
        "images": ("uint8", (side, side, 3)),
        "masks": ("uint8", (side, side)),
        "sizes": ("int32", (2,)),
        "boxes": ("float32", (4,)),
    }
    return CloseUps(
        **{
            name: np.lib.format.open_memmap(folder / f"{name}.npy", mode=mode, dtype=dtype, shape=(plan.total, *shape))
            for name, (dtype, shape) in shapes.items()
        }
    )


def _make(plan: Plan, art: Path) -> Iterator[CloseUp]:
    """The planned close-ups, made by all cores, always in the same order."""
    _sprites[:] = training_art(art, SPRITE_SIZE)
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        made = pool.imap(partial(_of_scene, plan), range(plan.total), chunksize=16)
        yield from islice(chain.from_iterable(made), plan.total)


def _of_scene(plan: Plan, index: int) -> list[CloseUp]:
    """Of the main object, and of one other where there is one: those teach what occlusion looks like."""
    rng = np.random.default_rng((plan.seed, index))
    longest = int(rng.integers(SHORTEST_SIDE, LONGEST_SIDE + 1))
    width, height = random_size(rng, longest * 110 // 256, longest)
    scene = compose(rng, _sprites, width, height, 1 + int(rng.choice(4, p=OBJECT_COUNTS)))
    others = [position for position in range(len(scene.labels)) if position != scene.main]
    chosen = [scene.main, *rng.permutation(others)[:1].tolist()]
    return [close_up(scene, position, plan) for position in chosen]


def close_up(scene: Scene, position: int, plan: Plan) -> CloseUp:
    """One object of the scene with its surroundings."""
    mask = scene.mask(position)
    box = box_of(mask)
    whole = CloseUp(scene.image, mask.astype(np.uint8) * 255, box)
    longer = float(max(box[2:] - box[:2]))
    return whole.cut(whole.around(box, ROOM), plan.side / (CONTEXT * longer))
