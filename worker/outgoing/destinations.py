"""URLs taken apart: strictly, and into the one form that is both checked and used."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import urljoin

import httpx

from db.errors import UrlRefused
from worker.outgoing.addresses import Address

MAXIMUM_URL_CHARACTERS = 2048
DEFAULT_PORTS = {"http": 80, "https": 443}

# Parsers disagree about these: some drop them, some end the host at them.
UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
AUTHORITY = re.compile(r"[^:/?#]*://([^/?#]*)")
LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(rf"(?=.{{1,253}}\Z){LABEL}(?:\.{LABEL})*")
NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
"""A host whose last label is a number: `inet_aton`, and with it most resolvers, reads it as an IPv4 address."""


@dataclass(frozen=True)
class Destination:
    """Where one request goes."""

    scheme: str
    """`http` or `https`."""
    host: str
    """A name in lower case and ASCII, or an IP address in its canonical form; IPv6 without brackets."""
    port: int
    target: str
    """Path and query, percent-encoded; begins with `/`."""

    @property
    def address(self) -> Address | None:
        """The host, where it is no name."""
        if ":" in self.host:
            return IPv6Address(self.host)
        return IPv4Address(self.host) if NUMBER.fullmatch(self.host) else None

    @property
    def authority(self) -> str:
        """The `Host` header: the port only where it isn't the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole again, without fragment."""
        return f"{self.scheme}://{self.authority}{self.target}"


def parse(url: str) -> Destination:
    """Take a caller's URL apart.

    Raises:
        UrlRefused: it isn't http or https, names no host or an unclear one, has user info, or is too long.
    """
    parsed = _parsed(url)
    if parsed.scheme not in DEFAULT_PORTS:
        raise UrlRefused("only http and https are allowed")
    authority = AUTHORITY.match(url)
    if authority is None or not parsed.raw_host:
        raise UrlRefused("it names no host")
    if "@" in authority[1]:
        raise UrlRefused("a user name or password in it is not allowed")
    port = DEFAULT_PORTS[parsed.scheme] if parsed.port is None else parsed.port
    host = canonical_host(parsed.raw_host.decode("ascii"))
    return Destination(parsed.scheme, host, port, parsed.raw_path.decode("ascii"))


def redirected(origin: Destination, location: bytes) -> Destination:
    """Where a `Location` header leads, which may be relative.

    Raises:
        UrlRefused: it could not have been requested in the first place, or leads from https to http.
    """
    try:
        text = location.decode("utf-8")
        # Before they are joined, because joining drops some of what isn't allowed.
        _check_characters(text)
        destination = parse(urljoin(origin.url, text))
    except ValueError as error:
        raise UrlRefused("it is malformed") from error
    if origin.scheme == "https" and destination.scheme == "http":
        raise UrlRefused("it leads from https to http")
    return destination


def canonical_host(host: str) -> str:
    """A host in the form that `Destination` keeps; IPv6 without brackets.

    Raises:
        UrlRefused: it is no name that DNS can hold and no address, or an address in an unusual form.
    """
    host = host.lower()
    try:
        if ":" in host:
            address = IPv6Address(host)
            if address.scope_id is not None:
                raise UrlRefused("an IPv6 zone is not allowed")
            return str(address)
        if NUMBER.fullmatch(host):
            return str(IPv4Address(host))
    except AddressValueError as error:
        raise UrlRefused("its host is an IP address in an unusual form") from error
    if not NAME.fullmatch(host):
        raise UrlRefused("its host is malformed")
    return host


def _parsed(url: str) -> httpx.URL:
    if len(url) > MAXIMUM_URL_CHARACTERS:
        raise UrlRefused(f"it is longer than {MAXIMUM_URL_CHARACTERS} characters")
    _check_characters(url)
    try:
        return httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise UrlRefused("it is malformed") from error


def _check_characters(url: str) -> None:
    if UNSAFE.search(url):
        raise UrlRefused("spaces, control characters and backslashes are not allowed")
