"""A pid file that its process keeps locked while it lives, so that no pid is ever taken for another program's."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mainmask.stack.errors import LeftoverProcess

GRACE_SECONDS = 10.0
POLL_SECONDS = 0.05


@contextmanager
def locked_for_child(path: Path) -> Iterator[int]:
    """A locked file descriptor for a child to inherit: the lock lasts until the child's copy of it is closed.

    The child writes its own pid there (see `launch.py`).

    Raises:
        LeftoverProcess: an earlier child, or one of its own children, is still alive.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        yield descriptor
    except BlockingIOError as error:
        raise LeftoverProcess(path.stem, _pid_in(path)) from error
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether the process that the file names is alive."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def end_leftovers(folder: Path) -> list[str]:
    """End what an earlier stack left running, and return the names of what it was.

    Raises:
        LeftoverProcess: one of them survived even SIGKILL, or belongs to another user.
    """
    ended = []
    for path in sorted(folder.glob("*.pid")):
        if is_held(path):
            _end(path)
            ended.append(path.stem)
        path.unlink()
    return ended


def _end(path: Path) -> None:
    pid = _pid_in(path)
    # SIGINT is the orderly way out for each of our children; for Postgres SIGTERM would wait for its clients.
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            if pid:
                os.kill(pid, number)
        if _released(path, time.monotonic() + GRACE_SECONDS):
            return
    raise LeftoverProcess(path.stem, pid)


def _pid_in(path: Path) -> int:
    return int(path.read_text() or 0)


def _released(path: Path, deadline: float) -> bool:
    while is_held(path):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
