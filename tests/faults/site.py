"""A whole service of real processes that a test can break, with an account of every job that it accepted."""

import io
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import httpx
from PIL import Image, ImageDraw
from sqlalchemy.exc import DBAPIError

from db import jobs
from db.errors import StorageUnavailable
from db.keys import artifact_key
from db.models import Job
from db.session import session_factory
from db.states import TERMINAL, Artifact, JobStatus, StageStatus
from db.storage import object_store
from mainmask import Client
from mainmask.errors import ServiceUnreachable
from mainmask.stack.errors import LeftoverProcess
from mainmask.stack.ports import LOOPBACK, free_port
from mainmask.stack.postgres import Postgres
from mainmask.stack.process import Process
from mainmask.stack.program import Program
from mainmask.stack.redis import Redis
from mainmask.stack.s3 import S3
from mainmask.stack.services import Services
from mainmask.stack.settings import settings
from tests.faults import audit
from tests.faults.receiver import Receiver

WORKERS = ("worker-1", "worker-2")


class Site:
    """Postgres, Redis, S3, API, two workers, maintenance, webhooks and beat, each to be killed and started by name.

    Every job has a webhook to a receiver in the test's own process.
    """

    def __init__(self, folder: Path, places: Mapping[str, Path] | None = None) -> None:
        """`places` of the servers' files are in `folder` unless said otherwise."""
        self._folder = folder
        place = {name: folder / name for name in ("postgres", "redis", "s3")} | dict(places or {})
        self._cleanup = ExitStack()
        servers = (
            Postgres(place["postgres"], "password", durable=False),
            Redis(place["redis"], "password"),
            S3(place["s3"], "access-key", "secret-key"),
        )
        self.audit = folder / "audit"
        """What the workers have taken and completed: see `audit.py`."""
        self.receiver = Receiver()
        self.environment = {
            **settings(*servers),
            audit.VARIABLE: str(self.audit.resolve()),
            "MAINMASK_OUTGOING_ALLOWED_HOSTS": self.receiver.address,
            # What a killed process held is attempted again after twice this.
            "MAINMASK_WEBHOOK_DEADLINE_SECONDS": "5",
        }
        services = Services(self.environment)
        api_port = free_port()
        self.url = f"http://{LOOPBACK}:{api_port}"
        programs = [
            *(server.program() for server in servers),
            services.migrations(),
            _through(services.api(api_port), "api.app:create_app", "tests.faults.faulty_api:create_app"),
            *(_worker(services, folder, name) for name in WORKERS),
            services.maintenance(),
            services.webhooks(),
            services.beat(folder / "beat-schedule"),
        ]
        self._programs = {program.name: program for program in programs}
        self._processes: dict[str, Process] = {}
        self.accepted: list[str] = []
        self._numbers = count()

    def __enter__(self) -> Self:
        with ExitStack() as cleanup:
            cleanup.enter_context(self.receiver)
            cleanup.callback(self.stop_all)
            for name in ("postgres", "redis", "s3"):
                self.start(name)
            self._migrate()
            self.start_all()
            self.receiver.secret = _signing_secret(self.url)
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def start_all(self) -> None:
        """Start what doesn't run, and wait until all of it is ready."""
        names = [name for name in self._programs if name != "migrations" and not self.is_running(name)]
        for name in names:
            self._launch(name)
        for name in names:
            self._processes[name].wait_until_ready()

    def stop_all(self) -> None:
        """End everything, the servers last."""
        for process in reversed(list(self._processes.values())):
            process.stop()

    def start(self, name: str) -> None:
        """Start one process, and wait until it is ready."""
        self._launch(name)
        self._processes[name].wait_until_ready()

    def stop(self, name: str) -> None:
        """Ask one process to stop, as a supervisor does."""
        self._processes[name].stop()

    def kill(self, *names: str) -> None:
        """SIGKILL."""
        for name in names:
            self._processes[name].kill()

    def is_running(self, name: str) -> bool:
        """Whether the process was started and hasn't ended."""
        return name in self._processes and self._processes[name].is_running()

    def wait_for_exit(self, name: str) -> int:
        """The process's exit code, once it has ended by itself."""
        wait_until(lambda: not self.is_running(name), 60, f"{name} has ended")
        code = self._processes[name].exit_code()
        assert code is not None
        return code

    def freeze(self, name: str, seconds: float) -> None:
        """SIGSTOP for a while: connections are taken and never answered, as of a host that can't be reached."""
        pid = self._processes[name].pid
        assert pid is not None
        os.killpg(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.killpg(pid, signal.SIGCONT)

    def log(self, name: str) -> str:
        """All that the process has written."""
        return self._processes[name].log.read_text(errors="replace")

    def submit(self, count: int, *, fault: str = "") -> list[str]:
        """Hand jobs in side by side; every one that is answered 202 is accounted for. Returns their ids."""
        with ThreadPoolExecutor(8) as callers:
            ids = [job for job in callers.map(lambda number: self._submit(number, fault), range(count)) if job]
        self.accepted += ids
        return ids

    def _submit(self, number: int, fault: str) -> str | None:
        with Client(self.url) as client:
            try:
                metadata = {"fault": fault, "number": number}
                return client.submit(
                    picture(next(self._numbers)),
                    labels=["apple", "key"],
                    metadata=metadata,
                    webhook_url=self.receiver.url,
                ).id
            except ServiceUnreachable:
                return None

    def account(self, *, failed: Iterable[str] = (), within_seconds: float = 120) -> list[Job]:
        """Wait for every accepted job's end, and check what is stored of each; returns the jobs.

        Meanwhile what ends is started again, as a supervisor does: losing Redis, Celery's consumer at times trips over
        its own messages, and ends.

        All have succeeded but those named `failed`, every stage was run to its end once, each instance's pictures are
        in S3, and the webhook of each has arrived at least once.
        """
        expected = set(failed)
        wait_until(
            lambda: self._supervised() and not self._unfinished(), within_seconds, "every accepted job has ended"
        )
        found = [stored(job_id) for job_id in self.accepted]
        for job in found:
            status = JobStatus.FAILED if str(job.id) in expected else JobStatus.SUCCEEDED
            assert job.status is status, (job.id, job.status, job.error)
            if status is JobStatus.SUCCEEDED:
                check_stored(job)
        wait_until(lambda: self._supervised() and not self.untold(found), within_seconds, "every end has been told")
        assert self.receiver.forged() == []
        return found

    def untold(self, ended: Iterable[Job]) -> list[str]:
        """The jobs whose ends the receiver has not heard of, each under one id."""
        return [str(job.id) for job in ended if not self.receiver.knows(str(job.id), f"job.{job.status}")]

    def _supervised(self) -> bool:
        self.start_all()
        return True

    def _unfinished(self) -> list[str]:
        return [job_id for job_id in self.accepted if stored(job_id).status not in TERMINAL]

    def _launch(self, name: str) -> None:
        if name not in self._processes:
            self._processes[name] = Process(self._programs[name], self._folder)
        # A killed Postgres's own processes, one a client, notice it a moment later.
        wait_until(lambda: self._starts(name), 10, f"nothing of the {name} before is left")

    def _starts(self, name: str) -> bool:
        try:
            self._processes[name].start()
        except LeftoverProcess:
            return False
        return True

    def _migrate(self) -> None:
        process = Process(self._programs["migrations"], self._folder)
        process.start()
        wait_until(lambda: process.exit_code() is not None, 60, "the migrations are done")
        assert process.exit_code() == 0, process.log_tail()


def _signing_secret(url: str) -> str:
    answer = httpx.get(f"{url}/v1/webhook-secrets", trust_env=False).raise_for_status().json()
    secret: str = answer["secrets"][0]["secret"]
    return secret


def check_stored(job: Job) -> None:
    """Fails unless the job's stages are done and every instance's pictures can be opened."""
    assert {stage.status for stage in job.stages} <= {StageStatus.SUCCEEDED, StageStatus.SKIPPED}
    assert [instance.position for instance in job.instances] == list(range(len(job.instances)))
    for instance in job.instances:
        for artifact in Artifact:
            Image.open(io.BytesIO(object_store().get(artifact_key(job.id, instance.position, artifact)))).verify()


def _worker(services: Services, folder: Path, name: str) -> Program:
    program = _through(services.worker(folder / f"{name}.ready"), "--app=worker.app", f"--app={FAULTY_WORKER}")
    return replace(program, name=name, command=[*program.command, f"--hostname={name}@%h"])


FAULTY_WORKER = "tests.faults.faulty_worker"


def _through(program: Program, ours: str, faulty: str) -> Program:
    """The same program, with the faulty module in place of ours."""
    assert ours in program.command
    return replace(program, command=[faulty if part == ours else part for part in program.command])


def picture(number: int) -> bytes:
    """A small picture of a red disc; each number has another one, lest an earlier one's answer be given again."""
    image = Image.new("RGB", (96, 72), (200, 220, (number * 37) % 256))
    image.putpixel((0, 0), tuple(number.to_bytes(3)))
    ImageDraw.Draw(image).ellipse((20, 10, 70, 60), fill=(200, 30, 30))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def stored(job_id: str) -> Job:
    """The job as Postgres has it."""
    with session_factory()() as session:
        return jobs.get(session, UUID(job_id))


def wait_until(fact: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait until it is so, through outages of the servers asked; returns the seconds that it took."""
    started = time.monotonic()
    while not _holds(fact):
        assert time.monotonic() - started < seconds, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)
    return time.monotonic() - started


def _holds(fact: Callable[[], bool]) -> bool:
    try:
        return fact()
    except (DBAPIError, StorageUnavailable):
        return False


def attempts(found: Sequence[Job]) -> dict[str, int]:
    """The most attempts that any of the jobs' stages took, by the job's id."""
    return {str(job.id): max(stage.attempts for stage in job.stages) for job in found}


def errors(found: Sequence[Job]) -> dict[str, Any]:
    """Why jobs failed, by their ids."""
    return {str(job.id): job.error for job in found if job.error}
