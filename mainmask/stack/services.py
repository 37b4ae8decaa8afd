"""Mainmask's own processes: the migrations, the API, the workers, webhooks, beat and Flower."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from mainmask.stack.ports import LOOPBACK
from mainmask.stack.program import Program

WORKER_CONCURRENCY = 4
"""Jobs in flight in the one worker, which share its models; the model calls themselves are batched."""
QUEUES = "segment,detect,classify"
"""Taken from in this order: what was begun is finished before more is begun."""
WEBHOOK_CONCURRENCY = 32
"""Attempts to deliver webhooks at once; they wait for receivers, and cost next to nothing."""
FLOWER = {"FLOWER_READ_ONLY": "true", "FLOWER_PERSISTENT": "true", "FLOWER_STATE_SAVE_INTERVAL": "60000"}
"""Flower's own variables, unless the user's environment has others; with these it shows, and does nothing."""


@dataclass(frozen=True)
class Services:
    """How to run each of them with these settings (`MAINMASK_…`), known to each other by nothing else."""

    environment: Mapping[str, str]

    def migrations(self) -> Program:
        """Brings the database's schema up to date, and ends."""
        return self._program("migrations", ["migrations"], ready=lambda: False)

    def api(self, port: int) -> Program:
        """The HTTP API and the page."""
        arguments = ["uvicorn", "api.app:create_app", "--factory", "--host", LOOPBACK, "--port", str(port)]
        return self._program("api", arguments, ready=lambda: _answers(f"http://{LOOPBACK}:{port}/readyz"))

    def worker(self, ready_file: Path) -> Program:
        """One worker for all three stages, so that the machine holds one copy of the models."""
        options = [f"--concurrency={WORKER_CONCURRENCY}", f"--queues={QUEUES}", "--pool=threads", "--events"]
        return Program(
            name="worker",
            command=_python("celery", "--quiet", "--app=worker.app", "worker", "--loglevel=INFO", *options),
            environment={**self.environment, "MAINMASK_WORKER_READY_FILE": str(ready_file.resolve())},
            prepare=lambda: ready_file.unlink(missing_ok=True),
            is_ready=ready_file.exists,
            # It loads the models first, which takes a slow disk a while.
            ready_within_seconds=300.0,
        )

    def maintenance(self) -> Program:
        """The worker that takes over what others have left; apart from them, so that it can act when they can't."""
        options = ["--concurrency=1", "--queues=maintenance", "--pool=threads", "--hostname=maintenance@%h"]
        arguments = ["celery", "--quiet", "--app=worker.maintenance", "worker", "--loglevel=WARNING", *options]
        return self._program("maintenance", arguments, ready=lambda: True)

    def webhooks(self) -> Program:
        """The worker that delivers webhooks; apart from the others, because receivers may be slow."""
        options = [f"--concurrency={WEBHOOK_CONCURRENCY}", "--queues=webhooks", "--pool=threads"]
        arguments = ["celery", "--quiet", "--app=worker.webhooks.app", "worker", "--loglevel=INFO", *options]
        return self._program("webhooks", [*arguments, "--hostname=webhooks@%h"], ready=lambda: True)

    def beat(self, schedule_file: Path) -> Program:
        """Tells the maintenance worker when it is time."""
        arguments = ["celery", "--quiet", "--app=worker.maintenance", "beat", f"--schedule={schedule_file.resolve()}"]
        # Its schedule may be half-written by one that was killed; it holds nothing that can't be lost.
        return Program(
            name="beat",
            command=_python(*arguments, "--loglevel=WARNING", "--pidfile="),
            environment=self.environment,
            prepare=lambda: schedule_file.unlink(missing_ok=True),
            is_ready=lambda: True,
        )

    def flower(self, port: int, folder: Path) -> Program:
        """The page that shows what the worker does; it keeps what it has seen in the folder."""
        arguments = ["celery", "--app=worker.flower", "flower", f"--address={LOOPBACK}", f"--port={port}"]
        options = {**FLOWER, "FLOWER_DB": str(folder.resolve() / "flower")}
        own = {name: os.environ.get(name, value) for name, value in options.items()}
        return Program(
            name="flower",
            command=_python(*arguments),
            environment={**self.environment, **own},
            prepare=lambda: folder.mkdir(mode=0o700, exist_ok=True),
            is_ready=lambda: _answers(f"http://{LOOPBACK}:{port}/healthcheck"),
        )

    def _program(self, name: str, arguments: list[str], *, ready: Callable[[], bool]) -> Program:
        return Program(name=name, command=_python(*arguments), environment=self.environment, is_ready=ready)


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _answers(url: str) -> bool:
    try:
        # A proxy of the user's has no business between two processes of one machine.
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
