"""Variations of one object's picture: size, pose, colour and drawing style."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

RGBA = NDArray[np.uint8]


def vary(rng: np.random.Generator, picture: RGBA, area: float, room: tuple[int, int], *, upright: bool) -> RGBA:
    """`picture` in random colours and pose, with about `area` opaque pixels unless `room` (width, height) is less."""
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    image = Image.fromarray(_recolour(rng, picture))
    angle = rng.normal(0, 7) if upright else rng.uniform(-50, 50)
    stretch = np.exp(rng.normal(0, 0.1))
    opaque = max(1, int((picture[..., 3] > 127).sum()))
    scale = np.sqrt(area / opaque)
    width, height = image.width * scale * stretch, image.height * scale / stretch
    turn = np.abs(np.deg2rad(angle))
    needed = (
        width * np.cos(turn) + height * np.sin(turn),
        width * np.sin(turn) + height * np.cos(turn),
    )
    fit = min(1.0, 0.96 * room[0] / needed[0], 0.96 * room[1] / needed[1])
    size = (max(6, round(width * fit)), max(6, round(height * fit)))
    image = image.resize(size, Image.Resampling.BICUBIC)
    if rng.random() < 0.12:
        image = _ink(rng, image)
    return np.asarray(image.rotate(angle, Image.Resampling.BICUBIC, expand=True))


def _recolour(rng: np.random.Generator, picture: RGBA) -> RGBA:
    """Shifts hue, saturation, contrast and brightness; a few pictures lose colour or gradients altogether."""
    colour = picture[..., :3].astype(np.float32)
    if rng.random() < 0.6:
        colour = colour @ _hue_matrix(rng.normal(0, 0.22) if rng.random() < 0.7 else rng.uniform(-np.pi, np.pi)).T
    grey = colour.mean(-1, keepdims=True)
    saturation = 0 if rng.random() < 0.03 else rng.uniform(0.5, 1.3)
    colour = grey + (colour - grey) * np.float32(saturation)
    colour = (colour - 128) * np.float32(rng.uniform(0.75, 1.2)) + 128 + np.float32(rng.normal(0, 14))
    if rng.random() < 0.12:
        levels = rng.uniform(40, 80)
        colour = np.round(colour / levels) * levels
    return np.concatenate([np.clip(colour, 0, 255).astype(np.uint8), picture[..., 3:]], -1)


def _hue_matrix(angle: float) -> NDArray[np.float32]:
    """Rotation of RGB about the grey axis (Rodrigues' formula)."""
    cosine, sine, third = np.cos(angle), np.sin(angle), 1 / np.sqrt(3)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) * third
    return np.asarray(cosine * np.eye(3) + sine * cross + (1 - cosine) / 3 * np.ones((3, 3)), np.float32)


def _ink(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Draws dark lines around and inside, as a pen would."""
    thick = 2 * int(rng.integers(1, 3)) + 1
    margin = thick
    framed = Image.new("RGBA", (image.width + 2 * margin, image.height + 2 * margin))
    framed.paste(image, (margin, margin))
    alpha = framed.getchannel("A")
    edges = framed.convert("L").filter(ImageFilter.FIND_EDGES).point(lambda v: 255 if v > 60 else 0)
    outline = Image.new("RGBA", framed.size, (*[int(v) for v in rng.integers(0, 50, 3)], 255))
    inked = framed.copy()
    if rng.random() < 0.5:
        pale = Image.new("RGBA", framed.size, (255, 255, 255, 255))
        inked = Image.composite(Image.blend(framed, pale, float(rng.uniform(0, 0.7))), framed, alpha)
    inked = Image.composite(outline, inked, edges)
    inked.putalpha(alpha)
    result = Image.composite(outline, Image.new("RGBA", framed.size), alpha.filter(ImageFilter.MaxFilter(thick)))
    result.alpha_composite(inked)
    return result
