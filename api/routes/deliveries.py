"""What became of webhooks, and sending them again."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from api.callers import CallerOf
from api.delivery_lists import DeliveryDocument, DeliveryList, DeliveryPage, DeliveryQuery, delivery_document
from api.guards import needs
from api.ids import BatchId, DeliveryId, JobId
from api.problems import responses
from db import batches, deliveries, delivery_lists, jobs, messages
from db.api_keys import Scope
from db.session import session_factory

router = APIRouter(prefix="/v1", tags=["webhooks"])

ERRORS = responses(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)


@router.get("/jobs/{job_id}/deliveries", dependencies=[needs(Scope.JOBS_READ)], responses=ERRORS)
def list_deliveries_of_job(job_id: JobId, caller: CallerOf) -> DeliveryList:
    """The webhooks of one job, each with all of its attempts."""
    with session_factory()() as session:
        jobs.find(session, caller.tenant, job_id)
        return DeliveryList(deliveries=[delivery_document(found) for found in deliveries.of_job(session, job_id)])


@router.get("/batches/{batch_id}/deliveries", dependencies=[needs(Scope.JOBS_READ)], responses=ERRORS)
def list_deliveries_of_batch(batch_id: BatchId, caller: CallerOf) -> DeliveryList:
    """The webhooks of the batch itself, each with all of its attempts; those of its jobs are listed with them."""
    with session_factory()() as session:
        batches.find(session, caller.tenant, batch_id)
        return DeliveryList(deliveries=[delivery_document(found) for found in deliveries.of_batch(session, batch_id)])


@router.get(
    "/deliveries",
    dependencies=[needs(Scope.JOBS_READ)],
    responses=responses(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def list_deliveries(caller: CallerOf, wanted: Annotated[DeliveryQuery, Query()]) -> DeliveryPage:
    """Webhooks, the newest first; `status=failed` is the list of those that never arrived, each with every attempt."""
    with session_factory()() as session:
        found = delivery_lists.page(
            session, caller.tenant, wanted.filter(), before=wanted.before, limit=wanted.limit + 1
        )
    listed = [delivery_document(delivery) for delivery in found[: wanted.limit]]
    return DeliveryPage(deliveries=listed, next=listed[-1].id if len(found) > wanted.limit else None)


@router.get("/deliveries/{delivery_id}", dependencies=[needs(Scope.JOBS_READ)], responses=ERRORS)
def get_delivery(delivery_id: DeliveryId, caller: CallerOf) -> DeliveryDocument:
    """One webhook with all of its attempts."""
    with session_factory()() as session:
        return delivery_document(deliveries.find(session, caller.tenant, delivery_id))


@router.post(
    "/deliveries/{delivery_id}/redeliver",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[needs(Scope.JOBS_WRITE)],
    responses=ERRORS,
)
def redeliver(delivery_id: DeliveryId, caller: CallerOf) -> DeliveryDocument:
    """Send a webhook again now, whatever became of it; its attempts go on counting.

    A success enables a URL that had answered 410 Gone.
    """
    with session_factory().begin() as session:
        document = delivery_document(deliveries.redeliver(session, caller.tenant, delivery_id))
    messages.send_delivery(delivery_id)
    return document
