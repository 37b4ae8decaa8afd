"""Who runs a data folder's stack."""

from pathlib import Path

import pytest

from mainmask.stack.errors import StackRunning
from mainmask.stack.state_file import StateFile


def test_only_one_holds_it(tmp_path: Path) -> None:
    """The second is told who the first is, and where; after the first there can be another."""
    path = tmp_path / "stack.json"
    state_file = StateFile(path)
    with state_file.locked():
        with pytest.raises(StackRunning, match="still starting") as caught, StateFile(path).locked():
            pass
        assert caught.value.api_url is None
        state_file.write(api_url="http://127.0.0.1:8000", flower_url="http://127.0.0.1:5555")
        with pytest.raises(StackRunning, match=r"API http://127.0.0.1:8000, Flower http://127.0.0.1:5555"):
            StateFile(path).locked().__enter__()
    with state_file.locked():
        pass


def test_a_stale_file_means_nothing(tmp_path: Path) -> None:
    """The lock decides, not what a stack that was killed has left in the file."""
    path = tmp_path / "stack.json"
    path.write_text('{"pid": 1, "api_url": "http://127.0.0.1:8000", "flower_url": null}')
    with StateFile(path).locked():
        assert '"api_url": null' in path.read_text()


def test_a_file_that_is_just_being_written(tmp_path: Path) -> None:
    """A reader that comes in that moment still learns that a stack runs."""
    path = tmp_path / "stack.json"
    with StateFile(path).locked():
        path.write_text("")
        with pytest.raises(StackRunning, match="already running, and is still starting"):
            StateFile(path).locked().__enter__()
