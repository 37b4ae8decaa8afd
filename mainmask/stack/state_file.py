"""The file that says which process runs a data folder's stack, and where; locked for as long as it does."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mainmask.stack.errors import StackRunning


class StateFile:
    """`stack.json` of a data folder. Its lock says whether a stack runs; its text only says which one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's stack.

        Raises:
            StackRunning: another process holds it.
        """
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            self._lock(descriptor)
            self.write(api_url=None, flower_url=None)
            yield
        finally:
            os.close(descriptor)

    def write(self, *, api_url: str | None, flower_url: str | None) -> None:
        """Say where this process's stack is: nowhere yet, while it starts."""
        state = {"pid": os.getpid(), "api_url": api_url, "flower_url": flower_url}
        self._path.write_text(json.dumps(state))

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackRunning(self._path.parent, **self._read()) from error

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._path.read_text()))
        except ValueError:  # Its holder is writing it at this moment.
            return {}
