"""A service of real processes, each of which serves its metrics, and somebody's server that it talks to."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from mainmask.stack.ports import LOOPBACK, free_port
from mainmask.stack.process import Process
from mainmask.stack.program import Program
from mainmask.stack.services import Services
from mainmask.stack.settings import settings
from tests import servers
from tests.readings import Readings

METRICS_TOKEN = "a-token-for-the-metrics"


@dataclass
class Elsewhere:
    """Takes webhooks, and gives one picture: the answers to its GETs are what `answers` holds, in turn."""

    picture: bytes
    answers: list[int] = field(default_factory=list)
    """Statuses; 0 is no answer at all. After the last, the picture."""
    asked: int = 0
    webhooks: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    """Of the webhooks, with names in lower case."""
    port: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{LOOPBACK}:{self.port}"

    @contextmanager
    def serving(self) -> Iterator["Elsewhere"]:
        """Serve within the block."""
        server = ThreadingHTTPServer((LOOPBACK, 0), _handler(self))
        server.daemon_threads = True
        self.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self.closing.set()
            server.shutdown()
            server.server_close()


def _handler(elsewhere: Elsewhere) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """The picture, or what is to be answered before."""
            elsewhere.asked += 1
            status = elsewhere.answers.pop(0) if elsewhere.answers else 200
            if status == 0:
                elsewhere.closing.wait(120)
                return
            self.send_response(status)
            self.end_headers()
            self.wfile.write(elsewhere.picture if status == 200 else b"")

        def do_POST(self) -> None:
            """Take a webhook."""
            elsewhere.webhooks.append(self.rfile.read(int(self.headers["Content-Length"])))
            elsewhere.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    return Handler


class Watched:
    """The API, a worker, maintenance, webhooks and beat."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self.environment = dict(environment)
        self._ports = {name: free_port() for name in ("api", "worker", "maintenance", "webhooks")}
        self._processes: dict[str, Process] = {}
        self.url = f"http://{LOOPBACK}:{self._ports['api']}"

    def programs(self) -> list[Program]:
        """All of them, to be started in this order."""
        return [
            self._with_metrics("maintenance").maintenance(),
            self._with_metrics("webhooks").webhooks(),
            Services(self.environment).beat(self._folder / "beat-schedule"),
            Services(self.environment).api(self._ports["api"]),
            self._with_metrics("worker").worker(self._folder / "worker.ready"),
        ]

    def _with_metrics(self, name: str) -> Services:
        return Services({**self.environment, "MAINMASK_METRICS_PORT": str(self._ports[name])})

    @contextmanager
    def running(self) -> Iterator["Watched"]:
        """Within the block, all run."""
        with ExitStack() as cleanup:
            migrations = Process(Services(self.environment).migrations(), self._folder)
            migrations.start()
            wait_until(lambda: migrations.exit_code() is not None, 60)
            assert migrations.exit_code() == 0, migrations.log_tail()
            for program in self.programs():
                process = self._processes[program.name] = Process(program, self._folder)
                cleanup.callback(process.stop)
                process.start()
            for process in self._processes.values():
                process.wait_until_ready()
            yield self

    def process(self, name: str) -> Process:
        """One of them."""
        return self._processes[name]

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Within the block, this process does nothing."""
        pid = self.process(name).pid
        assert pid is not None
        os.killpg(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(pid, signal.SIGCONT)

    def logs(self) -> dict[str, str]:
        """What each has written."""
        return {name: process.log.read_text(errors="replace") for name, process in self._processes.items()}

    def metrics(self) -> Readings:
        """Of all processes, added up."""
        return Readings.of(*map(scrape, self.metrics_urls()))

    def api_metrics(self) -> Readings:
        """Of the API alone."""
        return Readings.of(scrape(self.metrics_urls()[0]))

    def metrics_urls(self) -> list[str]:
        """The API's is the first."""
        return [f"http://{LOOPBACK}:{port}/metrics" for port in self._ports.values()]

    def submit(self, picture: bytes | None, **fields: Any) -> dict[str, Any]:
        """A job that was taken."""
        url = f"{self.url}/v1/jobs"
        if picture is None:
            answer = httpx.post(url, json=fields, trust_env=False)
        else:
            answer = httpx.post(url, files={"image": picture}, data=fields, trust_env=False)
        document: dict[str, Any] = answer.raise_for_status().json()
        return document

    def ended(self, job: dict[str, Any], seconds: float = 60) -> dict[str, Any]:
        """The job once it has ended."""
        document: dict[str, Any] = {}

        def has_ended() -> bool:
            document.update(httpx.get(f"{self.url}/v1/jobs/{job['id']}", trust_env=False).raise_for_status().json())
            return document["status"] not in {"queued", "running"}

        wait_until(has_ended, seconds)
        return document


@contextmanager
def watched(folder: Path, elsewhere: Elsewhere, **variables: str) -> Iterator[Watched]:
    """The service on servers of its own, with these settings besides; it may reach `elsewhere`."""
    with (
        servers.postgres(folder) as postgres,
        servers.redis(folder) as redis,
        servers.s3(folder) as s3,
        Watched(
            folder,
            {
                **settings(postgres, redis, s3),
                "MAINMASK_AUTH": "false",
                "MAINMASK_METRICS_TOKEN": METRICS_TOKEN,
                "MAINMASK_OUTGOING_ALLOWED_HOSTS": elsewhere.address,
                **variables,
            },
        ).running() as running,
    ):
        yield running


def scrape(url: str) -> str:
    """What is served there to Prometheus."""
    bearer = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    return httpx.get(url, headers=bearer, trust_env=False).raise_for_status().text


def wait_until(fact: Callable[[], bool], seconds: float) -> None:
    """Fails where it isn't so in time."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.05)
