"""The children together: their order, their failures, their end."""

import os
import signal
from pathlib import Path

import pytest

from mainmask.stack.errors import ChildDied
from mainmask.stack.interruptions import Interrupted, Interruptions
from mainmask.stack.supervisor import Supervisor
from tests.mainmask.stack.programs import BROKEN, DEAF, FOREVER, children_in, has_said, is_alive, python, wait_for


@pytest.fixture
def news() -> list[str]:
    """What was reported."""
    return []


@pytest.fixture
def supervisor(tmp_path: Path, news: list[str]) -> Supervisor:
    """One that reports to `news`, undisturbed by signals."""
    return Supervisor(tmp_path, news.append, Interruptions())


def farewell(name: str, log: Path) -> str:
    """A program that writes its name to the log when it is told to stop."""
    return (
        "import signal, sys, time\n"
        f"def stop(*_): open({str(log)!r}, 'a').write({name!r} + ' '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)"
    )


def test_the_last_started_stop_first(tmp_path: Path, supervisor: Supervisor) -> None:
    """What others rely on stops after them."""
    ended = tmp_path / "ended"
    for name in ("servers", "services"):
        ready = has_said(tmp_path / "logs" / f"{name}.log", "ready")
        supervisor.start(python(name, farewell(name, ended), is_ready=ready))
    supervisor.stop()
    assert ended.read_text() == "services servers "
    assert children_in(tmp_path) == {}


def test_ready_children_are_reported(supervisor: Supervisor, news: list[str]) -> None:
    """Each child's start is told with the time it took."""
    supervisor.start(python("one", FOREVER), python("two", FOREVER))
    supervisor.stop()
    assert [line.split(" (")[0] for line in news] == ["one is ready", "two is ready"]


def test_a_failed_start_leaves_the_others_to_stop(tmp_path: Path, supervisor: Supervisor) -> None:
    """When one of several does not come up, stop still ends all of them."""
    with pytest.raises(ChildDied, match="no such luck"):
        supervisor.start(python("fine", FOREVER), python("broken", BROKEN, is_ready=lambda: False))
    wait_for(lambda: "fine" in children_in(tmp_path))
    supervisor.stop()
    assert children_in(tmp_path) == {}


def test_a_run_is_over_when_it_returns(supervisor: Supervisor, news: list[str]) -> None:
    """A program that ends by itself is waited for."""
    supervisor.run(python("migrations", "print('upgraded')"))
    assert news[0].startswith("migrations is done")


def test_a_failed_run_quotes_its_log(supervisor: Supervisor) -> None:
    """The error says what the program said."""
    with pytest.raises(ChildDied, match="no such luck"):
        supervisor.run(python("migrations", BROKEN))


def test_what_dies_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed child is back soon, with another pid, and the report says so."""
    monkeypatch.setattr("mainmask.stack.supervisor.WATCH_SECONDS", 0.05)
    monkeypatch.setattr("mainmask.stack.revival.delay_seconds", lambda _: 0.1)
    news = []

    def report(line: str) -> None:
        news.append(line)
        if line == "child is started again":
            raise Interrupted(signal.SIGINT)

    supervisor = Supervisor(tmp_path, report, Interruptions())
    supervisor.start(python("child", FOREVER))
    wait_for(lambda: "child" in children_in(tmp_path))
    killed = children_in(tmp_path)["child"]
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(Interrupted):
        supervisor.watch()
    wait_for(lambda: children_in(tmp_path).get("child", killed) != killed)
    supervisor.stop()
    assert "child ended unexpectedly (exit code -9)" in news[1]
    assert children_in(tmp_path) == {}


def test_an_interrupted_start_stops_what_had_started(tmp_path: Path, news: list[str]) -> None:
    """A signal half-way ends the wait; the children it finds are stopped like any."""
    with Interruptions() as interruptions:
        supervisor = Supervisor(tmp_path, news.append, interruptions)

        def interrupted() -> bool:
            os.kill(os.getpid(), signal.SIGTERM)
            return False

        with pytest.raises(Interrupted) as caught:
            supervisor.start(python("one", FOREVER), python("two", FOREVER, is_ready=interrupted))
        pids = list(children_in(tmp_path).values())
        supervisor.stop()
    assert caught.value.exit_code == 128 + signal.SIGTERM
    assert not any(is_alive(pid) for pid in pids)


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path, news: list[str]) -> None:
    """Whoever asks twice gets a kill at once, and stop still returns with no child left."""
    with Interruptions() as interruptions:
        supervisor = Supervisor(tmp_path, news.append, interruptions)
        again = (
            "import os, signal, time\n"
            f"signal.signal(signal.SIGTERM, lambda *_: os.kill({os.getpid()}, signal.SIGINT))\n"
            "print('deaf', flush=True)\n"
            "while True: time.sleep(1)"
        )
        ready = has_said(tmp_path / "logs" / "child.log", "deaf")
        supervisor.start(python("child", again, is_ready=ready, stopped_within_seconds=20))
        supervisor.stop()
    assert news[-1] == "child does not stop: killing it"
    assert children_in(tmp_path) == {}


def test_a_deaf_child_is_killed_when_its_time_is_over(tmp_path: Path, supervisor: Supervisor, news: list[str]) -> None:
    """No child can keep the stack from stopping."""
    ready = has_said(tmp_path / "logs" / "child.log", "deaf")
    supervisor.start(python("child", DEAF, is_ready=ready, stopped_within_seconds=0.2))
    supervisor.stop()
    assert news[-1] == "child does not stop: killing it"
