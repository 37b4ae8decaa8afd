"""What Prometheus asks for."""

from typing import Annotated

from fastapi import APIRouter, Header, Response
from prometheus_client.exposition import choose_encoder

from api.errors import Unauthenticated
from api.queue_gauges import queue_gauges
from db.exposition import may_read

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
def show_metrics(
    authorization: Annotated[str | None, Header()] = None, accept: Annotated[str, Header()] = ""
) -> Response:
    """This process's metrics and the queue's, in the format that was asked for."""
    if not may_read(authorization):
        raise Unauthenticated
    encode, media_type = choose_encoder(accept)
    return Response(encode(queue_gauges().metrics()), media_type=media_type)
