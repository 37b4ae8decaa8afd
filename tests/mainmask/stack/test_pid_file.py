"""What an earlier stack left running."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from mainmask.stack.pid_file import end_leftovers, is_held
from mainmask.stack.process import Process
from tests.mainmask.stack.programs import DEAF, FOREVER, children_in, has_said, python, wait_for


def test_leftovers_are_ended(tmp_path: Path) -> None:
    """A child that still lives is ended, and its pid file goes."""
    process = Process(python("child", FOREVER), tmp_path)
    process.start()
    wait_for(lambda: "child" in children_in(tmp_path))
    assert end_leftovers(tmp_path / "run") == ["child"]
    assert not process.is_running()
    assert list((tmp_path / "run").iterdir()) == []


def test_a_deaf_leftover_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leftover that ignores the polite signal gets the other one."""
    monkeypatch.setattr("mainmask.stack.pid_file.GRACE_SECONDS", 0.2)
    source = DEAF.replace("SIGTERM", "SIGINT")
    process = Process(python("child", source, is_ready=has_said(tmp_path / "logs/child.log", "deaf")), tmp_path)
    process.start()
    process.wait_until_ready()
    assert end_leftovers(tmp_path / "run") == ["child"]
    assert process.exit_code() == -signal.SIGKILL


def test_another_programs_pid_is_left_alone(tmp_path: Path) -> None:
    """A pid file whose process has ended says nothing about the program that has its pid now."""
    with subprocess.Popen(["sleep", "600"]) as bystander:
        path = tmp_path / "child.pid"
        path.write_text(str(bystander.pid))
        assert not is_held(path)
        assert end_leftovers(tmp_path) == []
        assert bystander.poll() is None
        bystander.kill()


def test_the_lock_lasts_as_long_as_the_child(tmp_path: Path) -> None:
    """The child itself holds the lock: not we, and not after its end."""
    process = Process(python("child", FOREVER), tmp_path)
    process.start()
    path = tmp_path / "run" / "child.pid"
    assert is_held(path)
    os.kill(process.pid or 0, signal.SIGKILL)
    wait_for(lambda: not is_held(path))
    process.stop()
