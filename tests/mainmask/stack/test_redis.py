"""Redis, on its real server."""

import stat
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as Connection
from redis.exceptions import AuthenticationError

from mainmask.stack.redis import Redis, server_path
from tests.servers import running


def connect(url: str) -> Any:
    """A connection whose answers are text."""
    return Connection.from_url(url, decode_responses=True)


def test_queued_messages_outlive_the_server(tmp_path: Path) -> None:
    """A list is there after stop and start."""
    first = Redis(tmp_path / "redis", "password")
    with running(first.program(), tmp_path), connect(first.url) as connection:
        connection.rpush("queue", "message")
    second = Redis(tmp_path / "redis", "password")
    with running(second.program(), tmp_path), connect(second.url) as connection:
        assert connection.lrange("queue", 0, -1) == ["message"]


def test_the_password_counts(redis: Redis) -> None:
    """Other users of the machine reach the port, but not the data."""
    with connect(redis.url.replace("password", "guess")) as connection, pytest.raises(AuthenticationError):
        connection.ping()


def test_no_password_can_be_read(tmp_path: Path) -> None:
    """The password is no argument of the process, and its file is the owner's alone."""
    server = Redis(tmp_path / "redis", "secret-word")
    program = server.program()
    program.prepare()
    assert "secret-word" not in " ".join(program.command)
    mode = (tmp_path / "redis" / "redis.conf").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize(
    ("version", "taken"), [("Redis server v=7.2.4 sha=00000000:0", True), ("Redis server v=5.0.14", False), ("", False)]
)
def test_which_server(version: str, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own server is taken if it is new enough, else the wheel's."""
    own = tmp_path / "redis-server"
    own.write_text(f"#!/bin/sh\necho '{version}'\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert (server_path() == str(own)) is taken
