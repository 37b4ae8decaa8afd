"""`mainmask demo`, beside a local stack that runs already (of its own: see tests/e2e)."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mainmask.cli import app
from mainmask.exit_codes import ExitCode
from mainmask.stack.state_file import StateFile
from tests.mainmask.fake_service import FakeService, document, not_found, serving
from tests.mainmask.test_truth import mask

DATA_DIR = Path(".data/stack")


@pytest.fixture
def state_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StateFile]:
    """That of a stack which runs in the usual folder; the sample is a mask that is white on its left half."""
    monkeypatch.chdir(tmp_path)
    sample = tmp_path / "sample"
    sample.mkdir()
    (sample / "snowboard.jpg").write_bytes(b"image bytes")
    (sample / "snowboard-mask.png").write_bytes(mask(0, 0, 5, 10))
    monkeypatch.setattr("mainmask.commands.demo.SAMPLE", sample)
    DATA_DIR.mkdir(parents=True)
    state_file = StateFile(DATA_DIR / "stack.json")
    with state_file.locked():
        yield state_file


def test_demo_uses_the_stack_that_runs(state_file: StateFile) -> None:
    """The sample goes to the running stack; the summary compares its mask with the true one; the files are there."""
    service = FakeService()
    service.picture = mask(0, 0, 4, 10)
    with serving(service) as url:
        state_file.write(api_url=url, flower_url="http://127.0.0.1:5555")
        result = CliRunner().invoke(app, ["demo"])
    assert result.exit_code == ExitCode.OK, result.output
    assert "snowboard" in result.stdout
    assert "0.80 with the sample's true mask" in result.stdout
    assert b"The man skiing on his new snowboard!" in service.requests[0].content
    assert Path("mainmask-out/demo/cutout.png").exists()


def test_json_is_the_document(state_file: StateFile) -> None:
    """And all there is on stdout; the files are there all the same."""
    service = FakeService()
    service.picture = mask(0, 0, 4, 10)
    with serving(service) as url:
        state_file.write(api_url=url, flower_url=None)
        result = CliRunner().invoke(app, ["demo", "--json"])
    assert json.loads(result.stdout) == document()
    assert Path("mainmask-out/demo/mask.png").exists()


def test_demo_says_when_nothing_was_found(state_file: StateFile) -> None:
    """Without a mask there is nothing to compare."""
    with serving(FakeService(not_found())) as url:
        state_file.write(api_url=url, flower_url=None)
        result = CliRunner().invoke(app, ["demo"])
    assert result.exit_code == ExitCode.NOTHING_FOUND
    assert "true mask" not in result.stdout


def test_demo_beside_a_stack_that_is_still_starting(state_file: StateFile) -> None:
    """There is no address to go to yet: the message says why."""
    result = CliRunner().invoke(app, ["demo"])
    assert result.exit_code == ExitCode.ALREADY_RUNNING
    assert "still starting" in result.stderr
