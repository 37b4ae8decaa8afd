"""Quotas: what is over them is refused with the time to wait, with and without Redis."""

import base64
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update
from uuid_utils.compat import uuid7

from api.app import create_app
from api.rate_limits import RateLimits, rate_limits
from db import load
from db.models import Job, Stage
from db.session import session_factory
from db.settings import settings
from db.states import JobStatus, StageName, StageStatus
from mainmask.stack.redis import Redis
from tests import servers
from tests.api_keys import Headers, answered_unread, bearer, code_of, new_caller, new_key

pytestmark = pytest.mark.usefixtures("keys_are_on")

DAY_SECONDS = 24 * 60 * 60


def listed(client: TestClient, caller: Headers) -> Any:
    """A request that costs one."""
    return client.get("/v1/jobs", params={"limit": 1}, headers=caller)


def submitted(client: TestClient, picture: bytes, caller: Headers) -> Any:
    """A submission."""
    return client.post("/v1/jobs", files={"image": picture}, data={"description": "a cat"}, headers=caller)


def is_refused(answer: Any, *, within_seconds: float) -> bool:
    """429, and a time to wait that is at least a second and at most this."""
    return (
        answer.status_code == 429
        and code_of(answer.json()) == "quota-exceeded"
        and 1 <= int(answer.headers["retry-after"]) <= within_seconds
    )


def test_requests_a_minute(client: TestClient) -> None:
    """Those up to the quota pass; the next is refused until the first is a minute old. Each key has its own."""
    caller = new_caller(client, requests_per_minute=3)
    assert [listed(client, caller).status_code for _ in range(3)] == [200] * 3
    refused = listed(client, caller)
    assert is_refused(refused, within_seconds=60)
    assert int(refused.headers["retry-after"]) > 50
    assert "3 requests a minute" in refused.json()["detail"]
    assert listed(client, new_caller(client, requests_per_minute=3)).status_code == 200


def test_a_request_is_counted_once(client: TestClient) -> None:
    """Also where guards are asked twice, before the body and as dependencies."""
    admin = new_caller(client, scopes=["admin"], requests_per_minute=2)
    answers = [client.post("/v1/keys", json={"name": f"{uuid7()}"}, headers=admin) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]


def test_a_request_over_the_quota_is_not_read(client: TestClient) -> None:
    """Refused by its head."""
    caller = new_caller(client, requests_per_minute=1)
    listed(client, caller)
    head = [(b"authorization", caller["Authorization"].encode()), (b"content-length", b"9999")]
    assert answered_unread(create_app(), "POST", "/v1/jobs", head).status == 429


def test_all_processes_count_together(environment: dict[str, str]) -> None:
    """Two of them share what is in Redis; a moment later a slot is free again."""
    one, other = (RateLimits(environment["MAINMASK_REDIS_URL"]) for _ in range(2))
    who = f"{uuid7()}"
    assert one.take_request(who, per_minute=2) == 0
    assert other.take_request(who, per_minute=2) == 0
    assert 50 < one.take_request(who, per_minute=2) <= 60
    assert one.take_bytes(who, 60, per_day=100) == 0
    assert DAY_SECONDS - 60 < other.take_bytes(who, 41, per_day=100) <= DAY_SECONDS
    assert other.take_bytes(who, 40, per_day=100) == 0


def test_bytes_a_day(client: TestClient, picture: bytes) -> None:
    """The bodies of submissions count, whole; what is refused doesn't, and reading costs nothing."""
    key = new_key(client)
    body_bytes = int(submitted(client, picture, bearer(key["key"])).request.headers["content-length"])
    caller = new_caller(client, bytes_per_day=2 * body_bytes + 100)
    assert submitted(client, picture, caller).status_code == 202
    assert is_refused(submitted(client, picture + bytes(body_bytes), caller), within_seconds=DAY_SECONDS)
    assert submitted(client, picture, caller).status_code == 202
    assert is_refused(submitted(client, picture, caller), within_seconds=DAY_SECONDS)
    assert listed(client, caller).status_code == 200


def test_more_than_a_days_bytes_at_once(client: TestClient, picture: bytes) -> None:
    """To wait wouldn't help: 413."""
    answer = submitted(client, picture, new_caller(client, bytes_per_day=50))
    assert (answer.status_code, code_of(answer.json())) == (413, "body-too-large")


def test_bytes_that_are_counted_are_declared(client: TestClient) -> None:
    """A body in chunks says nothing of its length: 411, unread; without the quota it is taken."""
    chunked = [(b"transfer-encoding", b"chunked"), (b"content-type", b"application/json")]
    for quota, status in ((None, 400), (10**9, 411)):
        caller = new_caller(client, bytes_per_day=quota)
        answer = client.post("/v1/jobs", content=iter([b"{"]), headers={**caller, "content-type": "application/json"})
        assert answer.status_code == status
    head = [(b"authorization", caller["Authorization"].encode()), *chunked]
    assert answered_unread(create_app(), "POST", "/v1/jobs", head).status == 411


def test_jobs_in_flight(client: TestClient, picture: bytes) -> None:
    """The tenant's unfinished jobs count, by whichever key they came; one that ends makes room."""
    key = new_key(client, jobs_in_flight=2)
    caller = bearer(key["key"])
    first = submitted(client, picture, new_caller(client, tenant=key["tenant"])).json()
    assert submitted(client, picture, caller).status_code == 202
    assert is_refused(submitted(client, picture, caller), within_seconds=60)
    head = [(b"authorization", caller["Authorization"].encode())]
    assert answered_unread(create_app(), "POST", "/v1/jobs", head).status == 429
    assert client.post(f"/v1/jobs/{first['id']}/cancel", headers=caller).status_code == 200
    assert submitted(client, picture, caller).status_code == 202


def test_jobs_in_flight_hold_against_a_crowd(client: TestClient, picture: bytes) -> None:
    """However many submissions are let in at the same moment, only so many become jobs."""
    caller = new_caller(client, jobs_in_flight=3)
    with ThreadPoolExecutor(12) as callers:
        answers = list(callers.map(lambda _: submitted(client, picture, caller), range(12)))
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [429] * 9
    assert len(client.get("/v1/jobs", headers=caller).json()["jobs"]) == 3


def test_a_batch_fits_whole_or_not_at_all(client: TestClient, picture: bytes) -> None:
    """All its jobs count; a refused one leaves none."""
    caller = new_caller(client, jobs_in_flight=3)
    job = {"image_base64": base64.b64encode(picture).decode(), "labels": ["cat"]}
    assert client.post("/v1/batches", json={"jobs": [job] * 2}, headers=caller).status_code == 202
    assert is_refused(client.post("/v1/batches", json={"jobs": [job] * 2}, headers=caller), within_seconds=60)
    assert len(client.get("/v1/jobs", headers=caller).json()["jobs"]) == 2
    assert client.post("/v1/batches", json={"jobs": [job]}, headers=caller).status_code == 202


def test_the_bytes_of_an_upload_count(client: TestClient, picture: bytes) -> None:
    """They didn't pass here, and count when they are submitted."""
    caller = new_caller(client, bytes_per_day=15_000)
    upload = client.post("/v1/uploads", headers=caller).json()
    assert httpx.put(upload["url"], content=picture + bytes(10_000)).is_success
    body = {"labels": ["cat"], "upload_id": upload["id"]}
    answers = [client.post("/v1/jobs", json=body, headers=caller) for _ in range(2)]
    assert answers[0].status_code == 202
    assert is_refused(answers[1], within_seconds=DAY_SECONDS)


def failed(client: TestClient, picture: bytes, caller: Headers) -> str:
    """The id of a job that has failed at its first stage."""
    job_id = str(submitted(client, picture, caller).json()["id"])
    first = (Stage.job_id == job_id, Stage.name == StageName.CLASSIFY)
    with session_factory().begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(status=JobStatus.FAILED))
        session.execute(update(Stage).where(*first).values(status=StageStatus.FAILED))
    return job_id


def test_a_batch_that_could_never_be_in_flight_is_told_so(client: TestClient, picture: bytes) -> None:
    """422 and no time to wait: it would be refused for ever. Nothing of it is kept."""
    caller = new_caller(client, jobs_in_flight=2)
    one = {"image_base64": base64.b64encode(picture).decode(), "labels": ["cat"]}
    refused = client.post("/v1/batches", json={"jobs": [one] * 3}, headers=caller)
    assert (refused.status_code, code_of(refused.json())) == (422, "batch-too-large")
    assert "retry-after" not in refused.headers
    assert client.get("/v1/jobs", headers=caller).json()["jobs"] == []
    assert client.post("/v1/batches", json={"jobs": [one] * 2}, headers=caller).status_code == 202


def test_a_retry_is_a_job_in_flight(client: TestClient, picture: bytes) -> None:
    """A failed job comes back only where there is room for it, also of a crowd."""
    caller = new_caller(client, jobs_in_flight=2)
    ids = [failed(client, picture, caller) for _ in range(8)]
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda job_id: client.post(f"/v1/jobs/{job_id}/retry", headers=caller), ids))
    assert sorted(answer.status_code for answer in answers) == [202] * 2 + [429] * 6


@pytest.fixture
def redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings name a port on which nothing listens; `keys_are_on` puts it right again."""
    monkeypatch.setenv("MAINMASK_REDIS_URL", "redis://:password@127.0.0.1:9/0")
    settings.cache_clear()
    rate_limits.cache_clear()


def test_without_redis_each_process_counts(client: TestClient, redis_is_away: None) -> None:
    """The same quotas hold, nobody is refused for the outage, and nobody waits for it."""
    caller = new_caller(client, requests_per_minute=3, bytes_per_day=10**6)
    started = time.monotonic()
    assert [listed(client, caller).status_code for _ in range(3)] == [200] * 3
    assert is_refused(listed(client, caller), within_seconds=60)
    assert time.monotonic() - started < 2


@pytest.fixture
def frozen_redis(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """The address and the process group of a Redis that takes connections and answers none."""
    redis = Redis(tmp_path / "redis", "password")
    with servers.running(redis.program(), tmp_path) as process:
        assert process.pid is not None
        os.killpg(process.pid, signal.SIGSTOP)
        yield redis.url, process.pid
        os.killpg(process.pid, signal.SIGCONT)


def test_a_redis_that_hangs_is_waited_for_once(frozen_redis: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """One request waits, for a bounded time; those after it don't; and when Redis is back it counts again."""
    monkeypatch.setattr("api.rate_limits.OUTAGE_SECONDS", 1.0)
    url, pid = frozen_redis
    limits = RateLimits(url)
    first = seconds_to(limits)
    assert first < 1.5
    assert max(seconds_to(limits) for _ in range(10)) < 0.1
    os.killpg(pid, signal.SIGCONT)
    time.sleep(1.1)
    assert limits.take_request("somebody", per_minute=1) == 0
    assert RateLimits(url).take_request("somebody", per_minute=1) > 0


def seconds_to(limits: RateLimits) -> float:
    """How long one request is kept by its count."""
    started = time.monotonic()
    limits.take_request("anybody", per_minute=100)
    return time.monotonic() - started


def test_one_request_tries_whether_redis_is_back(
    frozen_redis: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When an outage was some seconds ago, one of a crowd asks Redis, and the others don't wait for its answer."""
    monkeypatch.setattr("api.rate_limits.OUTAGE_SECONDS", 0.5)
    limits = RateLimits(frozen_redis[0])
    seconds_to(limits)
    time.sleep(0.6)
    with ThreadPoolExecutor(8) as crowd:
        waited = list(crowd.map(lambda _: seconds_to(limits), range(8)))
    assert sum(seconds > 0.2 for seconds in waited) == 1


def test_a_frozen_process_does_not_hold_the_others_up(client: TestClient, picture: bytes) -> None:
    """Who never ends its turn to count a tenant's jobs keeps that tenant out for now, with 503, and nobody waiting."""
    key = new_key(client, jobs_in_flight=5)
    with session_factory().begin() as session:
        load.take_turns(session, key["tenant"])
        assert submitted(client, picture, bearer(key["key"])).status_code == 503
    assert submitted(client, picture, bearer(key["key"])).status_code == 202
