"""Variations of one object's picture: size, pose, colour and drawing style."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps
from scipy import ndimage

RGBA = NDArray[np.uint8]


def vary(rng: np.random.Generator, picture: RGBA, area: float, room: tuple[int, int], *, upright: bool) -> RGBA:
    """`picture` in random colours and pose, with about `area` opaque pixels unless `room` (width, height) is less."""
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    if _is_single_coloured(picture):
        picture = _colour_in(rng, picture)
    image = Image.fromarray(picture)
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
    image = Image.fromarray(_recolour(rng, np.asarray(image.resize(size, Image.Resampling.BICUBIC))))
    if rng.random() < 0.12:
        image = _ink(rng, image)
    return np.asarray(image.rotate(angle, Image.Resampling.BICUBIC, expand=True))


def _is_single_coloured(picture: RGBA) -> bool:
    """Whether it is line art, or a silhouette: one colour, and how much of it."""
    some = picture[::4, ::4]
    inked = some[some[..., 3] > 127]
    return not inked.size or bool((np.ptp(inked[:, :3], axis=0) < 8).all())


def _colour_in(rng: np.random.Generator, picture: RGBA) -> RGBA:
    """Paints what lines enclose, and the lines, in a few flat colours, as a child or a printer would."""
    ink = picture[..., 3].astype(np.float32) / 255
    holes, count = ndimage.label(ndimage.binary_fill_holes(ink > 0.1) & (ink <= 0.5))
    palette = rng.uniform(30, 255, (3, 3))
    palette[0] = rng.uniform(225, 255) if rng.random() < 0.4 else palette[0]
    colours = palette[rng.integers(3, size=count + 1)]
    # What lines outline keeps them dark; a silhouette's "lines" are its body.
    dark = 0.7 if (holes > 0).sum() > ink.sum() / 2 else 0.25
    lines = rng.uniform(0, 60, 3) if rng.random() < dark else rng.uniform(0, 255, 3)
    # Under the soft rims of the lines lies the colour of the nearest hole.
    nearest = ndimage.distance_transform_edt(holes == 0, return_distances=False, return_indices=True)
    under = colours[holes[tuple(nearest)]] if count else np.broadcast_to(lines, (*ink.shape, 3))
    alpha = np.where(holes > 0, 1.0, ink)
    colour = under + (lines - under) * ink[..., None]
    return np.concatenate([colour, alpha[..., None] * 255], -1).astype(np.uint8)


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


def outlined(rng: np.random.Generator, picture: RGBA) -> RGBA:
    """`picture` redrawn as comics and many sets of icons are: dark outlines, mostly with flat colours between them."""
    line = 2 * round(float(rng.uniform(0.008, 0.022)) * max(picture.shape[:2])) + 1
    framed = ImageOps.expand(Image.fromarray(picture), border=line)
    colours = framed.convert("RGB")
    flat = colours.filter(ImageFilter.MedianFilter(5)).quantize(int(rng.integers(3, 8)), dither=Image.Dither.NONE)
    regions = np.asarray(Image.fromarray(np.asarray(flat)).filter(ImageFilter.ModeFilter(5)))
    if rng.random() < 0.7:
        palette = np.array(flat.getpalette(), np.uint8).reshape(-1, 3)
        # Unpainted paper is a colour, too.
        palette[rng.random(len(palette)) < 0.15] = 255
        colours = Image.fromarray(palette[regions])
    pen = tuple(int(value) for value in rng.integers(0, 45, 3))
    inner_line = line if rng.random() < 0.5 else 3
    colours.paste(pen, mask=_borders(regions).filter(ImageFilter.MaxFilter(inner_line)))
    drawn = Image.new("RGB", framed.size, pen)
    drawn.paste(colours, mask=framed.getchannel("A").point(lambda v: 255 if v > 127 else 0))
    drawn.putalpha(framed.getchannel("A").filter(ImageFilter.MaxFilter(line)))
    return np.asarray(drawn)


def _borders(regions: NDArray[np.uint8]) -> Image.Image:
    """White where the pixel to the right or below belongs to another region."""
    differs = np.zeros(regions.shape, bool)
    differs[:, :-1] |= regions[:, :-1] != regions[:, 1:]
    differs[:-1] |= regions[:-1] != regions[1:]
    return Image.fromarray(np.where(differs, 255, 0).astype(np.uint8))
