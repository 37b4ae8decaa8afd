"""The connection to Postgres."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from db.session import session_factory


def test_an_error_repeats_no_parameters(session: Session) -> None:
    """Errors are logged, and what was to be stored may be secret."""
    with pytest.raises(DBAPIError, match="division by zero") as caught:
        session.execute(text("SELECT 1 / 0, CAST(:secret AS text)"), {"secret": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_a_connection_that_was_cut_while_idle_costs_no_request(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a restart of Postgres: the next request finds out first, and connects anew."""
    monkeypatch.setattr("db.session.IDLE_SECONDS", 0.0)
    with _pool() as sessions:
        cut = _used(sessions)
        with sessions() as idle, sessions() as other:
            assert _process(idle) == cut
            _process(other)
            idle.commit()  # back into the pool, and cut there
            other.execute(text("SELECT pg_terminate_backend(:process)"), {"process": cut})
        assert _used(sessions) != cut


def test_a_connection_in_steady_use_is_not_asked_each_time(environment: dict[str, str]) -> None:
    """What was just used is there: a question more at each transaction would cost every stage two round trips."""
    asked: list[str] = []
    with _pool() as sessions:
        _used(sessions)
        event.listen(sessions.kw["bind"], "before_cursor_execute", lambda *call: asked.append(call[2]))
        with mock.patch("psycopg.Cursor.execute", autospec=True, side_effect=psycopg.Cursor.execute) as execute:
            _used(sessions)
    assert len(asked) == 1
    assert execute.call_count == 1


@contextmanager
def _pool() -> Iterator[sessionmaker[Session]]:
    """Without connections at first, and after."""
    sessions = session_factory()
    sessions.kw["bind"].dispose()
    try:
        yield sessions
    finally:
        sessions.kw["bind"].dispose()


def _process(session: Session) -> int:
    found: int = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    return found


def _used(sessions: sessionmaker[Session]) -> int:
    """The server's process behind the connection that a request gets."""
    with sessions() as session:
        return _process(session)
