"""One child: its start, its log, its end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainmask.stack.errors import ChildDied, ChildNotReady, LeftoverProcess
from mainmask.stack.process import Process
from mainmask.stack.program import Program
from tests.mainmask.stack.programs import BROKEN, DEAF, FOREVER, children_in, has_said, is_alive, python, wait_for

PARENT = """
import sys, time
from pathlib import Path
from mainmask.stack.process import Process
from tests.mainmask.stack.programs import FOREVER, python
Process(python("child", FOREVER), Path(sys.argv[1])).start()
print("started", flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder; what a failed test leaves running in it is ended."""
    yield tmp_path
    for pid in children_in(tmp_path).values():
        os.kill(pid, signal.SIGKILL)


def started(program: Program, folder: Path) -> Process:
    """A child of this program."""
    process = Process(program, folder)
    process.start()
    return process


def test_a_child_writes_its_log(folder: Path) -> None:
    """What a child prints, to either stream, is in its log, also from its second start."""
    process = Process(python("child", "import sys; print('out'); print('err', file=sys.stderr)"), folder)
    for count in (1, 2):
        process.start()
        wait_for(lambda: not process.is_running())
        assert process.log.read_text().count("out\n") == count
        assert process.log.read_text().count("err\n") == count


def test_a_child_gets_its_settings(folder: Path) -> None:
    """The program's environment is added to ours, and its standard input is empty."""
    source = "import os, sys; print(os.environ['COLOUR'], 'PATH' in os.environ, repr(sys.stdin.read()))"
    process = started(python("child", source, environment={"COLOUR": "red"}), folder)
    wait_for(lambda: not process.is_running())
    assert process.log_tail() == "red True ''"


def test_a_child_that_dies_says_why(folder: Path) -> None:
    """The error names the child, its exit code, the end of its log and where the rest is."""
    process = started(python("child", BROKEN, is_ready=lambda: False), folder)
    with pytest.raises(ChildDied, match="child exited with code 3") as caught:
        process.wait_until_ready()
    assert "| no such luck" in str(caught.value)
    assert str(process.log) in str(caught.value)


def test_a_child_that_is_no_program_says_so(folder: Path) -> None:
    """A command that cannot be run is told by the same error."""
    process = started(Program(name="child", command=["/nowhere/server"], is_ready=lambda: False), folder)
    with pytest.raises(ChildDied, match="cannot run /nowhere/server: No such file"):
        process.wait_until_ready()


def test_a_child_that_is_never_ready(folder: Path) -> None:
    """Waiting ends, with the log's end."""
    process = started(python("child", FOREVER, is_ready=lambda: False, ready_within_seconds=0.2), folder)
    with pytest.raises(ChildNotReady, match="not ready after 0 s"):
        process.wait_until_ready()
    process.stop()


def test_stop_leaves_nothing(folder: Path) -> None:
    """After stop there is no process, and no zombie either."""
    process = started(python("child", FOREVER), folder)
    process.stop()
    assert process.exit_code() is not None
    assert process.pid is not None
    assert not Path(f"/proc/{process.pid}").exists()


def test_a_deaf_child_is_killed(folder: Path) -> None:
    """A child that ignores the stop signal is gone after its time, too."""
    log = folder / "logs" / "child.log"
    process = started(python("child", DEAF, is_ready=has_said(log, "deaf"), stopped_within_seconds=0.2), folder)
    process.wait_until_ready()
    process.stop()
    assert process.exit_code() == -signal.SIGKILL


def test_a_terminals_ctrl_c_does_not_reach_the_children(folder: Path) -> None:
    """A child is in a session of its own, so that the stack alone decides when it stops."""
    process = started(python("child", FOREVER), folder)
    assert process.pid is not None
    assert os.getsid(process.pid) == process.pid
    process.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_killed_parent_leaves_no_child(folder: Path) -> None:
    """Even SIGKILL, which nobody can catch, does not leave the children of the stack behind."""
    with subprocess.Popen([sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"started\n"
        wait_for(lambda: "child" in children_in(folder))
        child = children_in(folder)["child"]
        parent.kill()
    wait_for(lambda: not is_alive(child))


def test_a_child_is_not_started_twice(folder: Path) -> None:
    """While a child of this name lives, another one is refused."""
    process = started(python("child", FOREVER), folder)
    wait_for(lambda: "child" in children_in(folder))
    with pytest.raises(LeftoverProcess, match=f"pid {process.pid}"):
        started(python("child", FOREVER), folder)
    process.stop()
