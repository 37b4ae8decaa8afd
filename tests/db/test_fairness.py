"""Who is served first."""

from collections.abc import Iterator

import pytest
import redis
from sqlalchemy.orm import Session

from db import fairness, jobs, messages
from db.fairness import BANDS, message_priority
from db.settings import settings
from db.states import Priority, StageName
from tests.new_jobs import new_job

HIGH, NORMAL, LOW = Priority


def test_a_caller_with_few_jobs_comes_before_one_with_many() -> None:
    """Whatever each calls its priority; among one caller's own, priority decides."""
    few, more, many = 0, BANDS[0], BANDS[1]
    order = [message_priority(priority, count) for count in (few, more, many) for priority in (HIGH, NORMAL, LOW)]
    assert order == sorted(order)
    assert (order[0], order[-1]) == (1, 9)
    assert set(order) <= set(messages.PRIORITIES)


def test_jobs_in_flight_are_the_tenant_s_own(session: Session) -> None:
    """Ended ones and other tenants' don't count."""
    first, _ = (jobs.create(session, new_job(tenant="busy")) for _ in range(2))
    jobs.create(session, new_job(tenant="other"))
    assert fairness.in_flight(session, "busy") == 2
    jobs.cancel(session, first.id)
    assert fairness.in_flight(session, "busy") == 1


@pytest.fixture
def queue(environment: dict[str, str]) -> Iterator["redis.Redis"]:
    """The broker with an empty classify queue."""
    client = redis.Redis.from_url(environment["MAINMASK_REDIS_URL"])
    for key in client.scan_iter("classify*"):
        client.delete(key)
    yield client
    client.close()


def test_messages_are_taken_in_the_order_of_their_priorities(queue: "redis.Redis") -> None:
    """One caller's crowd, then another's single job, sent last and taken first; what is begun before both."""
    crowd, single, begun = ([new_job().id for _ in range(count)] for count in (5, 1, 1))
    for ahead, job_id in enumerate(crowd):
        messages.send(StageName.CLASSIFY, job_id, priority=message_priority(NORMAL, BANDS[0] + ahead))
    messages.send(StageName.CLASSIFY, single[0], priority=message_priority(NORMAL, 0))
    messages.send(StageName.CLASSIFY, begun[0])
    assert messages.waiting(StageName.CLASSIFY) == 7
    taken: list[str] = []
    with messages.celery_app(settings()).connection_for_read() as connection:
        simple = connection.SimpleQueue("classify")
        while len(taken) < 7:
            message = simple.get(timeout=5)
            taken.append(message.headers["id"].removeprefix("classify-"))
            message.ack()
    assert taken == [str(job_id) for job_id in (*begun, *single, *crowd)]
