"""`python -m tests.licences`: everything that is deployed, with its version and licence, as a table."""

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

IMAGES = {"api": ("api", "control", "otel", "heic"), "worker": ("worker", "otel", "heic")}
"""The extras that each image may be built with."""
EXTRAS = tuple(dict.fromkeys(extra for extras in IMAGES.values() for extra in extras))
KNOWN = {
    # Weak copyleft: used as they are, as libraries, which both licences leave free.
    "certifi": "MPL-2.0",
    "psycopg": "LGPL-3.0-only",
    "psycopg-binary": "LGPL-3.0-only",
    "tqdm": "MPL-2.0 AND MIT",
    # Those that don't say it in their metadata.
    "segment-anything": "Apache-2.0 (its repository)",
    # CUDA's libraries come with PyTorch's builds for it, under NVIDIA's terms; the CPU's builds have none of them.
    "cuda-toolkit": "NVIDIA",
    "cuda-pathfinder": "NVIDIA",
    "cuda-bindings": "NVIDIA",
}
"""What is to be known of licences that metadata don't tell, or that aren't permissive."""


def licence(found: Distribution) -> str:
    """As the metadata say: the expression, the classifiers, or the free text's first line."""
    metadata = found.metadata
    classifiers = [
        value.rpartition(" :: ")[2] for value in metadata.get_all("Classifier") or [] if "License ::" in value
    ]
    free_text = "".join(metadata.get_all("License") or []).strip().partition("\n")[0]
    expression = "".join(metadata.get_all("License-Expression") or [])
    return expression or ", ".join(classifiers) or free_text


def requirements(name: str, extras: tuple[str, ...]) -> Iterator[Requirement]:
    """What the package asks for, with these extras, on this machine."""
    for line in distribution(name).requires or []:
        wanted = Requirement(line)
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield wanted


def installed(name: str, extras: tuple[str, ...]) -> dict[str, Distribution]:
    """All that the package with these extras stands on, by its name."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    waiting = [(name, extras)]
    while waiting:
        asked = waiting.pop()
        if asked in seen:
            continue
        seen.add(asked)
        try:
            found[canonicalize_name(asked[0])] = distribution(asked[0])
        except PackageNotFoundError:  # another platform's
            continue
        waiting += [(one.name, tuple(sorted(one.extras))) for one in requirements(*asked)]
    return found


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Of each distribution on this machine its name, version, licence, and the images that it is in."""
    found = {image: installed("mainmask", extras) for image, extras in IMAGES.items()}
    everything = {name: each for members in found.values() for name, each in members.items()}
    for name, each in sorted(everything.items()):
        said = KNOWN.get(name) or licence(each) or "not told"
        yield name, each.version, said, ", ".join(image for image in IMAGES if name in found[image])


def table() -> str:
    """The rows in Markdown."""
    lines = ["| distribution | version | licence | image |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
