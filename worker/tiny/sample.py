"""`python -m worker.tiny.sample`: draws the picture of `make demo`, a snowboard half under snow, and its true mask."""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from worker.tiny.art import fetch_art, picture, rasterise
from worker.tiny.backgrounds import horizon, texture
from worker.tiny.drawings import draw

WIDTH, HEIGHT = 900, 600
STANDING_MAN = "1f9cd-200d-2642"
BOARD_STYLE, BOARD_SEED = "gradient", 901
SNOW = np.array([240, 245, 252], np.float32)

Pixels = NDArray[np.float32]


def main() -> None:
    """Writes `snowboard.jpg` and `snowboard-mask.png`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("mainmask/sample"), help="where the two files go")
    parser.add_argument("--work", type=Path, default=Path(".data/tiny"), help="where fetched art is kept")
    parser.add_argument("--seed", type=int, default=7, help="another seed, another hillside and board")
    options = parser.parse_args()
    fetch_art(options.work / "art", ("fluent-3d",))
    image, mask = paint(options.work / "art", options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(options.out / "snowboard.jpg", quality=93)
    Image.fromarray(mask).save(options.out / "snowboard-mask.png")


def paint(art: Path, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The picture, (600, 900, 3), and the snowboard's visible pixels, (600, 900)."""
    rng = np.random.default_rng(seed)
    canvas = _hillside(rng)
    man = Image.fromarray(picture(art, "fluent-3d", STANDING_MAN, 400))
    _lay(canvas, man.resize((round(man.width * 235 / man.height), 235), Image.Resampling.LANCZOS), 150, 255)
    board = Image.fromarray(rasterise(draw("snowboard", BOARD_STYLE, BOARD_SEED + seed), 560))
    board = board.rotate(-16, Image.Resampling.BICUBIC, expand=True)
    left, top = 445 - board.width // 2, 40
    cover = _lay(canvas, board, left, top)
    drift = horizon(rng, WIDTH, 440, 4)
    # The board has pushed up a little snow where it stands.
    drift -= 26 * np.exp(-(((np.arange(WIDTH) - 425) / 90) ** 2)).astype(np.float32)
    below = _below(drift)
    canvas[:] = canvas * (1 - below) + _snow(rng, drift) * below
    image = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6))
    return np.asarray(image), (cover > 0.5) & (below[..., 0] < 0.5)


def _hillside(rng: np.random.Generator) -> Pixels:
    """Sky, far peaks, trees and a snowy slope."""
    fade = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None, None]
    canvas = np.array([96, 165, 228], np.float32) * (1 - fade) + np.array([226, 238, 248], np.float32) * fade
    canvas = np.repeat(canvas, WIDTH, 1)
    clouds = np.clip(texture(rng, WIDTH, HEIGHT, 7) - 0.55, 0, 1)[..., None]
    canvas += (255 - canvas) * clouds * 1.6
    peaks = horizon(rng, WIDTH, 285, 42)
    shade = 1 - 0.12 * texture(rng, WIDTH, HEIGHT, 14)[..., None]
    canvas += (np.array([176, 196, 220], np.float32) * shade - canvas) * _below(peaks)
    for x, size in ((735, 190), (825, 150), (60, 130)):
        _lay(canvas, _pine(rng, size), x - size // 3, 400 - size)
    slope = horizon(rng, WIDTH, 385, 8)
    below = _below(slope)
    return canvas * (1 - below) + _snow(rng, slope) * 0.97 * below


def _snow(rng: np.random.Generator, surface: Pixels) -> Pixels:
    """Snow that is a little bluer the deeper it lies under its surface."""
    depth = np.clip((np.arange(HEIGHT, dtype=np.float32)[:, None] - surface) / 260, 0, 1)[..., None]
    grain = 7 * (texture(rng, WIDTH, HEIGHT, 120) - 0.5) + 14 * (texture(rng, WIDTH, HEIGHT, 9) - 0.5)
    return np.asarray(SNOW - depth * np.array([38, 26, 10], np.float32) + grain[..., None], np.float32)


def _below(line: Pixels) -> Pixels:
    """1 under a line given by column, 0 above, soft at the line. (600, 900, 1)."""
    share: Pixels = np.clip(np.arange(HEIGHT, dtype=np.float32)[:, None] - line, 0, 1)[..., None]
    return share


def _pine(rng: np.random.Generator, size: int) -> Image.Image:
    image = Image.new("RGBA", (size * 2 // 3, size))
    pen = ImageDraw.Draw(image)
    middle = image.width / 2
    pen.rectangle((middle - size / 24, size * 0.85, middle + size / 24, size), fill=(92, 66, 48, 255))
    for level in range(4):
        top, half = size * (0.02 + 0.19 * level), image.width * (0.22 + 0.09 * level)
        green = (38 + int(rng.integers(12)), 88 + 9 * level, 66, 255)
        pen.polygon([(middle, top), (middle - half, top + size * 0.32), (middle + half, top + size * 0.32)], fill=green)
        pen.polygon(
            [(middle, top), (middle - half * 0.4, top + size * 0.13), (middle + half * 0.4, top + size * 0.13)],
            fill=(238, 244, 250, 255),
        )
    return image


def _lay(canvas: Pixels, sprite: Image.Image, left: int, top: int) -> Pixels:
    """Paints a sprite over the canvas and returns how much of each pixel it covers, (600, 900) in 0..1."""
    layer = Image.new("RGBA", (WIDTH, HEIGHT))
    layer.paste(sprite, (left, top))
    pixels = np.asarray(layer, np.float32)
    cover = pixels[..., 3] / 255
    canvas += (pixels[..., :3] - canvas) * cover[..., None]
    return np.asarray(cover, np.float32)


if __name__ == "__main__":
    main()
