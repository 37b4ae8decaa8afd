"""The internet that the tests see: one address, and the names that a test gives."""

import socket
from collections.abc import Iterable

PUBLIC_HOST = "127.0.0.2"
"""Stands for a public address: the rules admit it, and it alone."""


class Internet:
    """A resolver with a table; what isn't in it doesn't exist."""

    def __init__(self) -> None:
        self.names: dict[str, Iterable[str]] = {}
        self.asked: list[str] = []

    def lookup(self, host: str) -> list[str]:
        """The name's addresses."""
        self.asked.append(host)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return list(self.names[host])
