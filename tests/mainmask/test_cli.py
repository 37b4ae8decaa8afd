"""The command line: what it prints and saves, and how it ends."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

import mainmask
from mainmask.cli import app
from mainmask.exit_codes import MEANINGS, ExitCode
from tests.mainmask.fake_service import RESULT, FakeService, document, failed, not_found, problem, serving

NOBODY_THERE = "http://127.0.0.1:9"
DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"


@pytest.fixture
def service() -> FakeService:
    """A service whose jobs succeed."""
    return FakeService()


@pytest.fixture
def url(service: FakeService) -> Iterator[str]:
    """The service's address."""
    with serving(service) as address:
        yield address


@pytest.fixture(autouse=True)
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a picture, and a folder without one."""
    monkeypatch.chdir(tmp_path)
    path = Path("photo.jpg")
    path.write_bytes(b"image bytes")
    Path("empty").mkdir()
    return path


def run(*arguments: str) -> Result:
    """Run the command line; whatever it is told, it ends by itself and without a traceback."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result


def segment(*arguments: str) -> Result:
    """Run `mainmask segment` on the picture."""
    return run("segment", "photo.jpg", *arguments)


def test_segment_prints_a_summary_and_saves_the_files(url: str) -> None:
    """Label, score, box, predicted IoU, times and files, for people; the files are there."""
    result = segment("--text", "a man on a snowboard", "--url", url)
    assert result.exit_code == ExitCode.OK
    assert "The main object is snowboard (score 0.83)." in result.stdout
    assert "(212, 310) to (401, 378)" in result.stdout
    assert "predicted IoU 0.93" in result.stdout
    assert "classify 41 ms · detect 41 ms · segment 41 ms" in result.stdout
    folder = Path("mainmask-out/photo")
    assert str(folder / "mask.png") in result.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["cutout.png", "job.json", "mask.png", "overlay.jpg"]
    assert (folder / "overlay.jpg").read_bytes() == b"/storage/overlay/0"
    assert json.loads((folder / "job.json").read_text())["status"] == "succeeded"


def test_segment_takes_labels(service: FakeService, url: str) -> None:
    """The list may have spaces; each label arrives on its own."""
    assert segment("--labels", "man, snowboard,", "--url", url).exit_code == ExitCode.OK
    body = service.requests[0].content.decode()
    assert 'name="labels"\r\n\r\nman\r\n' in body
    assert 'name="labels"\r\n\r\nsnowboard\r\n' in body


def test_several_instances_are_numbered(service: FakeService, url: str) -> None:
    """Each instance has its own files and lines."""
    service.answers = [document(result={**RESULT, "instances": RESULT["instances"] * 2})]
    result = segment("-t", "snowboards", "--instances", "all", "--out", "cut", "--url", url)
    assert "2. box" in result.stdout
    assert Path("cut/mask-2.png").read_bytes() == b"/storage/mask/1"


def test_only_the_wanted_pictures_are_made_and_saved(service: FakeService, url: str) -> None:
    """The service is told which, and no other is asked for."""
    service.answers = [document(input={**document()["input"], "outputs": ["cutout"]})]
    assert segment("-t", "a man", "--output", "cutout", "--out", "cut", "--url", url).exit_code == ExitCode.OK
    assert 'name="outputs"\r\n\r\ncutout\r\n' in service.requests[0].content.decode()
    assert sorted(path.name for path in Path("cut").iterdir()) == ["cutout.png", "job.json"]


def test_a_close_call_is_said_in_plain_words(service: FakeService, url: str) -> None:
    """An ambiguous answer names the label that is nearly as good."""
    service.answers = [document(result={**RESULT, "main_object": {**RESULT["main_object"], "ambiguous": True}})]
    assert "A close call, so don't rely on it: man has 0.17." in segment("-t", "a man", "--url", url).stdout


def test_a_close_call_with_a_better_one_that_is_missing_names_that(service: FakeService, url: str) -> None:
    """Where the second candidate is the main object, the first is the other one."""
    man = {**RESULT["candidates"][1], "margin": -0.66, "ambiguous": True}
    service.answers = [document(result={**RESULT, "main_object": man})]
    said = segment("-t", "a man", "--on-missing", "next", "--url", url).stdout
    assert "A close call, so don't rely on it: snowboard has 0.83." in said
    assert 'name="on_missing"\r\n\r\nnext\r\n' in service.requests[0].content.decode()


def test_a_label_is_no_markup(service: FakeService, url: str) -> None:
    """Brackets in a label are printed as they are."""
    service.answers = [document(result={**RESULT, "main_object": {**RESULT["main_object"], "label": "[red]hat[/x]"}})]
    assert "[red]hat[/x]" in segment("-t", "a man", "--url", url).stdout


def test_json_is_all_there_is_on_stdout(url: str) -> None:
    """Under --json stdout is the job document, and no files are saved unasked."""
    result = segment("-t", "a man", "--json", "--url", url)
    assert json.loads(result.stdout) == document()
    assert not Path("mainmask-out").exists()


def test_json_saves_files_where_told(url: str) -> None:
    """With --out there are files beside the JSON."""
    result = segment("-t", "a man", "--json", "--out", "cut", "--url", url)
    assert json.loads(result.stdout) == document()
    assert Path("cut/mask.png").exists()


def test_nothing_found(service: FakeService, url: str) -> None:
    """Finding nothing is told in words and by its own exit code."""
    service.answers = [not_found()]
    result = segment("-t", "a man", "--url", url)
    assert result.exit_code == ExitCode.NOTHING_FOUND
    assert "but it was not found in the picture" in result.stdout


def test_why_nothing_was_found_is_told(service: FakeService, url: str) -> None:
    """In the service's own words."""
    told = "None of the 2 candidates seems to be in the picture."
    service.answers = [document(result={**RESULT, "outcome": "not_found", "instances": [], "explanation": told})]
    assert told in segment("-t", "a man", "--url", url).stdout


@pytest.mark.parametrize(
    ("answer", "exit_code", "message"),
    [
        (failed(), ExitCode.JOB_FAILED, "failed in detect: the GPU is full"),
        (problem(404, "job-not-found", "gone"), ExitCode.REJECTED, "There is no job"),
        (httpx.Response(404, text="<html>"), ExitCode.UNREACHABLE, "makes no sense"),
        (document("running"), ExitCode.TIMED_OUT, "has not ended after 0 s"),
    ],
)
def test_how_a_job_can_go_wrong(
    service: FakeService, url: str, answer: dict[str, Any] | httpx.Response, exit_code: ExitCode, message: str
) -> None:
    """Each cause has its exit code and one plain message on stderr."""
    service.answers = [answer]
    result = segment("-t", "a man", "--timeout", "0", "--url", url)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert message in result.stderr


def test_a_failed_job_is_json_too(service: FakeService, url: str) -> None:
    """Under --json a script gets the document of a failed job, which says why."""
    service.answers = [failed()]
    result = segment("-t", "a man", "--json", "--url", url)
    assert result.exit_code == ExitCode.JOB_FAILED
    assert json.loads(result.stdout)["error"]["type"] == "out-of-memory"


def test_a_rejected_picture(service: FakeService, url: str) -> None:
    """The service's own words reach the user."""
    service.accepted = problem(422, "invalid-image", "The image cannot be read.")
    result = segment("-t", "a man", "--url", url)
    assert (result.exit_code, result.stderr) == (ExitCode.REJECTED, "The image cannot be read.\n")


def test_a_service_that_is_down() -> None:
    """Nobody at the address: the message names it, and says how to start one."""
    result = segment("-t", "a man", "--url", NOBODY_THERE)
    assert result.exit_code == ExitCode.UNREACHABLE
    assert NOBODY_THERE in result.stderr
    assert "mainmask up" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["segment", "none.jpg", "-t", "a man"],
        ["segment", "empty", "-t", "a man"],
        ["segment", "none-*.jpg", "-t", "a man"],
        ["segment", "photo.jpg", "-t", "a man", "--captions", "photo.jpg"],
        ["segment", ".", "--captions", "photo.jpg"],
        ["segment", ".", "-t", "a man", "--out", "."],
        ["jobs", "list", "--status", "lost"],
        ["segment", "photo.jpg"],
        ["segment", "photo.jpg", "-t", "a man", "--labels", "man"],
        ["segment", "photo.jpg", "--labels", " , "],
        ["segment", "photo.jpg", "-t", "a man", "--instances", "some"],
        ["segment", "photo.jpg", "-t", "a man", "--url", "127.0.0.1:8000"],
        ["segment", "photo.jpg", "-t", "a man", "--out", "photo.jpg"],
        ["up", "--port", "70000"],
        ["up", "--data-dir", "photo.jpg"],
        ["sagment"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    """What cannot be meant is refused with words on stderr."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert result.stderr


def test_a_folder_that_cannot_be_made(url: str) -> None:
    """Files that cannot be saved are the user's to solve: the message names the path."""
    result = segment("-t", "a man", "--out", "photo.jpg/inside", "--url", url)
    assert result.exit_code == ExitCode.USAGE
    assert "photo.jpg/inside: Not a directory" in result.stderr


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Ctrl-C ends without a word, with the usual code."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mainmask.client.Client.wait", interrupt)
    result = segment("-t", "a man", "--url", url)
    assert (result.exit_code, result.output) == (130, "")


def test_version() -> None:
    """--version prints one line."""
    result = run("--version")
    assert (result.exit_code, result.stdout) == (ExitCode.OK, f"mainmask {mainmask.__version__}\n")


@pytest.mark.parametrize("command", ["up", "demo", "segment"])
def test_help(command: str) -> None:
    """Each command explains itself and its exit codes."""
    result = run(command, "--help")
    assert result.exit_code == ExitCode.OK
    assert "Exit codes" in result.stdout


def test_no_command_is_a_question() -> None:
    """The bare command lists what there is."""
    assert "segment" in run().output


def commands(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All commands at or below this one, with what one types for them."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, below in command.commands.items():
        yield from commands(below, *path, name)


def all_commands() -> dict[tuple[str, ...], Any]:
    """Those of the command line."""
    return dict(commands(get_command(app)))


def test_every_command_speaks_json() -> None:
    """Each has the option --json."""
    found = all_commands()
    assert len(found) >= 11
    without = [path for path, command in found.items() if "--json" not in {o for p in command.params for o in p.opts}]
    assert without == []


def test_the_exit_codes_are_documented() -> None:
    """docs/cli.md has a row for each, in the words of the help; no code is there twice."""
    table = dict(re.findall(r"^\| (\d+) \| (.*?) \|$", DOCUMENT.read_text(), re.MULTILINE))
    assert table == {str(code.value): meaning for code, meaning in MEANINGS.items()}
    assert list(MEANINGS) == list(ExitCode)


def test_every_command_is_documented() -> None:
    """docs/cli.md names it."""
    text = DOCUMENT.read_text()
    assert [path for path in all_commands() if f"`mainmask {' '.join(path)}" not in text] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("mainmask se", "segment"),
        ("mainmask jobs re", "retry"),
        ("mainmask segment --outp", "--output"),
        ("mainmask jobs list --status fa", "failed"),
    ],
)
def test_the_shell_completes(words: str, expected: str) -> None:
    """What bash asks while somebody types is answered."""
    asked = {"_MAINMASK_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    said = subprocess.run(
        [sys.executable, "-m", "mainmask"], env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    assert expected in said.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_installed(shell: str) -> None:
    """The script for the shell is printed, and asks this command."""
    said = subprocess.run(
        [sys.executable, "-m", "mainmask"],
        env={**os.environ, "_MAINMASK_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "_MAINMASK_COMPLETE" in said.stdout
    assert "--install-completion" in run("--help").stdout
