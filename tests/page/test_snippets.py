"""The calls that the page offers: they are run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from mainmask.stack.stack import Stack
from tests.page.conftest import SAMPLE
from tests.page.test_journeys import DONE

WORDS = """A "man" on his; @new 'snowboard' — $HOME, `id` \\ done"""
SNIPPETS = """async ({ input, name }) => {
  const { snippets } = await import("/page/snippets.js");
  return snippets({ input }, location.origin, name, false);
}"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the picture lies, under a name that every shell stumbles over."""
    shutil.copy(SAMPLE, tmp_path / 'my "new"; board.jpg')
    return tmp_path


def snippets(page: Page, folder: Path, **words: Any) -> dict[str, str]:
    """The page's calls for the picture in the folder."""
    (picture,) = folder.iterdir()
    said = {"image": {"url": None}, "description": None, "labels": None, "instances": "best", **words}
    made: dict[str, str] = page.evaluate(SNIPPETS, {"input": said, "name": picture.name})
    return made


@pytest.mark.parametrize(
    "words", [{"description": WORDS}, {"labels": ["snowboard", "it's; a man"], "instances": "all"}]
)
def test_curl_says_the_same_to_the_service(home: Page, folder: Path, words: dict[str, Any]) -> None:
    """Whatever quotes the words and the file's name have in them."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on PATH")
    command = ["sh", "-c", snippets(home, folder, **words)["curl"]]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
    job = json.loads(done.stdout)
    assert (job["status"], job["result"]["main_object"]["label"]) == ("succeeded", "snowboard")
    assert {name: job["input"][name] for name in words} == words


@pytest.mark.parametrize(
    "words", [{"description": WORDS}, {"labels": ["snowboard", "it's; a man"], "instances": "all"}]
)
def test_python_says_the_same_to_the_service(home: Page, folder: Path, words: dict[str, Any]) -> None:
    """The snippet runs as it stands, and leaves the mask."""
    code = snippets(home, folder, **words)["python"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, env=environment, check=False
    )
    assert "snowboard" in done.stdout, done.stderr
    assert (folder / "mask.png").read_bytes().startswith(b"\x89PNG")


def test_an_image_that_was_fetched_is_named_by_its_url(home: Page, folder: Path) -> None:
    """In both."""
    made = snippets(home, folder, image={"url": "https://example.com/cat.jpg"}, labels=["cat"])
    assert "--form-string 'image_url=https://example.com/cat.jpg'" in made["curl"]
    assert 'image_url="https://example.com/cat.jpg"' in made["python"]


def test_the_calls_are_copied(home: Page, stack: Stack) -> None:
    """What is in the clipboard is what is shown."""
    home.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=stack.api_url)
    home.get_by_role("button", name="Try the sample").click()
    home.wait_for_selector(DONE)
    home.get_by_text("The same from your code").click()
    for name in ("curl", "python"):
        home.locator(f"[data-copies={name}]").click()
        home.get_by_role("button", name="Copied").wait_for()
        assert home.evaluate("navigator.clipboard.readText()") == home.locator(f"#{name}").text_content()
        home.get_by_role("button", name="Copied").wait_for(state="detached")
