"""Webhooks as their callers see them: what was wanted, what became of it, again, and the secrets."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete
from uuid_utils.compat import uuid7

from api.app import create_app
from api.callers import Caller, caller
from db import deliveries, loaded_profiles
from db.deliveries import Answered, Step
from db.lines import Limits
from db.models import SigningSecret
from db.outbox import GONE
from db.session import session_factory
from db.settings import settings
from db.states import DeliveryStatus
from tests.api.answers import encoded, is_problem, submit
from tests.api.finished import MODELS, finish

URL = "https://receiver.example/hook"
LEASE = timedelta(seconds=30)
LIMITS = Limits(per_receiver=1000, per_tenant=1000)


@pytest.fixture
def stranger(client: TestClient) -> Iterator[TestClient]:
    """A client of another tenant."""
    app = create_app()
    other = Caller(f"stranger-{uuid7()}")
    app.dependency_overrides[caller] = lambda: other
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


def canceled(client: TestClient, picture: bytes, **fields: Any) -> str:
    """The id of a job that was canceled."""
    answer = submit(client, picture, **{"labels": "square", "reuse": "false", "webhook_url": URL} | fields)
    job_id: str = answer.json()["id"]
    assert client.post(f"/v1/jobs/{job_id}/cancel").status_code == 200
    return job_id


def listed(client: TestClient, path: str) -> list[dict[str, Any]]:
    """The deliveries of a job or a batch."""
    found: list[dict[str, Any]] = client.get(f"{path}/deliveries").json()["deliveries"]
    return found


def attempt(delivery_id: str, answered: Answered, step: Step) -> None:
    """As the process does that delivers."""
    with session_factory().begin() as session:
        claim = deliveries.take(session, UUID(delivery_id), LEASE, LIMITS)
        assert claim is not None
        assert deliveries.record(session, claim, answered, step)


def test_a_jobs_deliveries_are_listed(client: TestClient, picture: bytes) -> None:
    """Each with its attempts: status, time, and what the receiver said."""
    job_id = canceled(client, picture)
    (delivery,) = listed(client, f"/v1/jobs/{job_id}")
    assert (delivery["event"], delivery["job_id"], delivery["batch_id"]) == ("job.canceled", job_id, None)
    assert (delivery["url"], delivery["status"], delivery["attempts"]) == (URL, "pending", [])
    assert delivery["next_attempt_at"] is not None
    attempt(delivery["id"], Answered(12, 503, "busy"), Step(DeliveryStatus.FAILED, reason="enough"))
    delivery = client.get(f"/v1/deliveries/{delivery['id']}").json()
    assert (delivery["status"], delivery["reason"], delivery["next_attempt_at"]) == ("failed", "enough", None)
    (made,) = delivery["attempts"]
    assert (made["number"], made["status_code"], made["duration_ms"], made["answer"]) == (1, 503, 12, "busy")


@pytest.mark.parametrize("outcome", ["succeeded", "canceled"])
def test_only_the_events_that_were_asked_for_are_told(client: TestClient, picture: bytes, outcome: str) -> None:
    """`webhook_events` filters."""
    events = {"webhook_url": URL, "webhook_events": ["job.succeeded", "job.failed"]}
    job_id = submit(client, picture, labels="square", reuse="false", **events).json()["id"]
    if outcome == "succeeded":
        finish(UUID(job_id))
    else:
        client.post(f"/v1/jobs/{job_id}/cancel")
    assert [found["event"] for found in listed(client, f"/v1/jobs/{job_id}")] == (
        ["job.succeeded"] if outcome == "succeeded" else []
    )


def test_an_answer_that_is_given_again_is_told(client: TestClient, picture: bytes) -> None:
    """The job has ended as it is made; the batch of such jobs, too."""
    with session_factory().begin() as session:
        loaded_profiles.announce(session, settings().profile, MODELS)
    label = f"square {uuid7()}"
    finish(UUID(submit(client, picture, labels=label).json()["id"]))
    answer = submit(client, picture, labels=label, webhook_url=URL)
    assert answer.status_code == 200
    assert [found["event"] for found in listed(client, f"/v1/jobs/{answer.json()['id']}")] == ["job.succeeded"]
    one = {"image_base64": encoded(picture), "labels": [label]}
    batch = client.post("/v1/batches", json={"jobs": [one], "webhook_url": URL}).json()
    assert batch["finished_at"] is not None
    (delivery,) = listed(client, f"/v1/batches/{batch['id']}")
    assert (delivery["event"], delivery["batch_id"]) == ("batch.completed", batch["id"])


def test_a_delivery_is_made_again(client: TestClient, picture: bytes) -> None:
    """It is due at once, its attempts go on counting, and a receiver that was gone gets another chance."""
    (delivery,) = listed(client, f"/v1/jobs/{canceled(client, picture, webhook_url=f'{URL}/{uuid7()}')}")
    attempt(delivery["id"], Answered(1, 410, ""), Step(DeliveryStatus.DISABLED, reason=GONE))
    answer = client.post(f"/v1/deliveries/{delivery['id']}/redeliver")
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["reason"], answer.json()["finished_at"]) == ("pending", None, None)
    attempt(delivery["id"], Answered(1, 204, ""), Step(DeliveryStatus.SUCCEEDED))
    found = client.get(f"/v1/deliveries/{delivery['id']}").json()
    assert [made["number"] for made in found["attempts"]] == [1, 2]
    assert found["status"] == "succeeded"
    assert client.post(f"/v1/deliveries/{delivery['id']}/redeliver").json()["status"] == "pending"


def test_deliveries_are_listed_by_what_became_of_them(client: TestClient, stranger: TestClient, picture: bytes) -> None:
    """The newest first, page by page, by state, event, URL and time; each tenant's own alone."""
    url = f"{URL}/{uuid7()}"
    ids = [listed(client, f"/v1/jobs/{canceled(client, picture, webhook_url=url)}")[0]["id"] for _ in range(3)]
    attempt(ids[1], Answered(1, 500, "no"), Step(DeliveryStatus.FAILED, reason="tried nine times"))

    def found(**query: Any) -> list[str]:
        answer = client.get("/v1/deliveries", params={"url": url} | query)
        assert answer.status_code == 200
        return [delivery["id"] for delivery in answer.json()["deliveries"]]

    assert found() == ids[::-1]
    assert found(status="failed") == [ids[1]]
    assert found(event="job.succeeded") == []
    assert found(event="job.canceled") == ids[::-1]
    middle = client.get(f"/v1/deliveries/{ids[1]}").json()["created_at"]
    assert ids[2] in found(created_after=middle)
    assert ids[0] in found(created_before=middle)
    first = client.get("/v1/deliveries", params={"url": url, "limit": 2}).json()
    assert [delivery["id"] for delivery in first["deliveries"]] == ids[:0:-1]
    assert first["deliveries"][1]["attempts"][0]["status_code"] == 500
    rest = client.get("/v1/deliveries", params={"url": url, "before": first["next"]}).json()
    assert ([delivery["id"] for delivery in rest["deliveries"]], rest["next"]) == (ids[:1], None)
    assert stranger.get("/v1/deliveries").json() == {"deliveries": [], "next": None}
    host = url.replace("receiver.example", "Receiver.Example")
    assert found(url=host) == ids[::-1]
    assert found(url="no url at all") == []
    for delivery_id in ids:
        moment = client.get(f"/v1/deliveries/{delivery_id}").json()["created_at"]
        assert delivery_id in found(created_after=moment)
        assert delivery_id not in found(created_before=moment)
    for wrong in ({"status": "lost"}, {"limit": 0}, {"before": "x"}, {"nonsense": 1}, {"created_after": "1"}):
        assert client.get("/v1/deliveries", params=wrong).status_code == 422


def test_deliveries_are_their_tenants_own(client: TestClient, stranger: TestClient, picture: bytes) -> None:
    """Another's is as if it weren't there, and so is one that isn't."""
    job_id = canceled(client, picture)
    (delivery,) = listed(client, f"/v1/jobs/{job_id}")
    for delivery_id in (delivery["id"], str(uuid7())):
        assert is_problem(stranger.get(f"/v1/deliveries/{delivery_id}"), 404, "delivery-not-found")
        assert is_problem(stranger.post(f"/v1/deliveries/{delivery_id}/redeliver"), 404, "delivery-not-found")
    assert is_problem(stranger.get(f"/v1/jobs/{job_id}/deliveries"), 404, "job-not-found")
    assert is_problem(stranger.get(f"/v1/batches/{uuid7()}/deliveries"), 404, "batch-not-found")
    assert client.get("/v1/deliveries/nonsense").status_code == 422


def test_artifacts_are_still_found(client: TestClient, picture: bytes) -> None:
    """A job's `deliveries` are no artifact, and its artifacts no delivery."""
    job_id = canceled(client, picture)
    assert is_problem(client.get(f"/v1/jobs/{job_id}/mask"), 404, "artifact-not-found")


def test_a_secret_is_there_when_it_is_asked_for(stranger: TestClient) -> None:
    """The same ever after, and not to be cached on the way."""
    answer = stranger.get("/v1/webhook-secrets")
    (secret,) = answer.json()["secrets"]
    assert secret["secret"].startswith("whsec_")
    assert secret["expires_at"] is None
    assert answer.headers["cache-control"] == "no-store"


def test_a_rotation_gives_a_new_secret(client: TestClient) -> None:
    """Both sign for a day; at the next rotation the oldest ends."""
    with session_factory().begin() as session:
        session.execute(delete(SigningSecret).where(SigningSecret.tenant == "local"))
    (first,) = client.get("/v1/webhook-secrets").json()["secrets"]
    answer = client.post("/v1/webhook-secrets")
    assert answer.status_code == 201
    second, ending = answer.json()["secrets"]
    assert (ending["id"], second["expires_at"]) == (first["id"], None)
    assert ending["expires_at"] is not None
    assert second["secret"] != first["secret"]
    third, ending = client.post("/v1/webhook-secrets").json()["secrets"]
    assert ending["id"] == second["id"]
    assert client.get("/v1/webhook-secrets").json()["secrets"] == [third, ending]
