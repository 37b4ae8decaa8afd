"""Small programs that stand in for the stack's children."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mainmask.stack.program import Program

FOREVER = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
BROKEN = "import sys; print('no such luck'); sys.exit(3)"


def python(name: str, source: str, **options: Any) -> Program:
    """A program of a few lines of Python, ready as soon as it runs unless told otherwise."""
    options.setdefault("is_ready", lambda: True)
    return Program(name=name, command=[sys.executable, "-I", "-S", "-c", source], **options)


def has_said(log: Path, text: str) -> Callable[[], bool]:
    """Whether the program has come so far that it has printed this."""
    return lambda: log.exists() and text in log.read_text()


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for(fact: Callable[[], bool], seconds: float = 15.0) -> None:
    """Return as soon as it is so; fail if it does not come about."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def environment_of(pid: int) -> Mapping[str, str]:
    """The environment that the process was started with."""
    entries = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def children_in(folder: Path) -> dict[str, int]:
    """The pids of a data folder's children that are alive, by name."""
    pids = {path.stem: int(path.read_text() or 0) for path in (folder / "run").glob("*.pid")}
    return {name: pid for name, pid in pids.items() if pid and pid != os.getpid() and is_alive(pid)}
