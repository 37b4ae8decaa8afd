"""Two tenants: what is one's isn't there for the other."""

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, update
from uuid_utils.compat import uuid7

from api.app import create_app
from db import batches, jobs
from db.batches import NewBatch
from db.models import Delivery, Job
from db.new_jobs import NewJob
from db.session import session_factory
from db.states import DeliveryStatus, Event, JobStatus
from tests.api_keys import ADMIN, GuardedRoute, Headers, bearer, code_of, guarded_routes, new_caller, new_key
from tests.new_jobs import new_job

pytestmark = pytest.mark.usefixtures("keys_are_on")

NOBODYS = {"key_id"}
"""Ids of what belongs to no tenant: only an admin gets as far as to them, which `test_keys` sees to."""


def stored(tenant: str, status: JobStatus = JobStatus.QUEUED) -> NewJob:
    """A job of the tenant's in this state, in a batch, with a delivery of the job's own id."""
    batch = NewBatch(id=uuid7(), tenant=tenant, total=1, remaining=1)
    new = new_job(tenant=tenant, batch_id=batch.id)
    with session_factory().begin() as session:
        batches.create(session, batch)
        jobs.create(session, new)
        session.execute(update(Job).where(Job.id == new.id).values(status=status))
        session.add(
            Delivery(
                id=new.id,
                tenant=tenant,
                job_id=new.id,
                event=Event.JOB_CANCELED,
                url="https://receiver.example/",
                receiver="receiver.example:443",
                status=DeliveryStatus.SUCCEEDED,
                due_at=func.clock_timestamp(),
            )
        )
    return new


def routes_of_something() -> list[GuardedRoute]:
    """All routes with an id of a tenant's in their path."""
    found = [route for route in guarded_routes(create_app()) if "{" in route.path]
    return [route for route in found if not any(f"{{{name}}}" in route.path for name in NOBODYS)]


def asked(client: TestClient, route: GuardedRoute, job: NewJob, caller: Headers) -> tuple[int, str]:
    """The status, and the code of the problem, if it is one.

    A route with a parameter that isn't known here raises KeyError: say what another tenant's is, and it is tested too.
    """
    url = route.url(job_id=job.id, batch_id=job.batch_id, delivery_id=job.id, artifact="mask")
    answer = client.request(route.method, url, headers=caller)
    is_problem = answer.headers.get("content-type") == "application/problem+json"
    return answer.status_code, code_of(answer.json()) if is_problem else ""


@pytest.mark.parametrize("status", JobStatus)
def test_every_route_answers_a_foreign_id_as_one_that_is_not_there(client: TestClient, status: JobStatus) -> None:
    """404 of the same kind from every route, in every state of the job, which stays as it is; its owner gets on."""
    owner = new_key(client)
    other = new_caller(client)
    routes = routes_of_something()
    assert len(routes) >= 7
    for route in routes:
        foreign, missing = stored(owner["tenant"], status), new_job(batch_id=uuid7())
        answer = asked(client, route, missing, other)
        assert answer in {(404, f"{what}-not-found") for what in ("job", "batch", "delivery")}, route
        assert asked(client, route, foreign, other) == answer, route
        with session_factory()() as session:
            assert jobs.get(session, foreign.id).status is status
        if status is JobStatus.CANCELED:  # which has ended, so that its events do, too
            assert asked(client, route, foreign, bearer(owner["key"])) != answer, route


def test_a_list_holds_the_callers_own_jobs(client: TestClient) -> None:
    """Whatever page is asked for, also by a foreign job's id."""
    mine, others = new_key(client), new_key(client)
    own, foreign = stored(mine["tenant"]), stored(others["tenant"])
    for params in ({}, {"before": str(foreign.id)}, {"status": "queued"}, {"batch_id": str(own.batch_id)}):
        listed = client.get("/v1/jobs", params=params, headers=bearer(mine["key"])).json()["jobs"]
        assert [job["id"] for job in listed] == [str(own.id)]
    for_others = {"batch_id": str(foreign.batch_id)}
    assert client.get("/v1/jobs", params=for_others, headers=bearer(mine["key"])).json()["jobs"] == []


def test_a_foreign_upload_is_one_that_is_not_there(client: TestClient, picture: bytes) -> None:
    """A submission that points to it is answered 404, alone and in a batch; its owner's is taken."""
    owner, other = new_caller(client), new_caller(client)
    upload = client.post("/v1/uploads", headers=owner).json()
    assert httpx.put(upload["url"], content=picture).is_success
    for path, wrap in (("/v1/jobs", lambda job: job), ("/v1/batches", lambda job: {"jobs": [job]})):
        codes = {
            code_of(client.post(path, json=wrap({"upload_id": upload_id, "labels": ["cat"]}), headers=other).json())
            for upload_id in (upload["id"], str(uuid7()))
        }
        assert codes == {"upload-not-found"}
        body = wrap({"upload_id": upload["id"], "labels": ["cat"]})
        assert client.post(path, json=body, headers=owner).status_code == 202


def test_an_idempotency_key_is_its_tenants(client: TestClient, picture: bytes) -> None:
    """Two tenants with the same one get a job each."""
    ids = set()
    for caller in (new_caller(client), new_caller(client)):
        for _ in range(2):
            headers = {**caller, "Idempotency-Key": "1"}
            answer = client.post("/v1/jobs", files={"image": picture}, data={"description": "a cat"}, headers=headers)
            ids.add(answer.json()["id"])
    assert len(ids) == 2


def test_a_submission_is_its_callers(client: TestClient, picture: bytes) -> None:
    """No field of a request makes it another's."""
    mine, others = new_key(client), new_key(client)
    form = {"description": "a cat"}
    job = client.post("/v1/jobs", files={"image": picture}, data=form, headers=bearer(mine["key"])).json()
    assert client.get(f"/v1/jobs/{job['id']}", headers=bearer(mine["key"])).status_code == 200
    assert client.get(f"/v1/jobs/{job['id']}", headers=bearer(others["key"])).status_code == 404
    forged = client.post(
        "/v1/jobs", files={"image": picture}, data={**form, "tenant": others["tenant"]}, headers=bearer(mine["key"])
    )
    assert forged.status_code == 422


def test_an_admins_key_shows_nobodys_jobs(client: TestClient) -> None:
    """Even with all scopes it is a tenant like any other."""
    job = stored(new_key(client)["tenant"])
    admin = new_caller(client, scopes=["admin", "jobs:read", "jobs:write"])
    assert client.get(f"/v1/jobs/{job.id}", headers=admin).status_code == 404
    assert client.get("/v1/jobs", headers=admin).json()["jobs"] == []


def test_the_jobs_of_a_time_without_keys_are_local(client: TestClient) -> None:
    """A key of the tenant `local`, asked for by name, sees what was submitted before keys were asked for."""
    job = stored("local")
    assert client.get(f"/v1/jobs/{job.id}", headers=new_caller(client)).status_code == 404
    heir = client.post("/v1/keys", json={"name": f"{uuid7()}", "tenant": "local"}, headers=ADMIN).json()
    assert client.get(f"/v1/jobs/{job.id}", headers=bearer(heir["key"])).status_code == 200
