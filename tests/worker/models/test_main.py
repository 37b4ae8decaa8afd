"""The command behind `mainmask models pull` and `verify`."""

import json
import shutil
from collections.abc import Iterator

import pytest

from db.settings import settings
from tests.worker.models.conftest import SLIM
from tests.worker.models.hub import Hub
from worker.models.__main__ import main
from worker.pipeline.model_files import ModelFolder


@pytest.fixture(autouse=True)
def set_up(hub: Hub, folder: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings name the hub and the folder."""
    monkeypatch.setenv("MAINMASK_MODELS_MIRROR", hub.url)
    monkeypatch.setenv("MAINMASK_MODELS_DIR", str(folder.root))
    monkeypatch.setenv("MAINMASK_SEGMENT_MODEL", SLIM)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


def test_without_names_it_is_what_the_worker_needs(capsys: pytest.CaptureFixture[str]) -> None:
    """The bundled models are there; the one that the settings name is fetched; then all are whole."""
    assert main(["verify"]) == 1
    assert f"mainmask models pull {SLIM}" in capsys.readouterr().err
    assert main(["pull"]) == 0
    said = capsys.readouterr().err
    assert f"{SLIM}: pulled" in said
    assert "mainmask/tiny-clip: was whole already" in said
    assert main(["verify"]) == 0
    assert f"{SLIM}: whole" in capsys.readouterr().err


def test_programs_read_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing else is on standard output; what is missing is named."""
    assert main(["verify", SLIM, "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["name"], found["whole"], bool(found["error"])) == (SLIM, False, True)
    assert main(["pull", SLIM, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"name": SLIM, "whole": True, "pulled": True}]


def test_names_are_of_models_and_profiles(capsys: pytest.CaptureFixture[str]) -> None:
    """Each of them; another name is wrong usage, and the message says which there are."""
    assert main(["pull", "tiny", SLIM]) == 0
    assert main(["pull", "huge"]) == 2
    assert "Profiles: tiny, base, large" in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "MAINMASK_MODELS_OFFLINE"])
def test_offline_is_heard(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str
) -> None:
    """The hub's own variable, and ours."""
    monkeypatch.setenv(variable, "1")
    settings.cache_clear()
    assert main(["pull", SLIM]) == 1
    assert "forbids to fetch it" in capsys.readouterr().err
    assert hub.requests == []


def test_a_licence_without_commercial_use_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Before it is fetched."""
    assert main(["pull", "facebook/metaclip-b32-400m"]) == 1
    assert "CC-BY-NC-4.0: not for commercial use" in capsys.readouterr().err


def test_a_damaged_model_is_told(folder: ModelFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """And the exit code says so."""
    main(["pull", SLIM])
    weights = next(folder.root.glob("*/model.safetensors"))
    shutil.copy(weights.with_name("config.json"), weights)
    assert main(["verify", SLIM]) == 1
    assert "SHA-256" in capsys.readouterr().err


@pytest.mark.parametrize("mirror", ["hub.example", "file:///models", "http://"])
def test_a_mirror_is_an_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], mirror: str
) -> None:
    """What is none is told before anything is asked."""
    monkeypatch.setenv("MAINMASK_MODELS_MIRROR", mirror)
    settings.cache_clear()
    assert main(["pull", SLIM]) == 2
    assert "models_mirror" in capsys.readouterr().err


def test_an_empty_mirror_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As container files write what isn't set."""
    monkeypatch.setenv("MAINMASK_MODELS_MIRROR", "")
    settings.cache_clear()
    assert settings().models_mirror is None


def test_wrong_settings_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a traceback."""
    monkeypatch.setenv("MAINMASK_PROFILE", "huge")
    settings.cache_clear()
    assert main(["verify"]) == 2
    assert "there are: base, large, tiny" in capsys.readouterr().err
