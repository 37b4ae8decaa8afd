"""What follows a commit."""

import logging

import pytest

from db.commits import after_commit
from db.session import ping, session_factory

pytestmark = pytest.mark.usefixtures("migrated")


def test_it_is_done_after_the_commit_and_once() -> None:
    """Not before it, in order, and not again with the session's next commit."""
    done: list[str] = []
    with session_factory()() as session:
        ping(session)
        after_commit(session, lambda: done.append("first"))
        after_commit(session, lambda: done.append("second"))
        assert done == []
        session.commit()
        assert done == ["first", "second"]
        ping(session)
        session.commit()
    assert done == ["first", "second"]


def test_a_rollback_forgets_it() -> None:
    """Neither then nor with a later commit is it done."""
    done: list[str] = []
    with session_factory()() as session:
        ping(session)
        after_commit(session, lambda: done.append("never"))
        session.rollback()
        ping(session)
        session.commit()
    assert done == []


def test_what_fails_then_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The commit stands, and so does what else was to follow."""
    done: list[str] = []
    with caplog.at_level(logging.ERROR), session_factory().begin() as session:
        ping(session)
        after_commit(session, lambda: 1 / 0)
        after_commit(session, lambda: done.append("next"))
    assert done == ["next"]
    assert "ZeroDivisionError" in caplog.text
