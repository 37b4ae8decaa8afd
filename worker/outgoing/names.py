"""Names to addresses, within a deadline: the system's resolver knows none."""

import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from ipaddress import ip_address

from worker.outgoing.addresses import Address
from worker.outgoing.busy import OutgoingBusy
from worker.outgoing.deadline import Deadline
from worker.outgoing.slots import Slots

LOOKUPS_AT_ONCE = 32
"""Lookups that nobody waits for any longer go on for as long as the resolver likes: no more threads than these."""
LOOKUPS_PER_TENANT = 8
LOOKUPS_PER_DOMAIN = 2
"""A domain's name servers may be silent for ever: they hold no more threads than these."""
PATIENCE_SECONDS = 1.0
"""How long a lookup waits for its turn; whoever asks may have better things to do."""

Lookup = Callable[[str], Iterable[str]]
"""A name's addresses as text, the preferred first; raises `socket.gaierror` where there is none."""


def system_lookup(host: str) -> list[str]:
    """What the system's resolver says."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


class Names:
    """Resolves names; for any number of threads."""

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        self._lookup = lookup
        self._slots = Slots()

    def resolve(self, host: str, deadline: Deadline, tenant: str | None = None) -> list[Address]:
        """Ask once for the host's addresses, each of which is given once.

        Raises:
            OutgoingBusy: too many lookups of its domain, or its tenant, are under way: nobody was asked.
            socket.gaierror: there is none, or no name server answers.
            TimeoutError: it took too long.
        """
        limits = _limits(host, tenant)
        if not self._slots.take(limits, min(PATIENCE_SECONDS, deadline.remaining_seconds())):
            raise OutgoingBusy
        found: Future[list[Address]] = Future()
        # No pool of the library's: its threads would keep the process from ending.
        thread = threading.Thread(target=self._look_up, args=(host, limits, found), name="lookup", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._slots.give_back(limits)
            raise
        return found.result(timeout=deadline.remaining_seconds())

    def _look_up(self, host: str, limits: Mapping[str, int], found: Future[list[Address]]) -> None:
        try:
            addresses = list(dict.fromkeys(ip_address(text) for text in self._lookup(host)))
            if not addresses:
                raise socket.gaierror(socket.EAI_NONAME, f"{host} has no address")
            found.set_result(addresses)
        except Exception as error:  # noqa: BLE001 - raised again where the result is waited for
            found.set_exception(error)
        finally:
            self._slots.give_back(limits)


def _limits(host: str, tenant: str | None) -> dict[str, int]:
    # Two labels are a domain of somebody's, or at worst (co.uk) one that many share.
    domain = ".".join(host.split(".")[-2:])
    limits = {"all": LOOKUPS_AT_ONCE, f"domain {domain}": LOOKUPS_PER_DOMAIN}
    return limits if tenant is None else limits | {f"tenant {tenant}": LOOKUPS_PER_TENANT}
