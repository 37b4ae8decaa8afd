"""The sweep over the real servers: takes over, sends again, expires, and does nothing twice."""

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import redis
from sqlalchemy import func, update
from uuid_utils.compat import uuid7

from db import claims, idempotency, jobs, messages, uploads
from db.claims import Holder
from db.errors import JobNotFound, ObjectMissing, WorkerLost
from db.keys import earliest_id, image_key, upload_key
from db.models import IdempotentAnswer, Job, Stage, Upload
from db.session import session_factory
from db.states import JobStatus, StageName, StageStatus
from db.storage import object_store
from tests.new_jobs import new_job
from worker import sweep
from worker.retries import CRASH

NOW = timedelta(0)
WATCHFUL = sweep.Watch(longest_gap=timedelta.max, patience=NOW)


@pytest.fixture
def queues(migrated: None, environment: dict[str, str]) -> Iterator["redis.Redis"]:
    """The broker, its stage queues empty; and no job of other tests in the tables."""
    with session_factory().begin() as session:
        session.query(Job).delete()
    client = redis.Redis.from_url(environment["MAINMASK_REDIS_URL"])
    for name in StageName:
        for key in client.scan_iter(f"{name}*"):  # one a priority
            client.delete(key)
    yield client
    client.close()


def submit() -> UUID:
    """A job whose message was never sent."""
    new = new_job()
    with session_factory().begin() as session:
        jobs.create(session, new)
    return new.id


def abandon(job_id: UUID, *, suspect: bool = False) -> None:
    """Claim the job's first stage with a lease that has run out already, as a killed worker leaves it."""
    with session_factory().begin() as session:
        claim = claims.take(session, job_id, StageName.CLASSIFY, Holder("gone", -1), suspect=suspect)
        assert claim is not None
        jobs.start(session, job_id)


def stored(job_id: UUID) -> Job:
    """The job as it stands."""
    with session_factory()() as session:
        return jobs.get(session, job_id)


def test_what_a_lost_worker_ran_is_queued_again(queues: "redis.Redis") -> None:
    """The stage is queued with the cause and its message sent; it is due at once."""
    job_id = submit()
    abandon(job_id)
    assert sweep.take_over(session_factory(), WATCHFUL) == 1
    stage = stored(job_id).stages[0]
    assert (stage.status, stage.attempts) == (StageStatus.QUEUED, 1)
    assert stage.error is not None
    assert stage.error["type"] == WorkerLost.code
    assert queues.llen(StageName.CLASSIFY) == 1


def test_a_job_that_kills_every_worker_fails(queues: "redis.Redis") -> None:
    """After its last attempt the poison job is failed, with the lost worker as its cause."""
    job_id = submit()
    for attempt in range(CRASH.attempts):
        abandon(job_id, suspect=attempt > 0)
        assert sweep.take_over(session_factory(), WATCHFUL) == 1
    job = stored(job_id)
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert (job.error["stage"], job.error["type"]) == ("classify", WorkerLost.code)


def test_nobody_is_judged_right_after_an_outage(queues: "redis.Redis") -> None:
    """A lease that ran out while nobody could renew it says nothing of its worker."""
    abandon(submit())
    watch = sweep.Watch(longest_gap=timedelta(hours=1), patience=timedelta(seconds=0.2))
    assert sweep.take_over(session_factory(), watch) == 0
    time.sleep(0.25)
    assert sweep.take_over(session_factory(), watch) == 1


def test_a_gap_between_two_looks_is_an_outage() -> None:
    """Looks that follow each other add up to the patience; after a longer gap they count anew."""
    watch = sweep.Watch(longest_gap=timedelta(seconds=4), patience=timedelta(seconds=6))
    assert [watch.looked(now) for now in (0, 2, 4, 6, 8, 13, 15, 17, 19)] == [
        *(False, False, False, True, True),
        *(False, False, False, True),
    ]


def test_a_lease_that_runs_is_left_alone(queues: "redis.Redis") -> None:
    """What is being renewed is nobody else's."""
    job_id = submit()
    with session_factory().begin() as session:
        claims.take(session, job_id, StageName.CLASSIFY, Holder("here", 60), suspect=False)
    assert sweep.take_over(session_factory(), WATCHFUL) == 0


def test_a_message_that_was_never_sent_is_sent(queues: "redis.Redis") -> None:
    """Accepted while Redis was down, or its API killed before the send: the sweep wakes a worker."""
    job_id = submit()
    assert sweep.resend(session_factory(), timedelta(seconds=60)) == 0
    assert sweep.resend(session_factory(), NOW) == 1
    assert queues.llen(StageName.CLASSIFY) == 1
    assert stored(job_id).stages[0].status is StageStatus.QUEUED


def test_a_long_queue_is_not_sent_again(queues: "redis.Redis") -> None:
    """Stages that only wait their turn have their messages in the queue: nothing is added to it."""
    for _ in range(5):
        messages.send(StageName.CLASSIFY, submit())
    assert sweep.resend(session_factory(), NOW) == 0
    queues.lpop(StageName.CLASSIFY)
    assert sweep.resend(session_factory(), NOW) == 1
    assert queues.llen(StageName.CLASSIFY) == 5


def test_a_wiped_redis_is_filled_again(queues: "redis.Redis") -> None:
    """After FLUSHALL every waiting stage is sent again, once."""
    for _ in range(5):
        messages.send(StageName.CLASSIFY, submit())
    queues.flushall()
    assert sweep.resend(session_factory(), NOW) == 5
    assert queues.llen(StageName.CLASSIFY) == 5


def test_a_stage_in_back_off_is_not_sent_early(queues: "redis.Redis") -> None:
    """What is queued for later isn't missing."""
    job_id = submit()
    later = func.clock_timestamp() + timedelta(hours=1)
    with session_factory().begin() as session:
        session.execute(update(Stage).where(Stage.job_id == job_id).values(due_at=later))
    assert sweep.resend(session_factory(), NOW) == 0


def test_sweeps_at_once_do_each_thing_once(queues: "redis.Redis") -> None:
    """Four sweeps over twenty abandoned stages: twenty takeovers, twenty messages."""
    for _ in range(20):
        abandon(submit())
    with ThreadPoolExecutor(4) as threads:
        counts = list(threads.map(lambda _: sweep.take_over(session_factory(), WATCHFUL), range(4)))
    assert sum(counts) == 20
    assert queues.llen(StageName.CLASSIFY) == 20


def test_old_jobs_leave_with_their_objects(queues: "redis.Redis") -> None:
    """Past the retention, rows and objects are gone; younger jobs, and those that run, stay."""
    old, young, running = submit(), submit(), submit()
    for job_id in (old, young):
        object_store().put(image_key(job_id), io.BytesIO(b"picture"), "image/png")
        with session_factory().begin() as session:
            assert jobs.cancel(session, job_id)
    with session_factory().begin() as session:
        past = func.clock_timestamp() - timedelta(hours=2)
        session.execute(update(Job).where(Job.id == old).values(finished_at=past))
    assert sweep.expire(session_factory(), object_store(), timedelta(hours=1)) == 1
    with pytest.raises(JobNotFound):
        stored(old)
    with pytest.raises(ObjectMissing):
        object_store().get(image_key(old))
    assert stored(running).status is JobStatus.QUEUED
    assert object_store().get(image_key(young)) == b"picture"


def test_what_never_became_a_job_is_removed(queues: "redis.Redis") -> None:
    """An image whose row never came goes, once it is old enough; one that is younger stays."""
    now, hour = datetime.now(UTC), timedelta(hours=1)
    orphan, young = earliest_id(now - 3 * hour), uuid7()
    for job_id in (orphan, young):
        object_store().put(image_key(job_id), b"picture", "image/png")
    assert sweep.remove_orphans(session_factory(), object_store(), now - 4 * hour, now - 2 * hour) == 1
    with pytest.raises(ObjectMissing):
        object_store().get(image_key(orphan))
    assert object_store().get(image_key(young)) == b"picture"


def test_orphans_are_told_from_jobs_of_the_same_time(queues: "redis.Redis") -> None:
    """Jobs of the time that is looked at keep their objects."""
    job_id, orphan = submit(), uuid7()
    for place in (job_id, orphan):
        object_store().put(image_key(place), b"picture", "image/png")
    now, hour = datetime.now(UTC), timedelta(hours=1)
    assert sweep.remove_orphans(session_factory(), object_store(), now - hour, now + hour) >= 1
    with pytest.raises(ObjectMissing):
        object_store().get(image_key(orphan))
    assert object_store().get(image_key(job_id)) == b"picture"


def test_an_upload_that_came_after_its_time_is_removed(queues: "redis.Redis") -> None:
    """A PUT that began in time may end when nothing knows of it any more; what can be used yet stays."""
    now = datetime.now(UTC)
    late, young = earliest_id(now - timedelta(hours=3)), uuid7()
    with session_factory().begin() as session:
        known = uploads.create(session, "local", timedelta(hours=1)).id
    for upload_id in (late, young, known):
        object_store().put(upload_key(upload_id), b"picture", "image/png")
    sweep.remove_orphaned_uploads(session_factory(), object_store(), now - timedelta(hours=2))
    with pytest.raises(ObjectMissing):
        object_store().size(upload_key(late))
    for upload_id in (young, known):
        assert object_store().size(upload_key(upload_id))


def test_who_waits_long_behind_others_goes_first(queues: "redis.Redis") -> None:
    """One job a round, the one that has waited longest; what is first in line already is left alone."""
    with session_factory().begin() as session:
        waiting = [jobs.create(session, new_job(), message_priority=priority).id for priority in (8, 5, 0)]
    for job_id in waiting[:2]:
        assert sweep.promote(session_factory(), NOW) == 1
        assert stored(job_id).stages[0].priority == 0
    assert sweep.promote(session_factory(), NOW) == 0
    assert sweep.promote(session_factory(), timedelta(hours=1)) == 0
    assert queues.llen(StageName.CLASSIFY) == 2


def test_what_nobody_can_ask_for_is_forgotten(queues: "redis.Redis") -> None:
    """Uploads leave with their objects, and idempotent answers, once they have expired."""
    with session_factory().begin() as session:
        old = uploads.create(session, "local", timedelta(seconds=-1))
        young = uploads.create(session, "local", timedelta(hours=1))
        answer = {"request_sha256": "0", "status": 202, "location": "/", "body": {}}
        assert idempotency.keep(session, "local", f"old {old.id}", timedelta(seconds=-1), **answer)
        assert idempotency.keep(session, "local", f"young {old.id}", timedelta(hours=1), **answer)
    for upload in (old, young):
        object_store().put(upload_key(upload.id), b"picture", "image/png")
    sweep.forget(session_factory(), object_store())
    with pytest.raises(ObjectMissing):
        object_store().get(upload_key(old.id))
    assert object_store().get(upload_key(young.id)) == b"picture"
    with session_factory()() as session:
        assert session.get(Upload, old.id) is None
        assert session.get(IdempotentAnswer, ("local", f"old {old.id}")) is None
        assert session.get(IdempotentAnswer, ("local", f"young {old.id}")) is not None


def test_all_that_has_expired_is_forgotten_in_one_round(queues: "redis.Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    """However much it is: what comes faster than a batch a round would pile up else."""
    monkeypatch.setattr(sweep, "BATCH", 2)
    tenant, past = f"tenant-{uuid7()}", timedelta(seconds=-1)
    answer = {"request_sha256": "0", "status": 202, "location": "/", "body": {}}
    with session_factory().begin() as session:
        ids = [uploads.create(session, tenant, past).id for _ in range(5)]
        for upload_id in ids:
            assert idempotency.keep(session, tenant, str(upload_id), past, **answer)
    for upload_id in ids[:3]:
        object_store().put(upload_key(upload_id), b"picture", "image/png")
    sweep.forget(session_factory(), object_store())
    with session_factory()() as session:
        assert not session.query(Upload).filter(Upload.id.in_(ids)).count()
        assert not session.query(IdempotentAnswer).filter(IdempotentAnswer.tenant == tenant).count()
    for upload_id in ids[:3]:
        with pytest.raises(ObjectMissing):
            object_store().size(upload_key(upload_id))
