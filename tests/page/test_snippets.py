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

from db.documents import InputDocument
from mainmask import Client, Job
from mainmask.stack.stack import Stack
from tests.page.conftest import SAMPLE
from tests.page.test_journeys import DONE, job_id, send

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
    saved = "mask-0.png" if words.get("instances") == "all" else "mask.png"
    assert (folder / saved).read_bytes().startswith(b"\x89PNG")


def test_an_image_that_was_fetched_is_named_by_its_url(home: Page, folder: Path) -> None:
    """In both."""
    made = snippets(home, folder, image={"url": "https://example.com/cat.jpg"}, labels=["cat"])
    assert "--form-string 'image_url=https://example.com/cat.jpg'" in made["curl"]
    assert 'image_url="https://example.com/cat.jpg"' in made["python"]


@pytest.mark.parametrize(("mode", "every_one"), [("description", False), ("labels", True)])
def test_the_calls_do_what_the_form_has_done(
    home: Page, folder: Path, service: Client, mode: str, every_one: bool
) -> None:
    """Whatever it can be told: the shown texts, run as they are, hand in the same job again."""
    (picture,) = folder.iterdir()
    home.set_input_files("#file", picture)
    if mode == "labels":
        home.get_by_label("List the things").check()
        home.locator("#labels").fill("snowboard, it's; a man")
    else:
        home.get_by_label("Description", exact=True).fill(WORDS)
    if every_one:
        home.get_by_label("Every one of its kind").check()
    send(home)
    home.wait_for_selector(DONE)
    assert_the_calls_hand_in_the_same(home, folder, service, service.get(job_id(home)))


def test_the_calls_say_all_that_a_job_was_told(page: Page, stack: Stack, folder: Path, service: Client) -> None:
    """Also what the form doesn't ask for: a job that a script has sent is opened by its address."""
    (picture,) = folder.iterdir()
    job = service.segment(
        picture,
        labels=["snowboard", "man"],
        instances="all",
        outputs=["cutout", "overlay"],
        on_missing="next",
        box_threshold=0.2,
        priority="low",
        metadata={"order": 7, "is 'new'": True, "shelf": None, "tags": ["a", {"b": 1.5}]},
    )
    page.goto(f"{stack.api_url}/#{job.id}")
    page.wait_for_selector(DONE)
    assert_the_calls_hand_in_the_same(page, folder, service, job)
    assert (folder / "cutout-0.png").read_bytes().startswith(b"\x89PNG")


def test_no_field_of_a_submission_is_left_out(home: Page, folder: Path) -> None:
    """All that a job's document tells of what was asked, but for the profile, which is the service's own."""
    said = {
        "instances": "all",
        "outputs": ["mask"],
        "models": {"detect": "google/owlv2-base-patch16-ensemble"},
        "on_missing": "next",
        "box_threshold": 0.25,
        "priority": "high",
    }
    given = said | {"labels": ["cat"], "description": "a cat"}
    assert given.keys() | {"image", "profile"} == InputDocument.model_fields.keys()
    for words in ({"labels": ["cat"]}, {"description": "a cat"}):
        made = snippets(home, folder, **said, **words)
        for name in (*said, *words):
            assert f"--form-string '{name}=" in made["curl"]
            assert f"        {name}=" in made["python"]
    assert """'models={"detect":"google/owlv2-base-patch16-ensemble"}'""" in made["curl"]
    assert 'models={"detect": "google/owlv2-base-patch16-ensemble"}' in made["python"]


def assert_the_calls_hand_in_the_same(page: Page, folder: Path, service: Client, job: Job) -> None:
    """Both texts that are shown, run where the picture lies."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on PATH")
    shown = {name: str(page.locator(f"#{name}").text_content()) for name in ("curl", "python")}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    # Where this tab doesn't know the picture's name.
    (picture,) = [path for path in folder.iterdir() if path.suffix == ".jpg"]
    shutil.copy(picture, folder / "photo.jpg")
    for command in (["sh", "-c", shown["curl"]], [sys.executable, "-c", f"{shown['python']}    print(job.id)\n"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        is_curl = command[0] == "sh"
        again = service.get(json.loads(done.stdout)["id"] if is_curl else done.stdout.split()[-1])
        assert again.id != job.id
        assert asked(again) == asked(job)


def asked(job: Job) -> dict[str, Any]:
    """All that was asked, and of which picture."""
    said = {name: value for name, value in job.document["input"].items() if name != "image"}
    return {**said, "metadata": job.document["metadata"], "sha256": job.document["input"]["image"]["sha256"]}


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
