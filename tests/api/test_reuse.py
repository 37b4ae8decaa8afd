"""Equal questions: answered at once, with the earlier job's result."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi.testclient import TestClient

from db import loaded_profiles, reuse
from db.keys import artifact_key, job_prefix
from db.reuse import reuse_key
from db.session import session_factory
from db.states import Artifact
from db.storage import object_store
from tests.api.answers import encoded
from tests.api.finished import CARD, MODELS, finish
from tests.new_jobs import new_job


@pytest.fixture
def question(client: TestClient, picture: bytes) -> Iterator[dict[str, Any]]:
    """What no other test asks, under models that a worker has announced."""
    with session_factory().begin() as session:
        loaded_profiles.announce(session, "tiny", MODELS)
    yield {"image_base64": encoded(picture), "labels": ["square", f"circle {uuid4()}"]}
    with session_factory().begin() as session:
        loaded_profiles.announce(session, "tiny", {})


@pytest.fixture
def source(client: TestClient, question: dict[str, Any]) -> str:
    """The finished job that asked it first."""
    job_id = client.post("/v1/jobs", json=question).json()["id"]
    finish(UUID(job_id))
    return str(job_id)


def test_an_equal_question_is_answered_at_once(client: TestClient, question: dict[str, Any], source: str) -> None:
    """200 instead of 202, a job of its own with the same result and pictures of its own, which says whose it is."""
    answer = client.post("/v1/jobs", json={**question, "metadata": {"order": 8}})
    document, first = answer.json(), client.get(f"/v1/jobs/{source}").json()
    assert (answer.status_code, document["status"]) == (200, "succeeded")
    assert (document["reused_from"], document["metadata"]) == (source, {"order": 8})
    for part in ("outcome", "main_object", "candidates", "models"):
        assert document["result"][part] == first["result"][part]
    assert httpx.get(document["result"]["instances"][0]["mask_url"]).content == b"mask"
    assert client.get(answer.headers["location"]).json()["id"] == document["id"]


def test_the_answer_outlives_the_job_that_it_came_from(
    client: TestClient, question: dict[str, Any], source: str
) -> None:
    """Its pictures are copies."""
    job_id = client.post("/v1/jobs", json=question).json()["id"]
    assert client.delete(f"/v1/jobs/{source}").status_code == 204
    assert object_store().get(artifact_key(UUID(job_id), 0, Artifact.MASK)) == b"mask"


def test_another_method_answers_anew(
    client: TestClient, question: dict[str, Any], source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade, what the same models answer now is not what they answered then."""
    assert client.post("/v1/jobs", json=question).json()["reused_from"] == source
    monkeypatch.setattr(reuse, "METHOD", reuse.METHOD + 1)
    assert client.post("/v1/jobs", json=question).json()["reused_from"] is None


def test_the_order_of_models_is_no_other_question() -> None:
    """As callers write them, and as Postgres keeps them."""
    named = {"segment": "b", "classify": "a"}
    keys = {
        reuse_key(new_job(tenant="local", models=dict(order), description="a cat"), "0" * 64)
        for order in (named.items(), reversed(named.items()))
    }
    assert len(keys) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"reuse": False},
        {"instances": "all"},
        {"outputs": ["mask"]},
        {"box_threshold": 0.3},
        {"labels": ["triangle"]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_question_is_asked_anew(
    client: TestClient, question: dict[str, Any], source: str, change: dict[str, Any]
) -> None:
    """Anything that the answer depends on, or the caller's wish."""
    answer = client.post("/v1/jobs", json={**question, **change})
    assert (answer.status_code, answer.json()["reused_from"]) == (202, None)


@pytest.mark.parametrize(
    "models",
    [
        {},
        {**MODELS, "detect": {**CARD, "revision": "2"}},
        {**MODELS, "detect": {**CARD, "source_revision": "c" * 40}},
    ],
    ids=["none", "newer", "of another commit"],
)
def test_other_models_answer_anew(
    client: TestClient, question: dict[str, Any], source: str, models: dict[str, Any]
) -> None:
    """An answer of models that no worker has loaded is nobody's any more."""
    with session_factory().begin() as session:
        loaded_profiles.announce(session, "tiny", models)
    assert client.post("/v1/jobs", json=question).status_code == 202


def test_a_job_that_has_not_ended_answers_nothing(client: TestClient, question: dict[str, Any]) -> None:
    """Two questions in flight are two jobs."""
    client.post("/v1/jobs", json=question)
    assert client.post("/v1/jobs", json=question).status_code == 202


def test_an_answer_whose_pictures_have_gone_is_none(client: TestClient, question: dict[str, Any], source: str) -> None:
    """Its job is being removed at this very moment: the question is asked anew."""
    object_store().delete_prefix(job_prefix(UUID(source)))
    answer = client.post("/v1/jobs", json=question)
    assert (answer.status_code, answer.json()["reused_from"]) == (202, None)
