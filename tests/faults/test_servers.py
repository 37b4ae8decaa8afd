"""Servers that are wiped, restarted or can't be reached while dozens of jobs are in flight."""

import threading
import time
from uuid import UUID

import httpx
import pytest
import redis as redis_client

from db import jobs, messages
from db.session import session_factory
from db.states import StageName
from tests.faults.site import Site, attempts

pytestmark = pytest.mark.faults

CROWD = 30
OUTAGE_SECONDS = 20


def broker(site: Site) -> "redis_client.Redis":
    """A connection to the site's Redis."""
    return redis_client.Redis.from_url(site.environment["MAINMASK_REDIS_URL"])


def test_redis_is_wiped(site: Site) -> None:
    """FLUSHALL in flight: every message that was lost is sent again."""
    site.submit(CROWD)
    with broker(site) as client:
        client.flushall()
    site.account()


def test_redis_is_killed_and_comes_back_empty(site: Site) -> None:
    """Jobs are accepted while it is away, `/readyz` says degraded, and all of them run once it is back."""
    site.submit(CROWD)
    site.kill("redis")
    assert len(site.submit(5)) == 5
    readiness = httpx.get(f"{site.url}/readyz", timeout=30)
    assert (readiness.status_code, readiness.json()["degraded"]) == (200, True)
    site.start("redis")
    with broker(site) as client:
        client.flushall()
    site.account()


def test_redis_does_not_answer(site: Site) -> None:
    """Frozen for twenty seconds: what was accepted before and meanwhile is done after."""
    site.submit(CROWD)
    site.freeze("redis", OUTAGE_SECONDS)
    site.submit(5)
    site.account()


def test_postgres_is_restarted(site: Site) -> None:
    """A restart in flight: what ran is taken over, and nothing is lost."""
    site.submit(CROWD)
    site.stop("postgres")
    site.start("postgres")
    site.account()


def test_postgres_is_away(site: Site) -> None:
    """Stopped for twenty seconds: submissions are answered 503 with Retry-After, and what was accepted is done."""
    site.submit(CROWD)
    site.stop("postgres")
    answer = httpx.get(f"{site.url}/v1/jobs", timeout=30)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert site.submit(3) == []
    time.sleep(OUTAGE_SECONDS)
    site.start("postgres")
    site.account()


def test_the_storage_is_away(site: Site) -> None:
    """Killed for twenty seconds: submissions are answered 503, and stages wait for it with their attempts."""
    site.submit(CROWD)
    site.kill("s3")
    assert site.submit(1) == []
    time.sleep(OUTAGE_SECONDS)
    site.start("s3")
    site.account(within_seconds=180)


def test_the_storage_does_not_answer(site: Site) -> None:
    """Frozen for twenty seconds in mid-flight: requests wait or are tried again."""
    site.submit(CROWD)
    site.freeze("s3", OUTAGE_SECONDS)
    site.account(within_seconds=180)


def test_every_message_comes_twice_and_late(site: Site) -> None:
    """Each stage's message is sent again and again, in any order: every stage is run once."""
    done = threading.Event()

    def send_all_the_time() -> None:
        while not done.wait(0.2):
            for job_id in site.accepted:
                with session_factory()() as session:
                    found = jobs.get(session, UUID(job_id))
                for name in reversed(StageName):
                    messages.send(name, found.id)

    sender = threading.Thread(target=send_all_the_time)
    sender.start()
    try:
        site.submit(CROWD)
        found = site.account(within_seconds=180)
    finally:
        done.set()
        sender.join()
    assert set(attempts(found).values()) == {1}


@pytest.mark.usefixtures("site")
def test_the_site_is_whole_again(site: Site) -> None:
    """After all of that, a job runs as on the first day."""
    site.submit(1)
    site.account(within_seconds=30)
