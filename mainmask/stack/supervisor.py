"""Starts children in order, keeps them running, and stops them in reverse order."""

import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

from mainmask.stack.errors import ChildDied
from mainmask.stack.interruptions import Interruptions
from mainmask.stack.process import POLL_SECONDS, Process
from mainmask.stack.program import Program
from mainmask.stack.revival import Revival

WATCH_SECONDS = 0.5

Report = Callable[[str], None]
"""Takes one line on what happened, for the person who watches."""


class Supervisor:
    """The children of this process, in groups: what starts together stops together."""

    def __init__(self, folder: Path, report: Report, interruptions: Interruptions) -> None:
        """`folder` gets the children's logs and pid files."""
        self._folder = folder
        self._report = report
        self._interruptions = interruptions
        self._groups: list[list[Process]] = []

    def start(self, *programs: Program) -> None:
        """Start these together, and return when each is ready.

        Raises:
            ChildDied, ChildNotReady: one did not come up. The others run until `stop`.
        """
        group: list[Process] = []
        self._groups.append(group)
        for program in programs:
            self._spawn(program, group)
        waiting = list(group)
        while waiting:
            for process in [process for process in waiting if process.is_ready()]:
                waiting.remove(process)
                self._report(f"{process.name} is ready ({time.monotonic() - process.started_at:.1f} s)")
            time.sleep(POLL_SECONDS)

    def run(self, program: Program) -> None:
        """Run this one to its end.

        Raises:
            ChildDied: it failed.
        """
        group: list[Process] = []
        self._groups.append(group)
        process = self._spawn(program, group)
        while (code := process.exit_code()) is None:
            time.sleep(POLL_SECONDS)
        self._groups.remove(group)
        if code:
            raise ChildDied(process.name, code, process.log_tail(), process.log)
        self._report(f"{process.name} is done ({time.monotonic() - process.started_at:.1f} s)")

    def _spawn(self, program: Program, group: list[Process]) -> Process:
        """Start one child; an interruption cannot come between its start and our knowing of it."""
        process = Process(program, self._folder)
        group.append(process)
        process.prepare()
        with self._interruptions.held():
            process.launch()
        self._interruptions.check()
        return process

    def watch(self) -> None:
        """Start again what ends by itself, until this is interrupted."""
        revivals = [Revival(process) for process in chain.from_iterable(self._groups)]
        while True:
            for revival in revivals:
                with self._interruptions.held():
                    happened = revival.step(time.monotonic())
                self._interruptions.check()
                if happened:
                    self._report(happened)
            time.sleep(WATCH_SECONDS)

    def stop(self) -> None:
        """Stop every child, the last started first, and return when none is left."""
        with self._interruptions.held():
            while self._groups:
                self._stop_group(self._groups[-1])
                self._groups.pop()

    def _stop_group(self, group: Sequence[Process]) -> None:
        running = [process for process in reversed(group) if process.is_running()]
        now, count = time.monotonic(), self._interruptions.count
        for process in running:
            process.ask_to_stop()
        for process in running:
            deadline = now + process.program.stopped_within_seconds
            # Whoever presses Ctrl-C again does not want to wait any longer.
            while process.is_running() and time.monotonic() < deadline and self._interruptions.count == count:
                time.sleep(POLL_SECONDS)
            if process.is_running():
                self._report(f"{process.name} does not stop: killing it")
                process.kill()
