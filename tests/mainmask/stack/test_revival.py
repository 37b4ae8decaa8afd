"""When a child is started again, by a clock of the test's own."""

from pathlib import Path

import pytest

from mainmask.stack.process import Process
from mainmask.stack.revival import Revival, delay_seconds
from tests.mainmask.stack.programs import BROKEN, python


class Child(Process):
    """A child that only counts its starts."""

    def __init__(self, folder: Path) -> None:
        super().__init__(python("child", BROKEN), folder)
        self.starts = 0
        self.ended = True

    def start(self) -> None:
        self.starts += 1

    def exit_code(self) -> int | None:
        return 3 if self.ended else None


@pytest.mark.parametrize(("failures", "seconds"), [(1, 1), (2, 2), (3, 4), (6, 30), (100, 30)])
def test_delays_double_up_to_half_a_minute(failures: int, seconds: float) -> None:
    """A child that cannot live is not started a hundred times a minute."""
    assert delay_seconds(failures) == seconds


def test_a_living_child_is_left_alone(tmp_path: Path) -> None:
    """Nothing happens to a child that runs."""
    child = Child(tmp_path)
    child.ended = False
    assert Revival(child).step(0.0) is None
    assert child.starts == 0


def test_a_dead_child_is_started_when_it_is_due(tmp_path: Path) -> None:
    """The first restart comes after a second, the next after two more."""
    child = Child(tmp_path)
    revival = Revival(child)
    news = {now: revival.step(now) for now in (0.0, 0.9, 1.0, 1.1, 3.0, 3.1)}
    assert child.starts == 2
    assert "exit code 3" in (news[0.0] or "")
    assert "in 1 s" in (news[0.0] or "")
    assert news[0.9] is None
    assert news[1.0] == "child is started again"
    assert "in 2 s" in (news[1.1] or "")
    assert news[3.0] is None
    assert news[3.1] == "child is started again"


def test_a_steady_child_is_forgiven(tmp_path: Path) -> None:
    """After a minute of running, earlier failures no longer count."""
    child = Child(tmp_path)
    revival = Revival(child)
    for now in (0.0, 1.0, 1.1, 3.1):
        revival.step(now)
    child.started_at = 3.1
    assert "in 1 s" in (revival.step(70.0) or "")


def test_a_start_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the start itself counts as another end."""
    child = Child(tmp_path)
    revival = Revival(child)
    revival.step(0.0)

    def no_memory() -> None:
        raise OSError("no memory")

    monkeypatch.setattr(child, "start", no_memory)
    assert "cannot be started again: no memory" in (revival.step(1.0) or "")
    assert revival.step(2.9) is None
