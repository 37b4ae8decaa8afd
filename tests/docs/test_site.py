"""The handbook's site: it builds, its links lead somewhere, and it needs no network."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.handbook import ROOT, pages

LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src"}


class Loaded(HTMLParser):
    """What a page loads by itself, as opposed to where it leads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element names."""
        address = dict(attrs).get(LOADS.get(tag, ""))
        if address and dict(attrs).get("rel") != "canonical":
            self.addresses.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make docs` builds it: strictly, so that a link to nowhere is an error."""
    folder = tmp_path_factory.mktemp("site")
    program = Path(sys.executable).with_name("mkdocs")
    done = subprocess.run(
        [program, "build", "--quiet", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_there(site: Path) -> None:
    """One for each file below docs/."""
    assert {path.stem for path in site.glob("*.html")} - {"404"} == {path.stem for path in (ROOT / "docs").glob("*.md")}


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """No fonts, no scripts, no pictures: all is there, and found from a folder."""
    for path in site.glob("*.html"):
        for address in Loaded(path).addresses:
            assert not re.match(r"(?:https?:)?//", address), (path.name, address)
            if path.name != "404.html":
                assert (path.parent / re.sub(r"[?#].*", "", address)).exists(), (path.name, address)
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(?:https?:)?//", path.read_text()), path.name


def test_all_pages_can_be_searched(site: Path) -> None:
    """The index is the site's own."""
    index = json.loads((site / "search" / "search_index.json").read_text())
    found = {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert found == {path.name for path in site.glob("*.html")} - {"404.html"}


@pytest.mark.parametrize("name", [name for name in pages() if not name.startswith("docs/")])
def test_links_from_the_root_lead_somewhere(name: str) -> None:
    """Those of the README and the changelog, which are no part of the site."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", pages()[name])
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
