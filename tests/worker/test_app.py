"""How a worker process starts and says so."""

import gc
import threading
from itertools import chain, repeat
from pathlib import Path
from unittest.mock import Mock

import pytest
from sqlalchemy.exc import OperationalError

from db.settings import settings
from tests.mainmask.stack.programs import wait_for
from worker import app as worker_app
from worker import runtime as runtime_module
from worker.consuming import consuming


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


def test_a_worker_without_its_device_ends_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which one it was told to take, and takes no job."""
    monkeypatch.setenv("MAINMASK_DEVICE", "foo")
    settings.cache_clear()
    runtime_module.runtime.cache_clear()
    try:
        with pytest.raises(SystemExit, match="The worker can't start: Models can't run on the device 'foo'"):
            worker_app.load_models()
    finally:
        settings.cache_clear()


def test_what_a_worker_has_loaded_is_no_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector looks at what jobs make, and not again and again at all that PyTorch is made of."""
    monkeypatch.setattr(runtime_module, "runtime", Mock())
    try:
        worker_app.load_models()
        assert gc.get_freeze_count() > 100_000
        assert len(gc.get_objects()) < gc.get_freeze_count() / 2
    finally:
        gc.unfreeze()


def test_a_worker_says_that_it_is_there_for_as_long_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Again and again, also after an outage; not once it takes no more messages."""
    outage = OperationalError("SELECT", {}, Exception("the database is away"))
    there = Mock(announce=Mock(side_effect=outage), confirm=Mock(side_effect=chain([outage], repeat(None))))
    monkeypatch.setattr(runtime_module, "runtime", lambda: there)
    monkeypatch.setattr(worker_app, "CONFIRMED_EVERY_SECONDS", 0.01)
    try:
        worker_app.announce_ready()
        wait_for(lambda: there.confirm.call_count >= 3)
        (presence,) = (thread for thread in threading.enumerate() if thread.name == "presence")
    finally:
        consuming.leaving.set()
    there.leases.start.assert_called_once_with()
    presence.join(5)
    assert not presence.is_alive()
    consuming.leaving.clear()
