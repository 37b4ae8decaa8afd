"""The table of models, and jobs that ask for others than the service's own."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, update

from db import jobs, loaded_profiles
from db.catalog import CHECKPOINTS
from db.models import LoadedProfile
from db.session import session_factory
from tests.api.answers import encoded
from tests.api.conftest import forget_settings
from tests.api.finished import CARD, MODELS, finish

OWL, SLIM = "google/owlv2-base-patch16-ensemble", "nielsr/slimsam-77-uniform"


@pytest.fixture
def owl_is_lent(migrated: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings let jobs ask for OWLv2; ask for it before `client`."""
    monkeypatch.setenv("MAINMASK_ALLOWED_MODELS", f"{OWL}, facebook/metaclip-b32-400m")
    forget_settings()
    yield
    monkeypatch.undo()
    forget_settings()


@pytest.fixture
def question(owl_is_lent: None, client: TestClient, picture: bytes) -> dict[str, Any]:
    """What no other test asks."""
    return {"image_base64": encoded(picture), "labels": ["square", f"circle {uuid4()}"]}


def listed(client: TestClient) -> dict[str, Any]:
    """The table by name."""
    return {model["name"]: model for model in client.get("/v1/models").json()["models"]}


def test_the_table_says_what_each_model_is(client: TestClient) -> None:
    """All of them, with their stages, sources, licences and sizes."""
    table = listed(client)
    assert table.keys() == CHECKPOINTS.keys()
    assert table["facebook/metaclip-b32-400m"]["license"] == "CC-BY-NC-4.0"
    assert not table["facebook/metaclip-b32-400m"]["commercial_use"]
    assert table["segment-anything/vit-h"]["source"].endswith("/sam_vit_h_4b8939.pth")
    assert table["segment-anything/vit-h"]["parameters"] == 641_090_608
    assert table["segment-anything/vit-h"]["input_pixels"] == 1024
    profiles_listed = client.get("/v1/models").json()["profiles"]
    assert set(profiles_listed) == {"tiny", "base", "large"}


def test_the_table_says_which_files_they_are(client: TestClient) -> None:
    """The revision that the hub is asked for, or the sum of the weights; of what no hub has, no revision."""
    with session_factory().begin() as session:
        loaded_profiles.announce(session, "tiny", MODELS)
    table = listed(client)
    said = {name: (model["source_revision"], (model["sha256"] or "")[:6] or None) for name, model in table.items()}
    assert said[OWL] == ("main", None)
    assert said["segment-anything/vit-h"] == (None, "a7bf3b")
    assert said["mainmask/tiny-sam"] == (None, "537e43")
    assert {len(model["sha256"]) for model in table.values() if model["sha256"]} == {64}


def test_the_table_names_the_commit_that_a_worker_has(client: TestClient) -> None:
    """Instead of the branch; other models' are the branch still."""
    with session_factory().begin() as session:
        loaded_profiles.announce(session, "tiny", MODELS, {OWL: {**CARD, "name": OWL, "source_revision": "c" * 40}})
    table = listed(client)
    assert (table[OWL]["source_revision"], table[SLIM]["source_revision"]) == ("c" * 40, "main")


def test_the_table_says_what_is_offered_and_ready(owl_is_lent: None, client: TestClient) -> None:
    """Default, lent, and there, with the revision that a worker has."""
    with session_factory().begin() as session:
        own = {"detect": {"name": "mainmask/tiny-grounding-dino", "revision": "0123", "license": "Apache-2.0"}}
        loaded_profiles.announce(
            session, "tiny", own, {OWL: {"name": OWL, "revision": "4567", "license": "Apache-2.0"}}
        )
    table = listed(client)
    said = {name: (model["default"], model["lent"], model["ready"]) for name, model in table.items()}
    assert said["mainmask/tiny-grounding-dino"] == (True, False, True)
    assert said[OWL] == (False, True, True)
    assert said["facebook/metaclip-b32-400m"] == (False, True, False)
    assert said[SLIM] == (False, False, False)
    assert (table[OWL]["revision"], table[SLIM]["revision"]) == ("4567", None)


def test_models_are_ready_for_as_long_as_workers_are_heard_of(client: TestClient) -> None:
    """What the last worker said a while before it went is no promise any more; one that comes back renews it."""
    own = {"detect": {"name": "mainmask/tiny-grounding-dino", "revision": "0123", "license": "Apache-2.0"}}
    with session_factory().begin() as session:
        loaded_profiles.announce(session, "tiny", own)
    assert listed(client)["mainmask/tiny-grounding-dino"]["ready"]
    with session_factory().begin() as session:
        session.execute(update(LoadedProfile).values(seen_at=LoadedProfile.seen_at - timedelta(seconds=61)))
    gone = listed(client)["mainmask/tiny-grounding-dino"]
    assert (gone["ready"], gone["revision"]) == (False, None)
    with session_factory().begin() as session:
        loaded_profiles.confirm(session, "tiny", own, {})
    assert listed(client)["mainmask/tiny-grounding-dino"]["ready"]


def test_an_older_worker_does_not_speak_for_a_newer_one(client: TestClient) -> None:
    """While a version is rolled out both say what they have; it is the newer one's until that is gone."""
    old, new = ({"detect": {"name": "mainmask/tiny-grounding-dino", "revision": each}} for each in ("old", "new"))

    def revision() -> Any:
        return listed(client)["mainmask/tiny-grounding-dino"]["revision"]

    with session_factory().begin() as session:
        loaded_profiles.announce(session, "tiny", new)
        loaded_profiles.confirm(session, "tiny", old, {})
    assert revision() == "new"
    with session_factory().begin() as session:
        session.execute(update(LoadedProfile).values(seen_at=LoadedProfile.seen_at - timedelta(seconds=61)))
        loaded_profiles.confirm(session, "tiny", old, {})
    assert revision() == "old"


def test_what_could_not_be_announced_is_confirmed_later(client: TestClient) -> None:
    """The database was away when the worker started."""
    with session_factory().begin() as session:
        session.execute(delete(LoadedProfile))
        loaded_profiles.confirm(session, "tiny", MODELS, {})
    with session_factory()() as session:
        assert loaded_profiles.present(session, "tiny") is not None


@pytest.mark.parametrize("body", ["json", "form"])
def test_a_job_can_ask_for_a_lent_model(
    client: TestClient, question: dict[str, Any], picture: bytes, body: str
) -> None:
    """Its document says so, and the workers read it from the row."""
    if body == "json":
        answer = client.post("/v1/jobs", json={**question, "models": {"detect": OWL}})
    else:
        form = {"labels": question["labels"], "models": f'{{"detect": "{OWL}"}}'}
        answer = client.post("/v1/jobs", files={"image": picture}, data=form)
    assert answer.status_code == 202, answer.text
    assert answer.json()["input"]["models"] == {"detect": OWL}
    with session_factory()() as session:
        assert jobs.get(session, UUID(answer.json()["id"])).models == {"detect": OWL}


@pytest.mark.parametrize(
    "models",
    [{"segment": SLIM}, {"classify": OWL}, {"detect": "../../etc/passwd"}, {"paint": OWL}, {"detect": 7}, [OWL], OWL],
    ids=str,
)
def test_any_other_model_is_refused_by_the_fields_name(
    client: TestClient, question: dict[str, Any], models: Any
) -> None:
    """Not lent, of another stage, of no table, of no stage, or no name at all."""
    answer = client.post("/v1/jobs", json={**question, "models": models})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"].startswith("models")


def test_what_would_answer_anyhow_need_not_be_asked_for(client: TestClient, question: dict[str, Any]) -> None:
    """The service's own model by its name is the same question as without."""
    answer = client.post("/v1/jobs", json={**question, "models": {"detect": "mainmask/tiny-grounding-dino"}})
    assert answer.json()["input"]["models"] is None


def test_answers_are_given_again_for_the_same_models_alone(client: TestClient, question: dict[str, Any]) -> None:
    """The answer of OWLv2 is no answer of the profile's detector; nor of another OWLv2."""
    with session_factory().begin() as session:
        loaded_profiles.announce(session, "tiny", MODELS, {OWL: CARD})
    asked = {**question, "models": {"detect": OWL}}
    finish(UUID(client.post("/v1/jobs", json=asked).json()["id"]))
    assert client.post("/v1/jobs", json=asked).json()["reused_from"]
    assert client.post("/v1/jobs", json=question).json()["reused_from"] is None
    with session_factory().begin() as session:
        loaded_profiles.announce(session, "tiny", MODELS, {OWL: {**CARD, "revision": "new"}})
    assert client.post("/v1/jobs", json=asked).json()["reused_from"] is None
    with session_factory().begin() as session:
        loaded_profiles.announce(session, "tiny", {})


def test_a_form_says_a_thing_once(client: TestClient, question: dict[str, Any], picture: bytes) -> None:
    """Of two models for one stage neither is taken; the same goes for any field that is no list."""
    form = {"labels": question["labels"], "models": ["null", "null"]}
    answer = client.post("/v1/jobs", files={"image": picture}, data=form)
    assert (answer.status_code, "`models` once" in answer.json()["detail"]) == (400, True)
