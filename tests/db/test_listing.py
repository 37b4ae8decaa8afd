"""Pages of jobs."""

from uuid import UUID

from sqlalchemy.orm import Session

from db import jobs, listing
from db.listing import JobFilter
from db.models import Job
from db.states import JobStatus
from tests.new_jobs import new_job


def another(session: Session) -> UUID:
    """One more job."""
    return jobs.create(session, new_job()).id


def page(session: Session, *, before: UUID | None = None, limit: int) -> list[UUID]:
    """The ids of a page of all jobs."""
    return [found.id for found in listing.page(session, "local", JobFilter(), before=before, limit=limit)]


def test_pages_are_stable_while_jobs_arrive(session: Session, job: Job) -> None:
    """The newest come first; the page after a job is the same however many come later, and filters by state."""
    first, second, third = (another(session) for _ in range(3))
    assert page(session, limit=2) == [
        third,
        second,
    ]
    another(session)
    assert page(session, before=second, limit=2) == [
        first,
        job.id,
    ]
    jobs.cancel(session, first)
    canceled = listing.page(session, "local", JobFilter(status=JobStatus.CANCELED), limit=9)
    assert canceled[0].id == first
    assert {found.status for found in canceled} == {JobStatus.CANCELED}


def test_a_list_shows_a_tenant_its_own_jobs_alone(session: Session, job: Job) -> None:
    """Another's are as if there were none."""
    assert listing.page(session, "local", JobFilter(), limit=9)[0].id == job.id
    assert listing.page(session, "other", JobFilter(), limit=9) == []
