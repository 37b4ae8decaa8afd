"""`mainmask models`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from mainmask import worker_side
from mainmask.cli import app
from mainmask.exit_codes import ExitCode
from tests.mainmask.fake_service import serving


def model(**changes: Any) -> dict[str, Any]:
    """A line of the service's table."""
    return {
        "name": "mainmask/tiny-clip",
        "stage": "classify",
        "license": "Apache-2.0",
        "commercial_use": True,
        "parameters": 3_000_000,
        "input_pixels": 128,
        "sha256": None,
        "default": True,
        "lent": False,
        "ready": True,
        "revision": None,
        **changes,
    }


OWL = model(name="google/owlv2", stage="detect", default=False, lent=True, ready=False)
METACLIP = model(name="facebook/metaclip", license="CC-BY-NC-4.0", commercial_use=False, default=False)


def invoke(answer: httpx.Response, *arguments: str, columns: int = 120) -> Any:
    """The command against a service that answers so, in a terminal of so many columns."""
    with serving(lambda _: answer) as url:  # type: ignore[arg-type] # as FakeService is called
        return CliRunner().invoke(app, ["models", *arguments, "--url", url], env={"COLUMNS": str(columns)})


def test_the_list_says_what_each_model_is_here() -> None:
    """Its stage, sizes and licence; whether it answers, or would if it were asked for."""
    result = invoke(httpx.Response(200, json={"models": [model(), OWL, METACLIP]}), "list")
    assert result.exit_code == 0
    clip, *owl, metaclip, not_, commercial = (" ".join(line.split()) for line in result.stdout.splitlines()[1:])
    assert clip == "classify mainmask/tiny-clip 3 M 128 Apache-2.0 default"
    assert " ".join(owl) == "detect google/owlv2 3 M 128 Apache-2.0 on request, no worker has it"
    assert " ".join((metaclip, not_, commercial)).endswith("CC-BY-NC-4.0 (not commercial)")


def test_the_list_says_which_weights_they_are() -> None:
    """By the beginning of their sum: of a worker's, else the published ones; what the hub has isn't known here."""
    ready, published, of_hub = model(revision="0123456789ab", sha256="f" * 64), model(sha256="c" * 64), model()
    heads, *lines = invoke(httpx.Response(200, json={"models": [ready, published, of_hub]}), "list").stdout.splitlines()
    assert [line[heads.index("revision") :].strip() for line in lines] == ["0123456789ab", "c" * 12, ""]


def test_a_narrow_list_keeps_the_names_together() -> None:
    """What is left out for it is in the list of a wider terminal, and in the JSON."""
    answer = httpx.Response(200, json={"models": [model(name="IDEA-Research/grounding-dino", sha256="c" * 64)]})
    shown = invoke(answer, "list", columns=80).stdout
    assert "IDEA-Research/grounding-dino" in shown
    assert "revision" not in shown


def test_json_is_the_services_answer() -> None:
    """For other programs."""
    table = {"profile": "tiny", "models": [model()]}
    assert json.loads(invoke(httpx.Response(200, json=table), "list", "--json").stdout) == table


@pytest.mark.parametrize("answer", [{}, {"models": [{}]}, {"models": 7}, []], ids=str)
def test_an_answer_that_is_no_table_is_told(answer: Any) -> None:
    """Without a traceback."""
    result = invoke(httpx.Response(200, json=answer), "list")
    assert result.exit_code == ExitCode.UNREACHABLE
    assert "no table of models" in result.stderr


def test_without_the_workers_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client alone is a small installation."""
    monkeypatch.setattr(worker_side, "NEEDED", ("a_package_that_is_not_there",))
    result = CliRunner().invoke(app, ["models", "pull", "base"])
    assert result.exit_code == ExitCode.USAGE
    assert "mainmask[worker]" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["verify", "tiny"], 0, "mainmask/tiny-sam: whole"),
        (["verify", "segment-anything/vit-b"], 1, "mainmask models pull segment-anything/vit-b"),
        (["pull", "huge"], 2, "Profiles: tiny, base, large"),
    ],
)
def test_pull_and_verify_are_the_workers_own(arguments: list[str], code: int, said: str, tmp_path: Path) -> None:
    """The command's output and exit code are those of the program that takes its place."""
    environment = {**os.environ, "MAINMASK_MODELS_DIR": str(tmp_path), "MAINMASK_PROFILE": "tiny"}
    command = [sys.executable, "-m", "mainmask", "models", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_what_became_of_the_models_is_json_too(tmp_path: Path) -> None:
    """One outcome each, on stdout; what is missing has its cause."""
    environment = {**os.environ, "MAINMASK_MODELS_DIR": str(tmp_path), "MAINMASK_PROFILE": "tiny"}
    names = ["mainmask/tiny-sam", "segment-anything/vit-b"]
    command = [sys.executable, "-m", "mainmask", "models", "verify", "--json", *names]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    whole, missing = json.loads(done.stdout)
    assert (done.returncode, whole["name"], whole["whole"]) == (1, names[0], True)
    assert (missing["name"], missing["whole"]) == (names[1], False)
    assert "mainmask models pull" in missing["error"]
