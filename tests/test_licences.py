"""What the service is made of may be used, changed and sold: the licences of everything that its extras install."""

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = ("api", "control", "worker", "heic", "otel")
PERMISSIVE = re.compile(
    r"\b(?:MIT|(?:Free)?BSD|Apache|ISC|PSF|Python Software Foundation|HPND|Unlicense|CC0|0BSD|Zlib|CNRI)\b",
    re.IGNORECASE,
)
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


def test_all_that_is_deployed_may_be_used_and_sold() -> None:
    """Permissive licences, but for those that are looked at above; nothing without any."""
    found = installed("mainmask", EXTRAS)
    assert {"torch", "fastapi", "celery", "spacy", "pillow"} <= set(found)
    doubtful = {
        name: licence(each)
        for name, each in found.items()
        if name not in KNOWN and not name.startswith("nvidia-") and not PERMISSIVE.search(licence(each))
    }
    assert doubtful == {}
    copyleft = {name for name, each in found.items() if re.search(r"GPL", licence(each))}
    assert copyleft <= set(KNOWN)


def test_what_only_sounds_permissive_is_not() -> None:
    """Words are looked for, not letters."""
    for text in ("Proprietary, limited use", "Commercial: see disclosure", "GPL-3.0", ""):
        assert not PERMISSIVE.search(text)
    for text in ("MIT License", "3-Clause BSD License", "MIT-CMU", "Apache-2.0 OR BSD-2-Clause", "FreeBSD"):
        assert PERMISSIVE.search(text)
