"""Real servers for tests: the local stack's own Postgres, Redis and S3, each alone, and the API's HTTP server."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from mainmask.stack.ports import LOOPBACK, free_port
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


@contextmanager
def http(app: FastAPI) -> Iterator[str]:
    """The application behind its real HTTP server, in a thread of this process: its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host=LOOPBACK, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.01)
    try:
        yield f"http://{LOOPBACK}:{port}"
    finally:
        server.should_exit = True
        thread.join()
