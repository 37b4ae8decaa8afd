"""A database with the roles that docker/postgres/ makes."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from mainmask.stack.postgres import Postgres, programs_folder
from tests.docker.deployment import DOCKER, secrets

NAME = "deployed"
ROLES = ("mainmask_scaler", "mainmask_app", "mainmask_owner")


@dataclass(frozen=True)
class Database:
    """Its address, as each of its roles."""

    admin: URL
    """Whoever runs the scripts."""

    def as_role(self, role: str, password: str) -> str:
        """For SQLAlchemy, and for MAINMASK_DATABASE_URL."""
        return self.admin.set(username=role, password=password).render_as_string(hide_password=False)

    @property
    def owner(self) -> str:
        """For migrations."""
        return self.as_role("mainmask_owner", secrets()["OWNER_PASSWORD"])

    @property
    def app(self) -> str:
        """For all else."""
        return self.as_role("mainmask_app", secrets()["APP_PASSWORD"])

    @property
    def scaler(self) -> str:
        """For KEDA."""
        return self.as_role("mainmask_scaler", "scaler-password")

    def run_script(self, path: Path) -> None:
        """By psql, as the administrator; the passwords come from the environment."""
        url = self.admin.set(drivername="postgresql").render_as_string(hide_password=False)
        environment = {**os.environ, **secrets(), "SCALER_PASSWORD": "scaler-password"}
        command = [str(programs_folder() / "psql"), "--no-psqlrc", "--quiet", "--file", str(path), url]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


@contextmanager
def connected(url: str | URL) -> Iterator[Connection]:
    """One connection, without transactions: CREATE DATABASE and the like can't be in one."""
    engine: Engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


@contextmanager
def database(postgres: Postgres, *, administrator: str | None = None) -> Iterator[Database]:
    """A new database with its roles, made by the server's superuser or by a role with fewer rights, as clouds give."""
    superuser = make_url(postgres.url)
    admin = superuser.set(database=NAME)
    with connected(superuser) as connection:
        if administrator:
            connection.execute(text(f"CREATE ROLE {administrator} LOGIN CREATEROLE PASSWORD 'admin'"))
            admin = admin.set(username=administrator, password="admin")
        connection.execute(text(f"CREATE DATABASE {NAME} OWNER {admin.username}"))
        try:
            found = Database(admin)
            found.run_script(DOCKER / "postgres" / "roles.sql")
            yield found
        finally:
            connection.execute(text(f"DROP DATABASE {NAME} WITH (FORCE)"))
            for role in filter(None, (*ROLES, administrator)):
                connection.execute(text(f"DROP ROLE IF EXISTS {role}"))
