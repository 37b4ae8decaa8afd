"""What is counted of jobs, their stages and webhooks, and when."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import generate_latest
from sqlalchemy import delete

from db import claims, jobs, reuse
from db.claims import Claim, Holder
from db.errors import WorkerLost
from db.models import Job
from db.session import session_factory
from db.states import Outcome, StageName
from tests.new_jobs import new_job
from tests.readings import Readings, moved

HOLDER = Holder("here", lease_seconds=60)
STORAGE = {"type": "storage-unavailable", "message": "away"}


@pytest.fixture(autouse=True)
def only_ours(migrated: None) -> Iterator[None]:
    """Removes what the test commits."""
    yield
    with session_factory().begin() as session:
        session.execute(delete(Job).where(Job.tenant == "tallies"))


def read() -> Readings:
    """This process's metrics."""
    return Readings.of(generate_latest().decode())


def created(**values: Any) -> UUID:
    """A job that is committed."""
    with session_factory().begin() as session:
        return jobs.create(session, new_job(tenant="tallies", **values)).id


def claimed(job_id: UUID) -> Claim:
    """A claim on its first stage that is committed."""
    with session_factory().begin() as session:
        claim = claims.take(session, job_id, StageName.CLASSIFY, HOLDER, suspect=False)
        jobs.start(session, job_id)
    assert claim is not None
    return claim


@pytest.mark.parametrize(
    ("way", "values"),
    [
        ("request", {}),
        ("upload", {"image_sha256": None}),
        ("url", {"image_sha256": None, "image_url": "http://pictures.example/cat.png"}),
    ],
)
def test_a_job_is_counted_by_its_way_in(way: str, values: dict[str, Any]) -> None:
    """Once, when it is there."""
    more = moved(read, lambda: created(**values))
    assert more.total("mainmask_jobs_accepted_total") == 1
    assert more.value("mainmask_jobs_accepted_total", way=way) == 1


def test_what_is_rolled_back_is_not_counted() -> None:
    """Neither the job nor its end was ever there."""

    def act() -> None:
        with session_factory()() as session:
            job = jobs.create(session, new_job(tenant="tallies"))
            assert jobs.cancel(session, job.id)
            session.rollback()

    more = moved(read, act)
    assert more.total("mainmask_jobs_accepted_total") == 0
    assert more.total("mainmask_jobs_finished_total") == 0


def test_a_canceled_job_has_no_duration() -> None:
    """How long its caller wanted it says nothing about the service."""
    job_id = created()

    def act() -> None:
        with session_factory().begin() as session:
            jobs.cancel(session, job_id)
            jobs.cancel(session, job_id)

    more = moved(read, act)
    assert more.value("mainmask_jobs_finished_total", status="canceled", outcome="none") == 1
    assert more.total("mainmask_jobs_finished_total") == 1
    assert more.value("mainmask_job_duration_seconds_count") == 0


def test_a_reused_answer_is_an_accepted_and_a_finished_job() -> None:
    """Without a duration: no stage ran for it."""
    source_id = created()
    claim = claimed(source_id)
    with session_factory().begin() as session:
        claims.complete(session, claim, {}, {})
        jobs.succeed(session, source_id, StageName.CLASSIFY, Outcome.NOT_FOUND, "cat")

    def act() -> None:
        with session_factory().begin() as session:
            reuse.create(session, new_job(tenant="tallies"), jobs.get(session, source_id))

    more = moved(read, act)
    assert more.value("mainmask_jobs_accepted_total", way="reused") == 1
    assert more.value("mainmask_jobs_finished_total", status="succeeded", outcome="not_found") == 1
    assert more.value("mainmask_job_duration_seconds_count") == 0


def test_an_answer_that_a_worker_gives_again_has_no_duration() -> None:
    """Its picture had to be fetched first; no model ran for it."""
    source_id, job_id = created(), created()
    source = claimed(source_id)
    with session_factory().begin() as session:
        claims.complete(session, source, {}, {})
        jobs.succeed(session, source_id, StageName.CLASSIFY, Outcome.NOT_FOUND, "cat")
    claim = claimed(job_id)

    def act() -> None:
        with session_factory().begin() as session:
            claims.complete(session, claim, {}, {})
            reuse.fill_in(session, job_id, jobs.get(session, source_id))
            jobs.succeed(session, job_id, StageName.CLASSIFY, Outcome.NOT_FOUND, "cat")

    more = moved(read, act)
    assert more.value("mainmask_jobs_finished_total", status="succeeded", outcome="not_found") == 1
    assert more.value("mainmask_job_duration_seconds_count") == 0


@pytest.mark.parametrize(
    ("leave", "status", "cause"),
    [
        (lambda session, claim: claims.complete(session, claim, {}, {}), "succeeded", None),
        (lambda session, claim: claims.fail(session, claim, STORAGE), "failed", None),
        (lambda session, claim: claims.retry(session, claim, STORAGE, 0), "retrying", "storage-unavailable"),
        (lambda session, claim: claims.retry(session, claim, {"type": WorkerLost.code}, 0), "lost", WorkerLost.code),
        (lambda session, claim: claims.fail(session, claim, {"type": WorkerLost.code}), "lost", None),
    ],
    ids=["succeeds", "fails", "is tried again", "is taken over", "is lost once too often"],
)
def test_a_run_is_counted_by_how_it_ended(leave: Callable[[Any, Claim], bool], status: str, cause: str | None) -> None:
    """With its cause where it is tried again, and as a take-over where its worker was lost."""
    claim = claimed(created())

    def act() -> None:
        with session_factory().begin() as session:
            assert leave(session, claim)
        with session_factory().begin() as session:
            assert not leave(session, claim)

    more = moved(read, act)
    assert more.total("mainmask_stage_duration_seconds_count") == 1
    assert more.value("mainmask_stage_duration_seconds_count", stage="classify", status=status) == 1
    assert more.total("mainmask_stage_retries_total") == (1 if cause else 0)
    if cause:
        assert more.value("mainmask_stage_retries_total", stage="classify", cause=cause) == 1
    assert more.total("mainmask_lease_takeovers_total") == (1 if status == "lost" else 0)
