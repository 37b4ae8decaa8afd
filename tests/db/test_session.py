"""The connection to Postgres."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session


def test_an_error_repeats_no_parameters(session: Session) -> None:
    """Errors are logged, and what was to be stored may be secret."""
    with pytest.raises(DBAPIError, match="division by zero") as caught:
        session.execute(text("SELECT 1 / 0, CAST(:secret AS text)"), {"secret": "hunter2"})
    assert "hunter2" not in str(caught.value)
