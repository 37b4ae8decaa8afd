"""Real servers for tests: the local stack's own Postgres, Redis and S3, each alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mainmask.stack.postgres import Postgres
from mainmask.stack.process import Process
from mainmask.stack.program import Program
from mainmask.stack.redis import Redis
from mainmask.stack.s3 import S3


@contextmanager
def running(program: Program, folder: Path) -> Iterator[Process]:
    """The program as a child for this block, ready; logs and pid file go to the folder."""
    process = Process(program, folder)
    try:
        process.start()
        process.wait_until_ready()
        yield process
    finally:
        process.stop()


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    """A Postgres server with an empty database."""
    server = Postgres(folder / "postgres", "password", durable=False)
    with running(server.program(), folder):
        yield server


@contextmanager
def redis(folder: Path) -> Iterator[Redis]:
    """A Redis server without keys."""
    server = Redis(folder / "redis", "password")
    with running(server.program(), folder):
        yield server


@contextmanager
def s3(folder: Path) -> Iterator[S3]:
    """An S3 server with an empty bucket."""
    server = S3(folder / "s3", "access-key", "secret-key")
    with running(server.program(), folder):
        yield server
