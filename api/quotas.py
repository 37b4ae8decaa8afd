"""What a key may use: requests a minute, bytes a day, jobs in flight."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from api.errors import BatchTooLarge, BodyTooLarge, QuotaExceeded
from api.rate_limits import rate_limits
from db import load

IN_FLIGHT_RETRY_SECONDS = 5
"""Nobody knows when a job ends; most of them soon."""


@dataclass(frozen=True)
class Quotas:
    """A key's; None is as much as it likes. All methods raise `QuotaExceeded`."""

    key_id: UUID | None = None
    requests_per_minute: int | None = None
    jobs_in_flight: int | None = None
    """Of the key's tenant, whichever key they came by."""
    bytes_per_day: int | None = None

    def take_request(self) -> None:
        """Count this request."""
        if self.requests_per_minute is None:
            return
        if wait := rate_limits().take_request(str(self.key_id), self.requests_per_minute):
            raise QuotaExceeded(f"send {self.requests_per_minute} requests a minute", wait)

    def take_bytes(self, count: int) -> None:
        """Count bytes that are about to be sent; raises `BodyTooLarge` for more than a whole day's."""
        if self.bytes_per_day is None or count == 0:
            return
        if count > self.bytes_per_day:
            raise BodyTooLarge("request", self.bytes_per_day)
        if wait := rate_limits().take_bytes(str(self.key_id), count, self.bytes_per_day):
            raise QuotaExceeded(f"send {self.bytes_per_day} bytes a day", wait)

    def check_in_flight(self, session: Session, tenant: str, adding: int = 1) -> None:
        """Whether the tenant may have so many jobs more; raises `BatchTooLarge` where it never may.

        Until the transaction ends, nobody else finds out the same.
        """
        if self.jobs_in_flight is None:
            return
        if adding > self.jobs_in_flight:
            raise BatchTooLarge(adding, self.jobs_in_flight)
        load.take_turns(session, tenant)
        if load.count_in_flight(session, tenant, at_most=self.jobs_in_flight) + adding > self.jobs_in_flight:
            raise QuotaExceeded(f"have {self.jobs_in_flight} jobs in flight", IN_FLIGHT_RETRY_SECONDS)
