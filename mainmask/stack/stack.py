"""The whole local stack, in one data folder."""

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from mainmask.stack.credentials import Credentials
from mainmask.stack.errors import FolderUnusable
from mainmask.stack.interruptions import Interruptions
from mainmask.stack.pid_file import end_leftovers
from mainmask.stack.ports import LOOPBACK, claim_port
from mainmask.stack.postgres import Postgres
from mainmask.stack.redis import Redis
from mainmask.stack.s3 import S3
from mainmask.stack.services import Services
from mainmask.stack.settings import settings
from mainmask.stack.state_file import StateFile
from mainmask.stack.supervisor import Report, Supervisor


class Stack:
    """Everything that a job needs, running for as long as the `with` block.

    The folder keeps jobs and images from one run to the next. Only one stack runs in it at a time.
    """

    def __init__(
        self, folder: Path, api_port: int, flower_port: int, report: Report, interruptions: Interruptions
    ) -> None:
        """Port 0 takes a free one."""
        self._folder = folder.resolve()
        self._ports = (api_port, flower_port)
        self._report = report
        self._supervisor = Supervisor(self._folder, report, interruptions)
        self._cleanup = ExitStack()
        self.api_url = ""
        self.flower_url = ""

    def __enter__(self) -> Self:
        """Start everything, and return when jobs can be submitted.

        Raises:
            StackError: it cannot; nothing is left running.
        """
        with ExitStack() as cleanup:
            state_file = StateFile(self._make_folder() / "stack.json")
            cleanup.enter_context(state_file.locked())
            cleanup.callback(self._supervisor.stop)
            self._end_leftovers()
            api_port = claim_port(self._ports[0], "the API", "--port")
            flower_port = claim_port(self._ports[1], "Flower", "--flower-port")
            self._start(api_port, flower_port)
            self.api_url = f"http://{LOOPBACK}:{api_port}"
            self.flower_url = f"http://{LOOPBACK}:{flower_port}"
            state_file.write(api_url=self.api_url, flower_url=self.flower_url)
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def watch(self) -> None:
        """Keep everything running until this is interrupted."""
        self._supervisor.watch()

    def _make_folder(self) -> Path:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / "run").mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise FolderUnusable(self._folder, error) from error
        return self._folder

    def _end_leftovers(self) -> None:
        for name in end_leftovers(self._folder / "run"):
            self._report(f"{name} was left over from an earlier stack: ended it")

    def _start(self, api_port: int, flower_port: int) -> None:
        servers = self._servers()
        self._supervisor.start(*(server.program() for server in servers))
        services = Services({**settings(*servers), "MAINMASK_FLOWER_URL": f"http://{LOOPBACK}:{flower_port}"})
        self._supervisor.run(services.migrations())
        self._supervisor.start(
            services.api(api_port),
            services.worker(self._folder / "run" / "worker.ready"),
            services.maintenance(),
            services.webhooks(),
            services.beat(self._folder / "run" / "beat-schedule"),
            services.flower(flower_port, self._folder / "flower"),
        )

    def _servers(self) -> tuple[Postgres, Redis, S3]:
        credentials = Credentials.kept_in(self._folder / "credentials.json")
        return (
            Postgres(self._folder / "postgres", credentials.postgres_password),
            Redis(self._folder / "redis", credentials.redis_password),
            S3(self._folder / "s3", credentials.s3_access_key_id, credentials.s3_secret_access_key),
        )
