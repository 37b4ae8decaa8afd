"""One child process: a program that runs, with its log and its pid file."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mainmask.stack import launch
from mainmask.stack.errors import ChildDied, ChildNotReady
from mainmask.stack.pid_file import locked_for_child
from mainmask.stack.program import Program

POLL_SECONDS = 0.05
TAIL_LINES = 15


class Process:
    """A child that can be started, watched, stopped, and started again.

    Start it from the main thread only: the kernel takes the end of the thread that started a child for the end of
    the parent, and would signal the child.
    """

    def __init__(self, program: Program, folder: Path) -> None:
        """`folder` holds `logs/NAME.log` and `run/NAME.pid`."""
        self.program = program
        self.name = program.name
        self.log = folder / "logs" / f"{program.name}.log"
        self._pid_file = folder / "run" / f"{program.name}.pid"
        self._child: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        """By the monotonic clock."""
        for path in (self.log, self._pid_file):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.write_bytes(b"")

    def start(self) -> None:
        """Start the child, whose log goes on where it was."""
        self.prepare()
        self.launch()

    def prepare(self) -> None:
        """Make ready what the child needs; the slow half of `start`."""
        self.program.prepare()

    def launch(self) -> None:
        """Start the child; the half of `start` that must not be interrupted."""
        with locked_for_child(self._pid_file) as descriptor, self.log.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 - what to run is our own, a `Program`
                self._command(descriptor),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.program.environment},
                pass_fds=[descriptor],
                # In a session of its own: a Ctrl-C in the terminal must reach the stack alone, which then stops its
                # children in the right order.
                start_new_session=True,
            )
        self.started_at = time.monotonic()

    def _command(self, descriptor: int) -> Sequence[str]:
        launcher = [sys.executable, "-I", "-S", launch.__file__]
        arguments = [os.getpid(), self.program.orphan_signal.value, descriptor]
        return [*launcher, *map(str, arguments), *self.program.command]

    @property
    def pid(self) -> int | None:
        """The pid of the child that was started last."""
        return self._child.pid if self._child else None

    def exit_code(self) -> int | None:
        """How the child ended (negative: by that signal), or None while it runs."""
        return self._child.poll() if self._child else None

    def is_running(self) -> bool:
        """Whether the child was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def is_ready(self) -> bool:
        """Whether the child does its work by now.

        Raises:
            ChildDied: it has ended.
            ChildNotReady: its time for getting ready is over.
        """
        code = self.exit_code()
        if code is not None:
            raise ChildDied(self.name, code, self.log_tail(), self.log)
        if self.program.is_ready():
            return True
        if time.monotonic() > self.started_at + self.program.ready_within_seconds:
            raise ChildNotReady(self.name, self.program.ready_within_seconds, self.log_tail(), self.log)
        return False

    def wait_until_ready(self) -> None:
        """Return when the child is ready; raises what `is_ready` raises."""
        while not self.is_ready():
            time.sleep(POLL_SECONDS)

    def log_tail(self) -> str:
        """The last lines that the child wrote."""
        lines = self.log.read_text(errors="replace").rstrip().splitlines()
        return "\n".join(lines[-TAIL_LINES:])

    def ask_to_stop(self) -> None:
        """Send the program's own stop signal."""
        if self._child is not None:
            self._child.send_signal(self.program.stop_signal)

    def kill(self) -> None:
        """End the child, and what it started in its session, at once."""
        if self._child is not None and self._child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()

    def stop(self) -> None:
        """Ask the child to stop, and kill it if it has not done so in the time it has for that."""
        self.ask_to_stop()
        deadline = time.monotonic() + self.program.stopped_within_seconds
        while self.is_running() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        self.kill()
