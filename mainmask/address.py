"""Where the service is, and what a caller proves itself with there."""

import ipaddress
import os
import re
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from mainmask.errors import BadApiKey, BadServiceUrl

DEFAULT_URL = "http://127.0.0.1:8000"
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
KEY = re.compile(r"[!-~]+")
"""What a header can hold. The service knows what its keys look like."""


@dataclass(frozen=True)
class Address:
    """A service, as one caller reaches it."""

    url: httpx.URL
    headers: dict[str, str] = field(repr=False)
    """For the service alone."""

    @classmethod
    def chosen(cls, url: str | None, api_key: str | None) -> Self:
        """What was given; else the environment's `MAINMASK_URL` and `MAINMASK_API_KEY`; else the local stack's.

        Raises:
            BadServiceUrl: it is no http or https URL.
            BadApiKey: no key looks like this one.
        """
        return cls(
            _checked(url or os.environ.get("MAINMASK_URL") or DEFAULT_URL),
            _authorization(api_key or os.environ.get("MAINMASK_API_KEY")),
        )

    @property
    def http_options(self) -> dict[str, Any]:
        """What httpx's clients take, the blocking one and the asynchronous one."""
        # A proxy of the environment's cannot lead to this very machine.
        return {"base_url": self.url, "timeout": TIMEOUT, "trust_env": not _is_loopback(self.url.host)}


def _checked(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise BadServiceUrl(url) from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise BadServiceUrl(url)
    return parsed


def _authorization(api_key: str | None) -> dict[str, str]:
    key = (api_key or "").strip()
    if not key:
        return {}
    if not KEY.fullmatch(key):
        raise BadApiKey
    return {"Authorization": f"Bearer {key}"}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
