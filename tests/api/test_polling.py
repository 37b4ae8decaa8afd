"""Callers who ask again: `ETag`, `Retry-After` and the place in the queue."""

import time
from uuid import UUID

from fastapi.testclient import TestClient

from tests.api.answers import submit
from tests.api.finished import finish


def test_a_poll_that_finds_nothing_new_is_304(client: TestClient, job_id: UUID) -> None:
    """Until the job changes."""
    url = f"/v1/jobs/{job_id}"
    tag = client.get(url).headers["etag"]
    again = client.get(url, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(url, headers={"If-None-Match": f'"other", {tag}'}).status_code == 304
    finish(job_id)
    changed = client.get(url, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_polls_of_a_job_that_runs_long_are_spaced(client: TestClient, job_id: UUID) -> None:
    """Young jobs may be asked for as often as one likes."""
    assert "retry-after" not in client.get(f"/v1/jobs/{job_id}").headers
    time.sleep(2.1)
    assert client.get(f"/v1/jobs/{job_id}").headers["retry-after"] == "1"


def test_a_queued_job_knows_its_place(client: TestClient, picture: bytes) -> None:
    """Those of the same caller that came before are before it; what has ended gives the pace."""
    first, second = (submit(client, picture, labels=["cat"], reuse="false").json()["id"] for _ in range(2))
    places = [client.get(f"/v1/jobs/{job}").json()["outlook"]["position"] for job in (first, second)]
    assert places[1] == places[0] + 1
    finish(UUID(first))
    assert client.get(f"/v1/jobs/{second}").json()["outlook"]["position"] == places[0]
    assert client.get(f"/v1/jobs/{first}").json()["outlook"] is None
