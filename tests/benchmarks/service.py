"""A service without an API for benchmarks: servers, workers with fake or bundled models, and jobs put straight in."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock
from uuid import UUID

import redis
from sqlalchemy import func, select
from uuid_utils.compat import uuid7

from db import jobs, messages
from db.keys import image_key
from db.models import Job
from db.new_jobs import NewJob
from db.session import session_factory
from db.settings import settings as read_settings
from db.states import TERMINAL, JobStatus, StageName
from db.storage import object_store
from mainmask.stack.process import Process
from mainmask.stack.program import Program
from mainmask.stack.services import Services
from mainmask.stack.settings import settings
from tests import servers
from tests.benchmarks import no_op
from tests.benchmarks.pictures import LABELS

FAKE_WORKER = "tests.benchmarks.fake_worker"
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Service:
    """Servers with a schema, and programs over them."""

    folder: Path
    environment: Mapping[str, str]

    @contextmanager
    def workers(self, count: int, threads: int, module: str = FAKE_WORKER, **more: str) -> Iterator[list[Process]]:
        """Workers on this machine, each with so many threads, ready; `more` are variables of theirs."""
        with ExitStack() as running:
            programs = [self._worker(f"worker-{number}", threads, module, more) for number in range(count)]
            yield [running.enter_context(servers.running(program, self.folder)) for program in programs]

    def _worker(self, name: str, threads: int, module: str, more: Mapping[str, str]) -> Program:
        environment = {**self.environment, "OMP_NUM_THREADS": "1", **more}
        program = Services(environment).worker(self.folder / f"{name}-ready")
        command = [
            f"--concurrency={threads}" if part.startswith("--concurrency") else part.replace("worker.app", module)
            for part in program.command
        ]
        return replace(program, name=name, command=[*command, f"--hostname={name}@%h"])

    @contextmanager
    def looked_at(self) -> Iterator[None]:
        """Within the block this process's `session_factory()`, `object_store()` and messages lead here."""
        with mock.patch.dict(os.environ, self.environment):
            forget()
            try:
                yield
            finally:
                session_factory().kw["bind"].dispose()
                forget()

    def run_jobs(self, pictures: Sequence[bytes]) -> float:
        """Have the workers do a waiting job about each of these; seconds from the first message to the last end."""
        with self.looked_at():
            ids = [put(picture) for picture in pictures]
            started = time.perf_counter()
            for job_id in ids:
                messages.send(StageName.CLASSIFY, job_id)
            wait(lambda: ended(ids) == len(ids))
            return time.perf_counter() - started

    def run_no_ops(self, count: int) -> float:
        """The same with chains of three tasks that do nothing."""
        client = redis.Redis.from_url(self.environment["MAINMASK_REDIS_URL"])
        client.delete(no_op.DONE)
        no_op.app.conf.broker_url = self.environment["MAINMASK_REDIS_URL"]
        started = time.perf_counter()
        for _ in range(count):
            no_op.app.send_task("hop", args=[1])
        wait(lambda: client.llen(no_op.DONE) >= count)
        return time.perf_counter() - started

    @contextmanager
    def no_op_worker(self, threads: int) -> Iterator[None]:
        """A worker for these."""
        program = self._worker("no-op", threads, "tests.benchmarks.no_op", {})
        command = [f"--queues={no_op.QUEUE}" if part.startswith("--queues") else part for part in program.command]
        with servers.running(replace(program, command=command, is_ready=lambda: True), self.folder):
            self.run_no_ops(1)  # once it is there
            yield


@contextmanager
def service(folder: Path) -> Iterator[Service]:
    """Postgres, Redis and S3 of its own, with the newest schema."""
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        postgres = stack.enter_context(servers.postgres(folder))
        broker = stack.enter_context(servers.redis(folder))
        environment = settings(postgres, broker, stack.enter_context(servers.s3(folder))) | {
            "MAINMASK_LOG_FORMAT": "json"
        }
        migrations = Process(Services(environment).migrations(), folder)
        migrations.start()
        wait(lambda: migrations.exit_code() is not None)
        yield Service(folder, environment)


def put(picture: bytes) -> UUID:
    """A job whose image came with the submission, queued and not sent."""
    new = NewJob(
        id=uuid7(),
        tenant="local",
        profile="tiny",
        labels=list(LABELS),
        image_sha256=hashlib.sha256(picture).hexdigest(),
        image_width=640,
        image_height=480,
        image_bytes=len(picture),
    )
    object_store().put(image_key(new.id), picture, "image/jpeg")
    with session_factory().begin() as session:
        jobs.create(session, new)
    return new.id


def ended(ids: Sequence[UUID]) -> int:
    """How many of these jobs have come to an end; raises when one has failed, which would be no measurement."""
    with session_factory()() as session:
        # Of these alone: counting a million others would keep the database busy.
        query = select(Job.status, func.count()).where(Job.id.in_(ids)).group_by(Job.status)
        counts = dict(session.execute(query).all())
    if counts.get(JobStatus.FAILED):
        raise RuntimeError("a job has failed: see the workers' logs")
    return sum(counts.get(status, 0) for status in TERMINAL)


def forget() -> None:
    """What this process knows of servers."""
    for known in (read_settings, session_factory, object_store, messages._sender):
        known.cache_clear()


def wait(condition: Callable[[], bool]) -> None:
    """Until it holds."""
    while not condition():
        time.sleep(POLL_SECONDS)
