"""Picture files with damage: what a hostile or unlucky caller sends."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from db import pictures

FORMATS = tuple(pictures.FORMATS)
MODES = ("RGB", "RGBA", "P", "L", "CMYK", "I;16", "1", "LA")


def originals() -> list[bytes]:
    """Small pictures of every format and mode that Pillow writes, and animations."""
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8))
    found = []
    for kind in FORMATS:
        for mode in MODES:
            converted = picture.convert("L").convert("I;16") if mode == "I;16" else picture.convert(mode)
            for options in ({}, {"save_all": True, "append_images": [converted.rotate(90)]}):
                buffer = io.BytesIO()
                try:
                    converted.save(buffer, kind, **options)
                except (OSError, KeyError, ValueError):
                    continue  # this format has no such mode
                found.append(buffer.getvalue())
    return found


def mutated(count: int, seed: int) -> Iterator[bytes]:
    """So many damaged files, the same for the same seed."""
    rng = np.random.default_rng(seed)
    sources = originals()
    for _ in range(count):
        data = bytearray(sources[rng.integers(len(sources))])
        for _ in range(rng.integers(1, 6)):
            _damage(rng, data, sources)
        yield bytes(data)


def _damage(rng: np.random.Generator, data: bytearray, sources: list[bytes]) -> None:
    """One flip, cut, repetition, number at its extreme, or graft; most of them near the header."""
    if not data:
        return
    reach = len(data) if rng.random() < 0.4 else min(len(data), 128)
    at = int(rng.integers(reach))
    match rng.integers(6):
        case 0:
            data[at] ^= 1 << int(rng.integers(8))
        case 1:
            data[at] = int(rng.integers(256))
        case 2:
            del data[at:]
        case 3:
            data[at:at] = data[at : at + int(rng.integers(1, 40))]
        case 4:
            extreme = (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\xff\xff")
            number = extreme[rng.integers(len(extreme))]
            data[at : at + len(number)] = number
        case _:
            other = sources[rng.integers(len(sources))]
            data[at : at + 16] = other[at : at + 16]
