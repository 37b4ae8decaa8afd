"""A session on the real Postgres that leaves nothing behind."""

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from db import jobs
from db.models import Job
from db.session import session_factory
from tests.new_jobs import new_job


@pytest.fixture
def session(migrated: None) -> Iterator[Session]:
    """One transaction for the test, rolled back at its end."""
    with session_factory()() as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def job(session: Session) -> Job:
    """A job as the API makes it."""
    new = new_job(description="a cat on a sofa", caller_metadata={"order": 7}, image_width=640, image_height=480)
    return jobs.create(session, new)
