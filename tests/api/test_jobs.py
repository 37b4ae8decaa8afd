"""The routes of jobs that are there: asked for, canceled, tried again, listed, removed."""

from unittest.mock import patch
from uuid import UUID

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update
from uuid_utils.compat import uuid7

from db import messages
from db.errors import ObjectMissing
from db.keys import artifact_key, image_key
from db.models import Stage
from db.session import session_factory
from db.states import Artifact, StageName
from db.storage import object_store
from tests.api.answers import is_problem, submit
from tests.api.finished import CARD, fail, finish


@pytest.fixture
def finished(client: TestClient, picture: bytes) -> str:
    """A job that found one red square, its pictures stored."""
    job_id = UUID(submit(client, picture, labels=["square", "circle"], reuse="false").json()["id"])
    finish(job_id)
    return str(job_id)


def test_unknown_jobs_and_ids_that_are_none(client: TestClient) -> None:
    """An unknown id is 404, a string that is no id is 422; so for the job and for its pictures."""
    for suffix in ("", "/mask"):
        assert is_problem(client.get(f"/v1/jobs/{uuid7()}{suffix}"), 404, "job-not-found")
        assert is_problem(client.get(f"/v1/jobs/what{suffix}"), 422, "invalid-request")
    assert is_problem(client.get("/v2/what"), 404, "not-found")


def test_the_document_of_a_finished_job(client: TestClient, finished: str) -> None:
    """It says the main object, all scores, each instance with working URLs, and which models ran."""
    document = client.get(f"/v1/jobs/{finished}").json()
    assert (document["status"], document["error"]) == ("succeeded", None)
    result = document["result"]
    assert result["outcome"] == "found"
    chosen = {"label": "square", "score": 0.75, "fit": None, "margin": 0.5, "ambiguous": False}
    assert result["main_object"] == chosen
    assert [candidate["label"] for candidate in result["candidates"]] == ["square", "circle"]
    assert [model["stage"] for model in result["models"]] == ["classify", "detect", "segment"]
    (instance,) = result["instances"]
    assert instance["mask"]["rle"] == {"size": [48, 64], "counts": "x"}
    for artifact in ("mask", "cutout", "overlay"):
        assert httpx.get(instance[f"{artifact}_url"]).content == artifact.encode()


def test_a_result_names_the_commits_of_its_models(client: TestClient, finished: str) -> None:
    """Of those that are the hub's; what older workers wrote of a model names none, and is still a document."""
    with session_factory().begin() as session:
        session.execute(
            update(Stage)
            .where(Stage.job_id == UUID(finished), Stage.name == StageName.DETECT)
            .values(model={**CARD, "source_revision": "c" * 40})
        )
    models = client.get(f"/v1/jobs/{finished}").json()["result"]["models"]
    assert [model["source_revision"] for model in models] == [None, "c" * 40, None]


@pytest.mark.parametrize("artifact", ["mask", "cutout", "overlay"])
def test_pictures_are_redirects_to_the_storage(client: TestClient, finished: str, artifact: str) -> None:
    """The API hands out a presigned URL; the bytes come from the storage."""
    answer = client.get(f"/v1/jobs/{finished}/{artifact}")
    assert answer.status_code == 307
    assert httpx.get(answer.headers["location"]).content == artifact.encode()


def test_pictures_that_are_not_there(client: TestClient, finished: str, picture: bytes) -> None:
    """A second instance, an unfinished job and an unknown kind of picture each say what is missing."""
    assert is_problem(client.get(f"/v1/jobs/{finished}/mask?instance=1"), 404, "artifact-not-found")
    assert is_problem(client.get(f"/v1/jobs/{finished}/mask?instance=-1"), 422, "invalid-request")
    assert is_problem(client.get(f"/v1/jobs/{finished}/hologram"), 404, "not-found")
    unfinished = submit(client, picture, description="a cat").json()["id"]
    answer = client.get(f"/v1/jobs/{unfinished}/mask")
    assert is_problem(answer, 404, "artifact-not-found")
    assert "queued" in answer.json()["detail"]


def test_a_job_is_canceled_once_and_for_all(client: TestClient, picture: bytes) -> None:
    """Canceling ends a waiting job; canceling again answers the same."""
    job_id = submit(client, picture, description="a cat").json()["id"]
    for _ in range(2):
        answer = client.post(f"/v1/jobs/{job_id}/cancel")
        assert answer.status_code == 200
        assert answer.json()["status"] == "canceled"
    assert client.get(f"/v1/jobs/{job_id}").json()["finished_at"]


def test_what_has_ended_can_not_be_canceled(client: TestClient, finished: str) -> None:
    """A succeeded job is answered 409 and stays as it is."""
    assert is_problem(client.post(f"/v1/jobs/{finished}/cancel"), 409, "job-has-ended")
    assert client.get(f"/v1/jobs/{finished}").json()["status"] == "succeeded"


def test_a_failed_job_is_listed_with_its_cause_and_retried(client: TestClient, picture: bytes) -> None:
    """The operator's way: list what failed, read why, start it again; then it is no longer listed."""
    job_id = submit(client, picture, description="a cat").json()["id"]
    fail(UUID(job_id))
    (listed,) = client.get("/v1/jobs", params={"status": "failed", "limit": 1}).json()["jobs"]
    assert listed["id"] == job_id
    assert listed["error"] == {"stage": "classify", "type": "invalid-image", "message": "It is broken."}
    answer = client.post(f"/v1/jobs/{job_id}/retry")
    assert (answer.status_code, answer.json()["status"], answer.json()["error"]) == (202, "queued", None)
    failed = client.get("/v1/jobs", params={"status": "failed"}).json()["jobs"]
    assert job_id not in [job["id"] for job in failed]


def test_a_retry_waits_its_turn(client: TestClient, picture: bytes) -> None:
    """Like a new job of its caller's: ten thousand of them don't pass everybody else's first."""
    job_id = UUID(submit(client, picture, labels="cat", reuse="false", priority="low").json()["id"])
    fail(job_id)
    with patch.object(messages, "send") as sent:
        assert client.post(f"/v1/jobs/{job_id}/retry").status_code == 202
    assert sent.call_args.kwargs["priority"] >= 3


def test_only_failed_jobs_are_retried(client: TestClient, finished: str, picture: bytes) -> None:
    """One that succeeded, or waits, is answered 409."""
    waiting = submit(client, picture, description="a cat").json()["id"]
    for job_id in (finished, waiting):
        assert is_problem(client.post(f"/v1/jobs/{job_id}/retry"), 409, "job-not-failed")


def test_pages_lead_from_the_newest_to_the_oldest(client: TestClient, picture: bytes) -> None:
    """Page by page, every job comes once, in order."""
    submitted = [submit(client, picture, description="a cat").json()["id"] for _ in range(3)]
    seen: list[str] = []
    cursor: str | None = None
    while submitted[0] not in seen:
        params = {"limit": "2", **({"before": cursor} if cursor else {})}
        answer = client.get("/v1/jobs", params=params).json()
        seen += [job["id"] for job in answer["jobs"]]
        cursor = answer["next"]
    assert seen[:3] == submitted[::-1]
    assert is_problem(client.get("/v1/jobs", params={"limit": "101"}), 422, "invalid-request")
    assert is_problem(client.get("/v1/jobs", params={"status": "lost"}), 422, "invalid-request")


def test_a_deleted_job_is_gone_with_its_pictures(client: TestClient, finished: str) -> None:
    """Row, image and masks: nothing of it is left, and deleting it again is 404."""
    assert client.delete(f"/v1/jobs/{finished}").status_code == 204
    assert is_problem(client.get(f"/v1/jobs/{finished}"), 404, "job-not-found")
    for key in (image_key(UUID(finished)), artifact_key(UUID(finished), 0, Artifact.MASK)):
        with pytest.raises(ObjectMissing):
            object_store().get(key)
    assert is_problem(client.delete(f"/v1/jobs/{finished}"), 404, "job-not-found")


@pytest.mark.parametrize("call", ["cancel", "retry"])
def test_changing_an_unknown_job_is_404(client: TestClient, call: str) -> None:
    """No job, nothing to change."""
    assert is_problem(client.post(f"/v1/jobs/{uuid7()}/{call}"), 404, "job-not-found")
