"""Whether one more job may come in, asked before its image is read."""

from fastapi import Depends, Request

from api import idempotency
from api.callers import Caller
from api.errors import LengthRequired, QueueFull, QuotaExceeded
from api.guards import Guard
from api.queue_depth import queue_depth
from db.session import session_factory


class Admission(Guard):
    """The queue isn't too deep, and the key may have another job and send the bytes that the request declares.

    With `repeats`, a request whose `Idempotency-Key` is known is let in nevertheless: it only asks for its answer.
    """

    def __init__(self, *, repeats: bool) -> None:
        self._repeats = repeats

    def check(self, request: Request, caller: Caller) -> None:
        """Raises `QueueFull`, `QuotaExceeded`, `BodyTooLarge` and `LengthRequired`."""
        try:
            self._check_room(request, caller)
        except (QueueFull, QuotaExceeded):
            # Asked last, and so in time to see the first of two at once: what was answered needs no room.
            if not self._repeats or not idempotency.is_known(caller.tenant, request.headers.get("idempotency-key")):
                raise

    @staticmethod
    def _check_room(request: Request, caller: Caller) -> None:
        if queue_depth().is_full(caller.tenant):
            raise QueueFull
        quotas = caller.quotas
        if quotas.jobs_in_flight is not None:
            with session_factory()() as session:
                quotas.check_in_flight(session, caller.tenant)
        # The last: what is refused for another reason isn't counted.
        if quotas.bytes_per_day is not None:
            quotas.take_bytes(_declared_bytes(request))


ADMISSION = Depends(Admission(repeats=True))
"""For every route that makes jobs, after `needs(…)`."""
RETRY_ADMISSION = Depends(Admission(repeats=False))
"""For those that queue one that is there."""


def _declared_bytes(request: Request) -> int:
    if "transfer-encoding" in request.headers:
        raise LengthRequired
    length = request.headers.get("content-length", "0")
    return int(length) if length.isdecimal() else 0
