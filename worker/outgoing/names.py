"""Names to addresses, within a deadline: the system's resolver knows none."""

import socket
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from ipaddress import ip_address

from worker.outgoing.addresses import Address
from worker.outgoing.deadline import Deadline

LOOKUPS_AT_ONCE = 16
"""Lookups that nobody waits for any longer go on for as long as the resolver likes: no more threads than these."""

Lookup = Callable[[str], Iterable[str]]
"""A name's addresses as text, the preferred first; raises `socket.gaierror` where there is none."""


def system_lookup(host: str) -> list[str]:
    """What the system's resolver says."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


class Names:
    """Resolves names; for any number of threads."""

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        self._lookup = lookup
        self._slots = threading.BoundedSemaphore(LOOKUPS_AT_ONCE)

    def resolve(self, host: str, deadline: Deadline) -> list[Address]:
        """Ask once for the host's addresses, each of which is given once.

        Raises:
            socket.gaierror: there is none, or no name server answers.
            TimeoutError: it took too long.
        """
        if not self._slots.acquire(timeout=deadline.remaining_seconds()):
            raise TimeoutError
        found: Future[list[Address]] = Future()
        # No pool of the library's: its threads would keep the process from ending.
        thread = threading.Thread(target=self._look_up, args=(host, found), name="lookup", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._slots.release()
            raise
        return found.result(timeout=deadline.remaining_seconds())

    def _look_up(self, host: str, found: Future[list[Address]]) -> None:
        try:
            addresses = list(dict.fromkeys(ip_address(text) for text in self._lookup(host)))
            if not addresses:
                raise socket.gaierror(socket.EAI_NONAME, f"{host} has no address")
            found.set_result(addresses)
        except Exception as error:  # noqa: BLE001 - raised again where the result is waited for
            found.set_exception(error)
        finally:
            self._slots.release()
