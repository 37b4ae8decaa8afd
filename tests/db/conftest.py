"""A session on the real Postgres that leaves nothing behind."""

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from db import jobs
from db.models import Job
from db.session import session_factory
from db.states import Instances


@pytest.fixture
def session(migrated: None) -> Iterator[Session]:
    """One transaction for the test, rolled back at its end."""
    with session_factory()() as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def job(session: Session) -> Job:
    """A job as the API makes it."""
    new = jobs.NewJob(
        id=uuid7(),
        description="a cat on a sofa",
        labels=None,
        instances_wanted=Instances.BEST,
        profile="tiny",
        image_sha256="0" * 64,
        image_width=640,
        image_height=480,
        image_bytes=1234,
        caller_metadata={"order": 7},
    )
    return jobs.create(session, new)
