"""docs/contributing.md and the changelog against the code."""

import re
import tomllib

from tests.docs.handbook import ROOT, page

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
IMAGE_TAG = re.compile(r"(?:mainmask-(?:api|worker):|newTag: |mainmask/)(\d+\.\d+\.\d+)")


def test_the_images_have_the_packages_version() -> None:
    """Wherever a file below docker/, or a page, names one."""
    files = [path for folder in ("docker", "docs") for path in (ROOT / folder).rglob("*") if path.is_file()]
    texts = [path.read_text(errors="ignore") for path in files if path.suffix not in {".png", ".jpg"}]
    tags = [tag for text in texts for tag in IMAGE_TAG.findall(text)]
    assert len(tags) >= 8
    assert set(tags) == {VERSION}


def test_the_changelog_has_the_version_or_says_that_it_is_to_come() -> None:
    """By its number under a heading with its date, else under "Unreleased"."""
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## \[(\S+)\](?: - \d{4}-\d{2}-\d{2})?$", text, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert VERSION in headings or f"will be {VERSION}" in text


def test_the_make_targets_that_are_named_are_there() -> None:
    """And those of the README."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for text in (page("contributing.md"), (ROOT / "README.md").read_text()):
        assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)) <= targets


def test_an_entry_of_the_example_is_written_as_the_table_is() -> None:
    """A model's entry of today takes these very fields."""
    example = re.search(r"```python\nCheckpoint\((.*?)\n\)\n", page("contributing.md"), re.DOTALL)
    assert example
    fields = set(re.findall(r"^    (\w+)=", example[1], re.MULTILINE))
    catalog = (ROOT / "db" / "catalog.py").read_text()
    entries = re.findall(r"    Checkpoint\((.*?)\n    \),", catalog, re.DOTALL)
    assert fields in [set(re.findall(r"^        (\w+)=", entry, re.MULTILINE)) for entry in entries]
