"""What may be reached: the public internet on a few ports, and what the operator lists besides."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Self

from db.errors import UrlRefused
from worker.outgoing.addresses import Address, Network, is_public
from worker.outgoing.destinations import Destination, canonical_host

PORTS = frozenset({80, 443, 8080, 8443})
INTERNAL_DOMAINS = frozenset(
    {"corp", "home", "home.arpa", "internal", "intranet", "lan", "local", "localdomain", "localhost", "private"}
)
"""No public host is in them; a resolver of our own network's may know some all the same."""
ENTRY = re.compile(r"(?:\[(?P<ipv6>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?|(?P<bare_ipv6>[^\[\]]+)")


@dataclass(frozen=True)
class Rules:
    """Without arguments: nothing but the public internet."""

    ports: frozenset[int] = PORTS
    hosts: frozenset[tuple[str, int | None]] = frozenset()
    """May be reached wherever they resolve to: on this port, or with None on any of `ports`."""
    networks: tuple[Network, ...] = ()
    """May be reached, by any name, on any of `ports`."""

    @classmethod
    def of(cls, allowed_hosts: Iterable[str], allowed_ports: Iterable[int] = PORTS) -> Self:
        """From the settings: hosts, `host:port`, or networks such as `10.1.0.0/16`.

        Raises:
            ValueError: an entry is none of them.
        """
        entries = list(allowed_hosts)
        return cls(
            ports=frozenset(allowed_ports),
            hosts=frozenset(_host(entry) for entry in entries if "/" not in entry),
            networks=tuple(ip_network(entry) for entry in entries if "/" in entry),
        )

    def check(self, destination: Destination) -> None:
        """Refuse what needs no resolution to be refused.

        Raises:
            UrlRefused: its port is not allowed, or no public host has such a name.
        """
        if destination.port not in self.ports and (destination.host, destination.port) not in self.hosts:
            raise UrlRefused(f"port {destination.port} is not allowed")
        if _is_internal(destination) and not self.networks and not self._lists(destination):
            raise UrlRefused("its host is not on the public internet")

    def admit(self, destination: Destination, address: Address) -> bool:
        """Whether a connection may be made to this address, one of those that the host resolves to."""
        return (
            self._lists(destination)
            or any(address in network for network in self.networks)
            or (is_public(address) and not _is_internal(destination))
        )

    def _lists(self, destination: Destination) -> bool:
        return bool(self.hosts & {(destination.host, destination.port), (destination.host, None)})


def _is_internal(destination: Destination) -> bool:
    """Whether the host is a name without a domain, or one in a domain that isn't public."""
    if destination.address is not None:
        return False
    labels = destination.host.split(".")
    return len(labels) == 1 or not INTERNAL_DOMAINS.isdisjoint({labels[-1], ".".join(labels[-2:])})


def _host(entry: str) -> tuple[str, int | None]:
    found = ENTRY.fullmatch(entry)
    if found is None:
        raise ValueError(f"{entry!r} is no host, host:port or network.")
    try:
        host = canonical_host(found["ipv6"] or found["host"] or found["bare_ipv6"])
    except UrlRefused as error:
        raise ValueError(f"{entry!r} is no host, host:port or network.") from error
    return host, int(found["port"]) if found["port"] else None
