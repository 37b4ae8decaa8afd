"""Lists of jobs and their filters."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from tests.api.answers import encoded, is_problem
from tests.api.finished import finish


@pytest.fixture
def mark() -> str:
    """A metadata key of this test's own."""
    return f"mark-{uuid4()}"


def submit(client: TestClient, picture: bytes, **metadata: Any) -> str:
    """A job with this metadata."""
    body = {"image_base64": encoded(picture), "labels": ["square"], "reuse": False, "metadata": metadata}
    return str(client.post("/v1/jobs", json=body).json()["id"])


def listed(client: TestClient, **query: Any) -> list[str]:
    """The ids on the first page."""
    answer = client.get("/v1/jobs", params=query)
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["jobs"]]


def test_by_metadata(client: TestClient, picture: bytes, mark: str) -> None:
    """By a key, or by a key and its value as text, whatever its type."""
    number, text, _ = (
        submit(client, picture, **{mark: 7}),
        submit(client, picture, **{mark: "x"}),
        submit(client, picture),
    )
    assert listed(client, metadata=mark) == [text, number]
    assert listed(client, metadata=f"{mark}:7") == [number]
    assert listed(client, metadata=f"{mark}:8") == []


def test_by_label_and_status(client: TestClient, picture: bytes, mark: str) -> None:
    """A job has its label once it is answered."""
    done, waiting = submit(client, picture, **{mark: 1}), submit(client, picture, **{mark: 2})
    finish(UUID(done))
    assert listed(client, metadata=mark, label="square") == [done]
    assert listed(client, metadata=mark, status="queued") == [waiting]
    assert listed(client, metadata=mark, label="circle") == []


def test_by_time(client: TestClient, picture: bytes, mark: str) -> None:
    """From a time on, or before it."""
    job = submit(client, picture, **{mark: 1})
    now, hour = datetime.now(UTC), timedelta(hours=1)
    assert listed(client, metadata=mark, created_after=(now - hour).isoformat()) == [job]
    assert listed(client, metadata=mark, created_after=(now + hour).isoformat()) == []
    assert listed(client, metadata=mark, created_before=(now + hour).isoformat()) == [job]
    assert listed(client, metadata=mark, created_before=(now - hour).isoformat()) == []


def test_by_batch(client: TestClient, picture: bytes) -> None:
    """The jobs of one call."""
    item = {"image_base64": encoded(picture), "labels": ["square"], "reuse": False}
    batch = client.post("/v1/batches", json={"jobs": [item, item]}).json()
    assert len(listed(client, batch_id=batch["id"])) == 2


@pytest.mark.parametrize(
    "query",
    [
        {"status": "lost"},
        {"limit": 0},
        {"limit": 101},
        {"before": "what"},
        {"created_after": "2026-01-01T00:00:00"},
        {"created_after": "0.5"},
        {"created_before": "1767225600"},
        {"colour": "red"},
    ],
    ids=lambda query: next(iter(query)),
)
def test_wrong_queries_are_named(client: TestClient, query: dict[str, Any]) -> None:
    """Also a time without its zone, and parameters that there are none of."""
    assert is_problem(client.get("/v1/jobs", params=query), 422, "invalid-request")


def test_the_time_of_a_job_is_the_one_that_it_says(client: TestClient, picture: bytes) -> None:
    """Its own `created_at` takes it in as the beginning of a time, and leaves it out as the end."""
    job = submit(client, picture)
    created_at = client.get(f"/v1/jobs/{job}").json()["created_at"]
    assert job in listed(client, created_after=created_at)
    assert job not in listed(client, created_before=created_at)


@pytest.mark.parametrize("time", ["1960-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_times_before_and_after_all_others(client: TestClient, time: str) -> None:
    """They are times like any other."""
    listed(client, created_after=time)
    listed(client, created_before=time)
