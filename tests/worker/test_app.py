"""How a worker process starts and says so."""

from pathlib import Path

import pytest

from db.settings import settings
from worker import app as worker_app
from worker import runtime as runtime_module


@pytest.fixture
def ready_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the settings name for it."""
    path = tmp_path / "worker.ready"
    monkeypatch.setenv("MAINMASK_WORKER_READY_FILE", str(path))
    settings.cache_clear()
    return path


def test_a_ready_file_that_a_killed_worker_left_is_gone_before_the_models_load(
    ready_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a pod the folder outlives the process: its successor isn't ready until it says so itself."""
    ready_file.touch()
    seen: list[bool] = []
    monkeypatch.setattr(runtime_module, "runtime", lambda: seen.append(ready_file.exists()))
    try:
        worker_app.load_models()
    finally:
        settings.cache_clear()
    assert seen == [False]
