"""The training scenes on disk: made once by all cores, then read as memory maps."""

import json
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.tiny.art import SHAPE_STYLES, TRAINED_STYLES, fetch_art, load_sprites
from worker.tiny.progress import progress
from worker.tiny.scenes import Scene, compose, mosaic
from worker.tiny.sprites import RGBA, outlined

MOST_OBJECTS = 16
SPRITE_SIZE = 208
# Coloured art is what most pictures will be like: it counts twice.
STYLES = TRAINED_STYLES * 2 + SHAPE_STYLES
OUTLINE_SEED = 5
OBJECT_COUNTS = (0.15, 0.3, 0.3, 0.25)


@dataclass(frozen=True)
class Plan:
    """How many scenes of what longest side, in pixels; mosaics come after the composed ones."""

    name: str
    side: int
    scenes: int
    mosaics: int
    seed: int

    @property
    def total(self) -> int:
        """Scenes of both kinds."""
        return self.scenes + self.mosaics


# The classifier sees less of each picture and has more names to tell apart, so it gets smaller and more of them.
SCENES = Plan("scenes", side=256, scenes=24_000, mosaics=16_000, seed=1)
THUMBNAILS = Plan("thumbnails", side=144, scenes=44_000, mosaics=4_000, seed=3)

# Rendered once in the parent; forked workers share the pages.
_sprites: list[list[RGBA]] = []


@dataclass(frozen=True)
class Dataset:
    """Training scenes, the first `scenes` composed and the rest mosaics.

    images: uint8 (n, side, side, 3), the scene at the top left. instances: uint8 (n, side, side). sizes: int32 (n, 2),
    height and width of the scene. labels: int16 (n, 16), -1 where there is no object; the main object is the first.
    boxes: float32 (n, 16, 4), XYXY in pixels.
    """

    images: NDArray[np.uint8]
    instances: NDArray[np.uint8]
    sizes: NDArray[np.int32]
    labels: NDArray[np.int16]
    boxes: NDArray[np.float32]
    scenes: int


def random_size(rng: np.random.Generator, shortest: int, longest: int) -> tuple[int, int]:
    """A width and height of varied aspect ratio, the longer side being `longest`."""
    other = round(float(np.exp(rng.uniform(np.log(shortest), np.log(longest)))))
    return (longest, other) if rng.random() < 0.55 else (other, longest)


def make_scene(plan: Plan, index: int, sprites: list[list[RGBA]]) -> Scene:
    """Training scene `index`: the same for the same plan, whichever process makes it."""
    rng = np.random.default_rng((plan.seed, index))
    if index >= plan.scenes:
        return mosaic(rng, sprites, plan.side)
    width, height = random_size(rng, plan.side * 110 // 256, plan.side)
    return compose(rng, sprites, width, height, 1 + int(rng.choice(4, p=OBJECT_COUNTS)))


def open_dataset(work: Path, plan: Plan) -> Dataset:
    """The planned scenes, in `work`; fetches the art and makes the scenes first if they are not there."""
    folder = work / plan.name
    done = folder / "plan.json"
    made_of = asdict(plan) | {"styles": list(STYLES), "outlines": OUTLINE_SEED}
    if not done.exists() or json.loads(done.read_text()) != made_of:
        fetch_art(work / "art", STYLES)
        folder.mkdir(parents=True, exist_ok=True)
        _fill(_open(folder, plan, "w+"), plan, _training_art(work / "art"))
        done.write_text(json.dumps(made_of))
    return _open(folder, plan, "r")


def _training_art(cache: Path) -> list[list[RGBA]]:
    """The pictures of each class: as they were drawn, and the coloured ones once more with outlines."""
    rng = np.random.default_rng(OUTLINE_SEED)
    sprites = load_sprites(cache, STYLES, SPRITE_SIZE)
    coloured = load_sprites(cache, TRAINED_STYLES, SPRITE_SIZE)
    return [
        [*pictures, *(outlined(rng, picture) for picture in again)]
        for pictures, again in zip(sprites, coloured, strict=True)
    ]


def _open(folder: Path, plan: Plan, mode: str) -> Dataset:
    shapes = {
        "images": ("uint8", (plan.side, plan.side, 3)),
        "instances": ("uint8", (plan.side, plan.side)),
        "sizes": ("int32", (2,)),
        "labels": ("int16", (MOST_OBJECTS,)),
        "boxes": ("float32", (MOST_OBJECTS, 4)),
    }
    arrays = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", mode=mode, dtype=dtype, shape=(plan.total, *shape))
        for name, (dtype, shape) in shapes.items()
    }
    return Dataset(**arrays, scenes=plan.scenes)


def _fill(dataset: Dataset, plan: Plan, sprites: list[list[RGBA]]) -> None:
    _sprites[:] = sprites
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        made = pool.imap(partial(_make, plan), range(plan.total), chunksize=32)
        for index, scene in enumerate(progress(made, plan.name, plan.total)):
            height, width = scene.instances.shape
            count = len(scene.labels)
            dataset.images[index, :height, :width] = scene.image
            dataset.instances[index, :height, :width] = scene.instances
            dataset.sizes[index] = height, width
            dataset.labels[index] = -1
            dataset.labels[index, :count] = scene.labels
            dataset.boxes[index, :count] = scene.boxes()


def _make(plan: Plan, index: int) -> Scene:
    return make_scene(plan, index, _sprites)


def batches(total: int, size: int, seed: int, start: int) -> Iterator[NDArray[np.int64]]:
    """Endless batches of shuffled indices below `total`, from batch number `start` on, each epoch in its own order."""
    per_epoch = total // size
    epoch, position = divmod(start, per_epoch)
    while True:
        order = np.random.default_rng((seed, epoch)).permutation(total)
        for batch in range(position, per_epoch):
            yield order[batch * size : (batch + 1) * size]
        epoch, position = epoch + 1, 0
