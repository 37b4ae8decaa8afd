"""The outbox in Postgres: what is written with a job's end, who may attempt it, and in which order."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from db import batches, deliveries, jobs, lines, outbox, signing
from db.batches import NewBatch
from db.deliveries import LOST, Answered, Claim, Step
from db.errors import DeliveryNotFound
from db.lines import Limits
from db.models import Batch, Delivery, DeliveryAttempt, DisabledReceiver, Job, SigningSecret
from db.outbox import GONE
from db.session import session_factory
from db.states import DeliveryStatus, Event
from tests.new_jobs import new_job

URL = "http://receiver.example:8080/hook"
LEASE = timedelta(seconds=30)
NOW = timedelta(0)
MINUTE = timedelta(minutes=1)
LIMITS = Limits(per_receiver=4, per_tenant=100)
ONE = Limits(per_receiver=1, per_tenant=100)
WELL = Answered(12, 204, "")
DONE = Step(DeliveryStatus.SUCCEEDED)


@pytest.fixture(autouse=True)
def only_ours(session: Session) -> None:
    """Within the test's transaction there are no deliveries of other tests."""
    session.execute(delete(Delivery))


def canceled(session: Session, **values: Any) -> Delivery:
    """The delivery of a job that was canceled."""
    job = jobs.create(session, new_job(**{"webhook_url": URL} | values))
    assert jobs.cancel(session, job.id)
    (delivery,) = deliveries.of_job(session, job.id)
    return delivery


def take(session: Session, delivery: Delivery | UUID, limits: Limits = LIMITS) -> Claim | None:
    """A claim on it."""
    return deliveries.take(session, delivery if isinstance(delivery, UUID) else delivery.id, LEASE, limits)


def taken(session: Session, delivery: Delivery | UUID) -> Claim:
    """A claim on it that is there for the taking."""
    claim = take(session, delivery)
    assert claim is not None
    return claim


def again(session: Session, delivery: Delivery) -> Delivery:
    """As it stands in the table."""
    session.expire_all()
    return deliveries.find(session, delivery.tenant, delivery.id)


def test_a_jobs_end_is_in_the_outbox_with_it(session: Session) -> None:
    """The delivery says what happened to whom, is due at once, and names its receiver by host and port."""
    delivery = canceled(session)
    assert (delivery.event, delivery.status, delivery.attempts) == (Event.JOB_CANCELED, DeliveryStatus.PENDING, 0)
    assert (delivery.url, delivery.receiver) == (URL, "receiver.example:8080")
    assert delivery.tenant == "local"


@pytest.mark.parametrize(
    ("events", "wanted"), [(None, 1), (["job.canceled"], 1), (["job.succeeded", "job.failed"], 0), ([], 0)]
)
def test_only_events_that_are_wanted_are_told(session: Session, events: list[str] | None, wanted: int) -> None:
    """`webhook_events` filters; without it all are wanted."""
    job = jobs.create(session, new_job(webhook_url=URL, webhook_events=events))
    jobs.cancel(session, job.id)
    assert len(deliveries.of_job(session, job.id)) == wanted


def test_without_a_url_nothing_is_told(session: Session, job: Job) -> None:
    """Most jobs have no webhook."""
    jobs.cancel(session, job.id)
    assert deliveries.of_job(session, job.id) == []


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://a.example/x", "a.example:80"),
        ("https://a.example/x", "a.example:443"),
        ("https://a.example:8443", "a.example:8443"),
        ("http://[2001:db8::1]/", "2001:db8::1:80"),
        ("http://a.example:99999999/", "http://a.example:99999999/"),
        ("http://[nonsense/", "http://[nonsense/"),
    ],
)
def test_a_receiver_is_a_host_and_a_port(url: str, where: str) -> None:
    """Whatever the path; and a URL that can't be read never keeps a job from its end."""
    assert outbox.receiver(url) == where


def test_a_batch_tells_of_its_last_job(session: Session) -> None:
    """Once, when nothing remains; again when a job of it was tried again."""
    batch = NewBatch(id=uuid7(), tenant="local", total=2, remaining=2, webhook_url=URL)
    batches.create(session, batch)
    ids = [jobs.create(session, new_job(batch_id=batch.id)).id for _ in range(2)]
    jobs.cancel(session, ids[0])
    assert deliveries.of_batch(session, batch.id) == []
    jobs.cancel(session, ids[1])
    (delivery,) = deliveries.of_batch(session, batch.id)
    assert (delivery.event, delivery.job_id, delivery.batch_id) == (Event.BATCH_COMPLETED, None, batch.id)


def test_a_batch_that_is_finished_at_once_tells_of_it(session: Session) -> None:
    """All of its jobs were given earlier answers."""
    batch = NewBatch(id=uuid7(), tenant="local", total=1, remaining=0, webhook_url=URL)
    batches.create(session, batch)
    assert [found.event for found in deliveries.of_batch(session, batch.id)] == [Event.BATCH_COMPLETED]


def test_a_claim_counts_and_keeps_others_out(session: Session) -> None:
    """A message that comes twice finds nothing to take."""
    delivery = canceled(session)
    claim = taken(session, delivery)
    assert (claim.attempt, claim.url, claim.event) == (1, URL, Event.JOB_CANCELED)
    assert take(session, delivery) is None
    assert take(session, uuid7()) is None


def test_an_attempt_is_a_row(session: Session) -> None:
    """Its number, time, status and the first bytes of the answer; a success ends the delivery."""
    delivery = canceled(session)
    assert deliveries.record(session, taken(session, delivery), Answered(12, 200, "thanks"), DONE)
    found = again(session, delivery)
    assert (found.status, found.reason, found.lease_expires_at) == (DeliveryStatus.SUCCEEDED, None, None)
    assert found.finished_at is not None
    (attempt,) = found.tries
    assert (attempt.number, attempt.duration_ms, attempt.status_code, attempt.answer) == (1, 12, 200, "thanks")


def test_a_repeat_waits_for_its_time(session: Session) -> None:
    """Nobody takes it before it is due, and the sweep doesn't send it."""
    delivery = canceled(session)
    assert deliveries.record(session, taken(session, delivery), WELL, Step(DeliveryStatus.PENDING, 60))
    assert take(session, delivery) is None
    assert delivery.id not in dict(lines.mark_due(session, NOW, LIMITS, 100))
    make_due(session, delivery)
    assert taken(session, delivery).attempt == 2


def make_due(session: Session, delivery: Delivery) -> None:
    """As if its delay were over."""
    session.execute(update(Delivery).where(Delivery.id == delivery.id).values(due_at=func.clock_timestamp()))


def expire_lease(session: Session, delivery: Delivery) -> None:
    """As if the process that holds it had been killed a while ago."""
    past = func.clock_timestamp() - timedelta(seconds=1)
    session.execute(update(Delivery).where(Delivery.id == delivery.id).values(lease_expires_at=past))


def test_what_a_lost_process_held_is_attempted_again(session: Session) -> None:
    """Its attempt says that it was lost; should it come back after all, it changes nothing but its own row."""
    delivery = canceled(session)
    lost = taken(session, delivery)
    expire_lease(session, delivery)
    assert (delivery.id, 1) in lines.mark_due(session, MINUTE, LIMITS, 100)
    second = taken(session, delivery)
    assert [(found.number, found.error) for found in again(session, delivery).tries] == [(1, LOST), (2, None)]
    assert not deliveries.record(session, lost, WELL, DONE)
    assert again(session, delivery).status is DeliveryStatus.PENDING
    assert deliveries.record(session, second, WELL, DONE)


def test_a_receiver_that_is_gone_gets_nothing_more(session: Session) -> None:
    """410: all that waits for the URL ends, and what comes later isn't begun; other URLs and tenants go on."""
    delivery, waiting = canceled(session), canceled(session)
    elsewhere, others = canceled(session, webhook_url=URL + "2"), canceled(session, tenant="other")
    gone = Step(DeliveryStatus.DISABLED, reason=GONE)
    assert deliveries.record(session, taken(session, delivery), Answered(1, 410, ""), gone)
    later = canceled(session)
    for found in (delivery, waiting, later):
        assert (again(session, found).status, again(session, found).reason) == (DeliveryStatus.DISABLED, GONE)
        assert take(session, found) is None
    for found in (elsewhere, others):
        assert again(session, found).status is DeliveryStatus.PENDING


def test_one_success_enables_a_receiver_again(session: Session) -> None:
    """A redelivery is attempted though the URL is disabled; while it isn't through, others stay disabled."""
    delivery = canceled(session)
    gone = Step(DeliveryStatus.DISABLED, reason=GONE)
    deliveries.record(session, taken(session, delivery), Answered(1, 410, ""), gone)
    redelivered = deliveries.redeliver(session, "local", delivery.id)
    assert (redelivered.status, redelivered.reason, redelivered.finished_at) == (DeliveryStatus.PENDING, None, None)
    assert canceled(session).status is DeliveryStatus.DISABLED
    claim = taken(session, delivery)
    assert claim.attempt == 2
    assert deliveries.record(session, claim, WELL, DONE)
    assert canceled(session).status is DeliveryStatus.PENDING


@pytest.mark.parametrize("step", [DONE, Step(DeliveryStatus.PENDING, 60), Step(DeliveryStatus.DISABLED, reason=GONE)])
def test_a_redelivery_while_an_attempt_runs_is_one_more_attempt(session: Session, step: Step) -> None:
    """However the running one ends, another follows it at once; until then the running one keeps its place."""
    delivery = canceled(session)
    running = taken(session, delivery)
    deliveries.redeliver(session, "local", delivery.id)
    assert take(session, delivery) is None
    assert deliveries.record(session, running, WELL, step)
    assert again(session, delivery).status is DeliveryStatus.PENDING
    assert lines.call_next(session, delivery.receiver, "local", LIMITS) == [(delivery.id, 1)]
    following = taken(session, delivery)
    assert following.attempt == 2
    assert deliveries.record(session, following, WELL, DONE)
    assert [attempt.number for attempt in again(session, delivery).tries] == [1, 2]


def test_a_redelivery_while_an_attempt_waits_for_room_comes_at_once(session: Session) -> None:
    """What is handed back doesn't count, and doesn't put the redelivery off."""
    delivery = canceled(session)
    running = taken(session, delivery)
    deliveries.redeliver(session, "local", delivery.id)
    deliveries.hand_back(session, running, 60)
    assert taken(session, delivery).attempt == 1


def test_a_tenant_redelivers_its_own_alone(session: Session) -> None:
    """Another's isn't found."""
    delivery = canceled(session)
    with pytest.raises(DeliveryNotFound):
        deliveries.redeliver(session, "other", delivery.id)
    with pytest.raises(DeliveryNotFound):
        deliveries.find(session, "other", delivery.id)


def test_a_receiver_has_so_many_attempts_at_once(session: Session) -> None:
    """What comes while it has no room waits in its line, and is called when an attempt ends."""
    first, second, third = (canceled(session) for _ in range(3))
    held = take(session, first, limits=ONE)
    assert held is not None
    assert take(session, second, limits=ONE) is None
    assert take(session, third, limits=ONE) is None
    assert lines.mark_due(session, NOW, ONE, 100) == []
    deliveries.record(session, held, WELL, DONE)
    assert lines.call_next(session, held.receiver, held.tenant, LIMITS) == [(second.id, 0)]
    assert take(session, second, limits=ONE) is not None


def test_another_receiver_has_room_of_its_own(session: Session) -> None:
    """A slow one is in nobody else's way."""
    slow, quick = canceled(session), canceled(session, webhook_url="http://quick.example/")
    assert take(session, slow, limits=ONE) is not None
    assert take(session, quick, limits=ONE) is not None


def wait_in_line(session: Session, url: str, count: int, attempts: int = 0, **values: Any) -> list[UUID]:
    """Deliveries of one receiver that nobody was told of, the longest waiting first."""
    ids = [canceled(session, webhook_url=url, **values).id for _ in range(count)]
    session.execute(update(Delivery).where(Delivery.id.in_(ids)).values(sent_at=None, attempts=attempts))
    return ids


def test_receivers_take_turns(session: Session) -> None:
    """Of a dead receiver's two hundred only its share is sent, once; the other's don't wait behind them."""
    dead = wait_in_line(session, "http://dead.example/", 200)
    alive = wait_in_line(session, "http://alive.example/", 3)
    sent = dict(lines.mark_due(session, MINUTE, LIMITS, 100))
    assert set(sent) == {*dead[:4], *alive}
    assert lines.mark_due(session, MINUTE, LIMITS, 100) == []
    # Their messages seem lost.
    assert set(dict(lines.mark_due(session, NOW, LIMITS, 100))) == {*dead[:4], *alive}


def test_the_turns_hold_when_not_all_can_be_sent(session: Session) -> None:
    """With room for two messages each receiver gets one."""
    dead = wait_in_line(session, "http://dead.example/", 10)
    alive = wait_in_line(session, "http://alive.example/", 3)
    assert set(dict(lines.mark_due(session, MINUTE, LIMITS, 2))) == {dead[0], alive[0]}


def test_a_tenant_has_so_many_attempts_at_once(session: Session) -> None:
    """However many receivers it names; another tenant's go on, against the same receivers."""
    limits = Limits(per_receiver=4, per_tenant=2)
    first, second, third = (canceled(session, webhook_url=f"http://{number}.example/") for number in range(3))
    held = take(session, first, limits)
    assert held is not None
    assert take(session, second, limits) is not None
    assert take(session, third, limits) is None
    assert lines.mark_due(session, NOW, limits, 100) == []
    assert take(session, canceled(session, webhook_url="http://2.example/", tenant="other"), limits) is not None
    deliveries.record(session, held, WELL, DONE)
    assert lines.call_next(session, held.receiver, held.tenant, limits) == [(third.id, 0)]
    assert take(session, third, limits) is not None


def test_a_tenants_dead_receivers_do_not_keep_its_others_out(session: Session) -> None:
    """When an attempt against one of them ends, the next of a receiver with room is called before its own next."""
    limits = Limits(per_receiver=2, per_tenant=4)
    dead = [wait_in_line(session, f"http://dead-{number}.example/", 5) for number in range(2)]
    alive = wait_in_line(session, "http://alive.example/", 2)
    held = [take(session, delivery_id, limits) for line in dead for delivery_id in line[:2]]
    assert None not in held
    assert held[0] is not None
    deliveries.record(session, held[0], WELL, Step(DeliveryStatus.PENDING, 60))
    called = lines.call_next(session, held[0].receiver, held[0].tenant, limits)
    assert called == [(alive[0], 0), (dead[0][2], 0)]
    assert [take(session, delivery_id, limits) is not None for delivery_id, _ in called] == [True, False]


def test_tenants_take_turns(session: Session) -> None:
    """One with a hundred dead receivers is sent no more than it may have in flight, and the other is sent, too."""
    limits = Limits(per_receiver=4, per_tenant=8)
    for number in range(20):
        wait_in_line(session, f"http://dead-{number}.example/", 2, tenant="hostile")
    honest = wait_in_line(session, "http://alive.example/", 2, tenant="honest")
    assert honest[0] in dict(lines.mark_due(session, MINUTE, limits, 2))
    sent = dict(lines.mark_due(session, NOW, limits, 100))
    assert len(sent) == 10
    assert set(honest) < set(sent)
    assert lines.mark_due(session, MINUTE, limits, 100) == []


def test_first_attempts_come_before_repeated_ones(session: Session) -> None:
    """What is new isn't held up by what failed before."""
    old = wait_in_line(session, URL, 2, attempts=3)
    new = wait_in_line(session, URL, 2)
    assert set(dict(lines.mark_due(session, MINUTE, Limits(2, 100), 100))) == set(new)
    assert lines.call_next(session, outbox.receiver(URL), "local", LIMITS) == [(old[0], 3)]


def test_deliveries_leave_with_their_job(session: Session) -> None:
    """And their attempts with them."""
    delivery = canceled(session)
    taken(session, delivery)
    assert delivery.job_id is not None
    jobs.delete(session, [delivery.job_id])
    assert session.scalar(select(func.count()).where(DeliveryAttempt.delivery_id == delivery.id)) == 0


def test_old_batches_leave_once_their_jobs_have(session: Session) -> None:
    """Those with jobs stay, those that run stay, and those that are younger."""
    ids = {name: uuid7() for name in ("old", "full", "running", "young")}
    for name, batch_id in ids.items():
        batches.create(session, NewBatch(id=batch_id, tenant="local", total=1, remaining=int(name == "running")))
    jobs.create(session, new_job(batch_id=ids["full"]))
    past = func.clock_timestamp() - timedelta(hours=2)
    aged = Batch.id.in_([ids["old"], ids["full"]])
    session.execute(update(Batch).where(aged).values(finished_at=past))
    assert batches.expire(session, timedelta(hours=1), 500) >= 1
    left = set(session.scalars(select(Batch.id).where(Batch.id.in_(ids.values()))))
    assert left == {ids["full"], ids["running"], ids["young"]}


@pytest.fixture
def tenant(migrated: None) -> Iterator[str]:
    """A tenant whose rows are committed, and removed after the test."""
    name = f"tenant-{uuid7()}"
    yield name
    with session_factory().begin() as session:
        for table in (Job, DisabledReceiver, SigningSecret):
            session.execute(delete(table).where(table.tenant == name))


def test_claims_at_once_stay_within_the_limit(tenant: str) -> None:
    """Twelve processes for one receiver that takes four."""
    with session_factory().begin() as session:
        ids = [canceled(session, tenant=tenant).id for _ in range(12)]

    def claim(delivery_id: UUID) -> bool:
        with session_factory().begin() as session:
            return take(session, delivery_id) is not None

    with ThreadPoolExecutor(12) as threads:
        assert sum(threads.map(claim, ids)) == 4


def test_the_first_secret_is_made_once(tenant: str) -> None:
    """Eight that need it at once get the same, of 32 random bytes."""

    def secret(_: int) -> list[str]:
        with session_factory().begin() as session:
            return [found.secret for found in signing.valid(session, tenant)]

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(secret, range(8)))
    assert len({tuple(one) for one in found}) == 1
    assert found[0][0].startswith("whsec_")


def test_a_rotation_leaves_two_secrets_for_a_time(session: Session) -> None:
    """The older one ends after the overlap, or with the next rotation."""
    tenant = f"tenant-{uuid7()}"
    (first,) = signing.valid(session, tenant)
    second, ending = signing.rotate(session, tenant, timedelta(hours=24))
    assert ending.id == first.id
    assert ending.expires_at is not None
    assert second.expires_at is None
    (third,) = signing.rotate(session, tenant, timedelta(seconds=-1))
    ended = second.id
    assert [found.id for found in signing.valid(session, tenant)] == [third.id]
    signing.forget_expired(session)
    session.expire_all()
    assert session.get(SigningSecret, ended) is None
