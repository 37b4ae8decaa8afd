"""Many jobs in one call."""

from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from uuid_utils.compat import uuid7

from db import claims, jobs, loaded_profiles
from db.claims import Holder
from db.keys import image_key
from db.models import Job
from db.session import session_factory
from db.settings import settings
from db.states import StageName
from db.storage import object_store
from tests.api.answers import encoded, is_problem
from tests.api.finished import MODELS, finish


def items(picture: bytes, count: int) -> list[dict[str, Any]]:
    """Submissions that no earlier answer fits."""
    return [{"image_base64": encoded(picture), "labels": ["square"], "reuse": False} for _ in range(count)]


def jobs_of(batch_id: str) -> list[UUID]:
    """The ids of the batch's jobs."""
    with session_factory()() as session:
        return list(session.scalars(select(Job.id).where(Job.batch_id == UUID(batch_id)).order_by(Job.id)))


def counted(client: TestClient, batch_id: str) -> dict[str, Any]:
    """The batch's document, its counts without the zeros."""
    document = client.get(f"/v1/batches/{batch_id}").json()
    return {**document, "counts": {status: count for status, count in document["counts"].items() if count}}


def test_all_jobs_of_a_batch_are_accepted_together(client: TestClient, picture: bytes) -> None:
    """One answer; each is a job like any other, with its image stored."""
    answer = client.post("/v1/batches", json={"jobs": items(picture, 3), "metadata": {"order": 7}})
    batch = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/batches/{batch['id']}"
    assert (batch["total"], batch["counts"]["queued"], batch["metadata"]) == (3, 3, {"order": 7})
    for job_id in jobs_of(batch["id"]):
        assert client.get(f"/v1/jobs/{job_id}").json()["batch_id"] == batch["id"]
        assert object_store().get(image_key(job_id)) == picture


def test_a_batch_waits_for_a_silent_redis_once(
    client: TestClient, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is accepted whole; of its messages the sweep sends all."""
    tried: list[object] = []

    def refused(*message: object, **_: object) -> bool:
        tried.append(message)
        return False

    monkeypatch.setattr("db.messages.send", refused)
    answer = client.post("/v1/batches", json={"jobs": items(picture, 3)})
    assert (answer.status_code, answer.json()["counts"]["queued"]) == (202, 3)
    assert len(tried) == 1


def test_a_batch_is_finished_with_its_last_job(client: TestClient, picture: bytes) -> None:
    """However its jobs end; and no more when one of them is tried again."""
    batch_id = client.post("/v1/batches", json={"jobs": items(picture, 3)}).json()["id"]
    first, second, third = jobs_of(batch_id)
    finish(first)
    client.post(f"/v1/jobs/{second}/cancel")
    assert counted(client, batch_id)["finished_at"] is None
    fail(third)
    document = counted(client, batch_id)
    assert document["counts"] == {"succeeded": 1, "canceled": 1, "failed": 1}
    assert document["finished_at"] is not None
    client.post(f"/v1/jobs/{third}/retry")
    assert counted(client, batch_id)["finished_at"] is None


def fail(job_id: UUID) -> None:
    """As a worker does that gives up."""
    with session_factory().begin() as session:
        claim = claims.take(session, job_id, StageName.CLASSIFY, Holder("here", 60), suspect=False)
        assert claim is not None
        jobs.start(session, job_id)
        claims.fail(session, claim, {"type": "internal", "message": "?"})
        jobs.fail(session, job_id, StageName.CLASSIFY, {"type": "internal", "message": "?"})


def test_one_wrong_item_refuses_all(client: TestClient, picture: bytes) -> None:
    """Nothing is made, and the answer says which item is wrong, and why."""
    with session_factory()() as session:
        before = session.scalar(select(func.count(Job.id)))
    wrong = [*items(picture, 2), {"image_base64": encoded(picture)}, {"labels": ["cat"]}]
    answer = client.post("/v1/batches", json={"jobs": wrong})
    assert is_problem(answer, 422, "invalid-request")
    assert {error["field"] for error in answer.json()["errors"]} == {"jobs.2", "jobs.3"}
    broken = [*items(picture, 1), *items(b"no picture", 1)]
    answer = client.post("/v1/batches", json={"jobs": broken})
    assert is_problem(answer, 422, "invalid-image")
    assert answer.json()["detail"].startswith("jobs.1: ")
    with session_factory()() as session:
        assert session.scalar(select(func.count(Job.id))) == before


@pytest.mark.parametrize("body", [{}, {"jobs": []}, {"jobs": [7]}, {"jobs": {}}, {"jobs": [{}], "colour": 1}, [], 7])
def test_what_is_no_batch(client: TestClient, body: Any) -> None:
    """It is refused with the field's name."""
    assert is_problem(client.post("/v1/batches", json=body), 422, "invalid-request")


def test_a_batch_has_its_bounds(client: TestClient, picture: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """More jobs than the settings allow are refused."""
    small = settings().model_copy(update={"maximum_batch_jobs": 2})
    monkeypatch.setattr("api.batches.settings", lambda: small)
    answer = client.post("/v1/batches", json={"jobs": items(picture, 3)})
    assert is_problem(answer, 422, "invalid-request")
    assert "at most 2 jobs" in answer.json()["detail"]


def test_an_unknown_batch(client: TestClient) -> None:
    """404, as for jobs."""
    assert is_problem(client.get(f"/v1/batches/{uuid7()}"), 404, "batch-not-found")
    assert is_problem(client.post("/v1/batches", content=b"x"), 415, "unsupported-media-type")


def test_answers_are_reused_in_batches(client: TestClient, picture: bytes) -> None:
    """A batch of questions that were all answered before is finished at once."""
    with session_factory().begin() as session:
        loaded_profiles.announce(session, "tiny", MODELS)
    question = {"image_base64": encoded(picture), "labels": ["square", str(uuid7())]}
    finish(UUID(client.post("/v1/jobs", json=question).json()["id"]))
    batch = client.post("/v1/batches", json={"jobs": [question, question]}).json()
    assert batch["counts"]["succeeded"] == 2
    assert batch["finished_at"] is not None


def test_an_upload_that_is_not_there_is_named(client: TestClient, picture: bytes) -> None:
    """By the job that asks for it."""
    upload_id = client.post("/v1/uploads").json()["id"]
    wanted = [{"image_base64": encoded(picture), "labels": ["x"]}, {"upload_id": upload_id, "labels": ["x"]}]
    answer = client.post("/v1/batches", json={"jobs": wanted})
    assert answer.status_code == 404
    assert "jobs.1: " in answer.json()["detail"]


def test_asking_again_for_a_batch_that_has_not_moved_costs_nothing(client: TestClient, picture: bytes) -> None:
    """304 until one of its jobs moves, and a time to come back until the last has ended."""
    batch = client.post("/v1/batches", json={"jobs": items(picture, 2)}).json()
    first = client.get(f"/v1/batches/{batch['id']}")
    tag = {"If-None-Match": first.headers["etag"]}
    assert int(first.headers["retry-after"]) >= 1
    assert client.get(f"/v1/batches/{batch['id']}", headers=tag).status_code == 304
    for job in client.get("/v1/jobs", params={"batch_id": batch["id"]}).json()["jobs"]:
        client.post(f"/v1/jobs/{job['id']}/cancel")
    last = client.get(f"/v1/batches/{batch['id']}", headers=tag)
    assert (last.status_code, last.json()["counts"]["canceled"]) == (200, 2)
    assert "retry-after" not in last.headers
