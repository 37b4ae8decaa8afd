"""What stands behind the objects of a scene, and what may bury their lower part."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]


def background(rng: np.random.Generator, width: int, height: int) -> Pixels:
    """A background of one of several kinds, as (height, width, 3) float32 in 0..255."""
    kinds = (_flat, _gradient, _noise, _stripes, _landscape, _room, _blobs)
    kind = kinds[rng.choice(len(kinds), p=(0.12, 0.18, 0.16, 0.08, 0.22, 0.1, 0.14))]
    canvas = kind(rng, width, height)
    if rng.random() < 0.5:
        canvas += rng.uniform(4, 22) * (texture(rng, width, height, int(rng.integers(4, 64))) - 0.5)[..., None]
    clipped: Pixels = np.clip(canvas, 0, 255)
    return clipped


def texture(rng: np.random.Generator, width: int, height: int, cells: int) -> Pixels:
    """Smooth noise with about `cells` bumps along the longer side, as (height, width) in 0..1."""
    grid = rng.random((max(2, cells * height // max(width, height)), max(2, cells)), dtype=np.float32)
    image = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
    smooth: Pixels = np.clip(np.asarray(image), 0, 1)
    return smooth


def ground(rng: np.random.Generator, width: int, height: int) -> Pixels:
    """Snow, grass, sand, water or earth."""
    colours = ((236, 242, 250), (236, 242, 250), (96, 150, 60), (222, 196, 140), (70, 130, 180), (120, 90, 60))
    colour = np.array(colours[rng.integers(len(colours))], np.float32) * rng.uniform(0.8, 1.05)
    canvas = np.broadcast_to(colour, (height, width, 3)) + np.float32(0)
    for cells, strength in ((6, 18), (50, rng.uniform(4, 30))):
        canvas += strength * (texture(rng, width, height, cells) - 0.5)[..., None]
    clipped: Pixels = np.clip(canvas, 0, 255)
    return clipped


def horizon(rng: np.random.Generator, width: int, level: float, roughness: float) -> NDArray[np.float32]:
    """A wavy line: for every column the height of its first pixel below the line."""
    x = np.linspace(0, 1, width, dtype=np.float32)
    waves = sum(
        rng.normal() / frequency * np.sin(2 * np.pi * (frequency * x + rng.random())) for frequency in (0.5, 1, 2, 5)
    )
    return np.asarray(level + roughness * waves + rng.normal() * roughness * (x - 0.5), np.float32)


def _colour(rng: np.random.Generator) -> Pixels:
    if rng.random() < 0.4:
        # Pale and grey backgrounds are what product pictures have.
        return np.float32(rng.uniform(90, 255)) + rng.uniform(-18, 18, 3).astype(np.float32)
    return rng.uniform(0, 255, 3).astype(np.float32)


def _flat(rng: np.random.Generator, width: int, height: int) -> Pixels:
    return np.broadcast_to(_colour(rng), (height, width, 3)).astype(np.float32)


def _gradient(rng: np.random.Generator, width: int, height: int) -> Pixels:
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    blend = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5) + 0.5
    blend = np.clip(blend, 0, 1).astype(np.float32)[..., None]
    return np.asarray(_colour(rng) * blend + _colour(rng) * (1 - blend), np.float32)


def _noise(rng: np.random.Generator, width: int, height: int) -> Pixels:
    canvas = _gradient(rng, width, height)
    for cells in (3, 9, 30):
        canvas += rng.normal(0, 40, 3).astype(np.float32) * (texture(rng, width, height, cells) - 0.5)[..., None] * 1.5
    return canvas


def _stripes(rng: np.random.Generator, width: int, height: int) -> Pixels:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    pitch, angle = rng.uniform(0.04, 0.25) * max(width, height), rng.uniform(0, np.pi)
    bands = np.floor((x * np.cos(angle) + y * np.sin(angle)) / pitch) % 2
    if rng.random() < 0.4:
        bands = (bands + np.floor((y * np.cos(angle) - x * np.sin(angle)) / pitch)) % 2
    first = _colour(rng)
    second = first + rng.uniform(-70, 70, 3) if rng.random() < 0.7 else _colour(rng)
    return np.where(bands[..., None] > 0, first, second).astype(np.float32)


def _landscape(rng: np.random.Generator, width: int, height: int) -> Pixels:
    sky = np.array(((150, 200, 240), (190, 210, 225), (250, 190, 140), (40, 50, 90))[rng.integers(4)], np.float32)
    fade = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    canvas = np.broadcast_to(sky * (1 - fade) + (sky * 0.5 + 125) * fade, (height, width, 3)).astype(np.float32)
    canvas += 50 * np.clip(texture(rng, width, height, 8) - 0.55, 0, 1)[..., None]
    rows = np.arange(height, dtype=np.float32)[:, None]
    for level in np.sort(rng.uniform(0.3, 0.85, rng.integers(1, 4))):
        line = horizon(rng, width, level * height, 0.06 * height)
        canvas = np.where((rows > line)[..., None], ground(rng, width, height) * rng.uniform(0.75, 1), canvas)
    return canvas


def _room(rng: np.random.Generator, width: int, height: int) -> Pixels:
    wall, floor = _gradient(rng, width, height), _stripes(rng, width, height)
    canvas = np.where(np.arange(height)[:, None, None] > rng.uniform(0.5, 0.85) * height, floor, wall)
    return canvas.astype(np.float32)


def _blobs(rng: np.random.Generator, width: int, height: int) -> Pixels:
    """Out-of-focus shapes, as behind the subject of a photograph."""
    canvas = _gradient(rng, width, height)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for _ in range(rng.integers(2, 9)):
        radius = rng.uniform(0.05, 0.3) * max(width, height)
        distance = np.hypot((x - rng.uniform(0, width)) * rng.uniform(0.5, 2), y - rng.uniform(0, height))
        edge = rng.uniform(0.03, 0.6) * radius
        cover = np.clip((radius - distance) / edge, 0, 1)[..., None] * rng.uniform(0.3, 1)
        canvas = canvas * (1 - cover) + _colour(rng) * cover
    return canvas.astype(np.float32)
