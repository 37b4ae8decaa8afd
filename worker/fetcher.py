"""Pictures by URL, fetched in the threads that run stages: never in so many of them that other stages wait."""

from dataclasses import dataclass, field
from typing import Self

from db.settings import Settings
from worker.outgoing.busy import OutgoingBusy
from worker.outgoing.client import OutgoingClient
from worker.outgoing.rules import Rules
from worker.outgoing.slots import Slots


@dataclass(frozen=True)
class Fetcher:
    """The guarded client, within the limits of submissions; for any number of threads."""

    client: OutgoingClient
    maximum_bytes: int
    deadline_seconds: float
    at_once: int
    """Fetches that may run side by side; one tenant has half of them."""
    _slots: Slots = field(default_factory=Slots)

    @classmethod
    def of(cls, config: Settings) -> Self:
        """As the settings say."""
        return cls(
            OutgoingClient(Rules.of(config.outgoing_allowed_hosts, config.outgoing_allowed_ports)),
            config.maximum_image_bytes,
            config.image_fetch_seconds,
            config.image_fetches_at_once,
        )

    def __call__(self, url: str, tenant: str) -> bytes:
        """The content behind a URL of the tenant's.

        Raises:
            OutgoingBusy: it wasn't tried.
            FetchFailed, FetchTooLarge, FetchUnavailable, UrlRefused: as the client does.
        """
        limits = {"all": self.at_once, f"tenant {tenant}": max(1, self.at_once // 2)}
        if not self._slots.take(limits):
            raise OutgoingBusy
        try:
            return self.client.fetch(
                url, maximum_bytes=self.maximum_bytes, deadline_seconds=self.deadline_seconds, tenant=tenant
            ).content
        finally:
            self._slots.give_back(limits)
