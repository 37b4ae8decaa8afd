"""What the service is made of may be used, changed and sold: the licences of everything that its extras install."""

import re
from importlib.metadata import version

from tests.docker.deployment import DOCKERFILES, ROOT, instructions, run
from tests.licences import EXTRAS, IMAGES, KNOWN, installed, licence, rows, table

PERMISSIVE = re.compile(
    r"\b(?:MIT|(?:Free)?BSD|Apache|ISC|PSF|Python Software Foundation|HPND|Unlicense|CC0|0BSD|Zlib|CNRI)\b",
    re.IGNORECASE,
)


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


def test_the_report_has_everything_once() -> None:
    """With the version that is installed, a licence, and the images that it is in."""
    listed = {name: (at, said, images) for name, at, said, images in rows()}
    assert len(listed) == len(list(rows()))
    assert listed.keys() == installed("mainmask", EXTRAS).keys()
    for name, (at, said, images) in listed.items():
        assert at == version(name)
        assert said not in {"", "not told"}, name
        assert "\n" not in said
        assert images
    assert listed["torch"][2] == "worker"
    assert listed["fastapi"][2] == "api"
    assert listed["celery"][2] == "api, worker"
    assert listed["certifi"][1] == KNOWN["certifi"]


def test_the_images_of_the_report_are_those_that_are_built() -> None:
    """With the extras that they have unless told otherwise, and the one that may be added."""
    for name, dockerfile in DOCKERFILES.items():
        defaults = {
            value.removeprefix("EXTRAS=")
            for word, value in instructions(dockerfile)
            if word == "ARG" and value.startswith("EXTRAS=")
        }
        (default,) = defaults
        assert {*default.split(","), "heic"} == set(IMAGES[name.removeprefix("mainmask-")])


def test_a_command_prints_the_report() -> None:
    """As a Markdown table, which is what `make licences` shows."""
    done = run("python", "-m", "tests.licences")
    assert (done.returncode, done.stdout) == (0, table())
    assert "$(BIN)/python -m tests.licences" in (ROOT / "Makefile").read_text()
