"""The one client for requests on a caller's behalf: whatever URL it is given, only what the rules admit gets a byte."""

import logging
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import httpcore
import httpx

from db.errors import FetchFailed, FetchUnavailable, UrlRefused
from worker.outgoing import answers
from worker.outgoing.addresses import Address
from worker.outgoing.answers import BREAKS, Answer, Fetched
from worker.outgoing.busy import OutgoingBusy
from worker.outgoing.connections import Stream, connect
from worker.outgoing.deadline import Deadline
from worker.outgoing.destinations import Destination, parse, redirected
from worker.outgoing.names import Lookup, Names, system_lookup
from worker.outgoing.requests import Request
from worker.outgoing.rules import Rules

logger = logging.getLogger(__name__)

MAXIMUM_REDIRECTS = 3
ANSWER_BYTES = 1024
"""Of the answer to a POST."""
FRAMING_BYTES = 256 * 1024
"""Headers and the like of an answer, at most, besides twice its content."""


class OutgoingClient:
    """Every request has a connection of its own, to an address that was checked for it. For any number of threads."""

    def __init__(
        self, rules: Rules, *, lookup: Lookup = system_lookup, tls_context: ssl.SSLContext | None = None
    ) -> None:
        """Nothing comes from the environment: no proxy, no credentials, no certificates.

        Args:
            rules: what may be reached.
            lookup: resolves names.
            tls_context: whom to trust; None: certifi's authorities.
        """
        self._rules = rules
        self._names = Names(lookup)
        self._tls_context = tls_context or httpx.create_ssl_context(trust_env=False)

    def fetch(self, url: str, *, maximum_bytes: int, deadline_seconds: float, tenant: str | None = None) -> Fetched:
        """GET a URL, through at most three redirects, each checked like the first.

        Args:
            url: the caller's.
            maximum_bytes: of the content.
            deadline_seconds: for all of it, from resolving the name to the last byte.
            tenant: on whose behalf.

        Raises:
            UrlRefused: it, or one that it redirects to, must not be requested.
            FetchFailed: it gives no content that can be used.
            FetchTooLarge: it gives more than `maximum_bytes`.
            FetchUnavailable: it can't be reached, its server has trouble, or it isn't done by the deadline.
            OutgoingBusy: it wasn't tried.
        """
        deadline = Deadline(deadline_seconds)
        request = Request("GET", maximum_bytes, tenant)
        with _failures(deadline):
            destination = parse(url)
            found = self._get(destination, request, deadline)
            for _ in range(MAXIMUM_REDIRECTS):
                if isinstance(found, Fetched):
                    return found
                destination, found = self._follow(destination, found, request, deadline)
        if isinstance(found, Fetched):
            return found
        raise FetchFailed(f"it redirects more than {MAXIMUM_REDIRECTS} times")

    def post(
        self,
        url: str,
        *,
        content: bytes,
        headers: Mapping[str, str],
        deadline_seconds: float,
        tenant: str | None = None,
    ) -> Answer:
        """POST some bytes to a URL, and follow no redirect. Of the answer's content the first 1024 bytes are read.

        Args:
            url: the caller's.
            content: what to send.
            headers: to send besides the client's own, such as `Content-Type`.
            deadline_seconds: for all of it. What the answer's content lacks by then is left out.
            tenant: on whose behalf.

        Raises:
            UrlRefused: it must not be requested.
            FetchFailed: its server isn't the one that it names.
            FetchUnavailable: it can't be reached, or doesn't answer by the deadline.
            OutgoingBusy: it wasn't tried.
            ValueError: a header is malformed, or one of the client's own. Nothing was sent.
        """
        started = time.monotonic()
        deadline = Deadline(deadline_seconds)
        request = Request("POST", ANSWER_BYTES, tenant, content, headers)
        with _failures(deadline), self._exchange(parse(url), request, deadline) as response:
            head = answers.head(response, ANSWER_BYTES)
            return Answer(response.status, answers.headers(response), head, time.monotonic() - started)

    def _get(self, destination: Destination, request: Request, deadline: Deadline) -> Fetched | bytes:
        """What it gives, or where it redirects to."""
        with self._exchange(destination, request, deadline) as response:
            location = answers.location(response)
            return answers.fetched(response, request.maximum_bytes) if location is None else location

    def _follow(
        self, origin: Destination, location: bytes, request: Request, deadline: Deadline
    ) -> tuple[Destination, Fetched | bytes]:
        try:
            destination = redirected(origin, location)
            return destination, self._get(destination, request, deadline)
        except UrlRefused as error:
            raise UrlRefused(f"after a redirect, {error.reason}") from error
        except OutgoingBusy as error:
            # What redirects was asked: that counts, lest it be asked every second.
            raise FetchUnavailable("where it redirects to can't be asked for now") from error

    @contextmanager
    def _exchange(self, destination: Destination, request: Request, deadline: Deadline) -> Iterator[httpcore.Response]:
        """Send the request and give the answer, its content not yet read."""
        addresses = self._checked_addresses(destination, deadline, request.tenant)
        connection = connect(addresses, destination.port, deadline)
        with closing(Stream(connection, deadline, 2 * request.maximum_bytes + FRAMING_BYTES)) as stream:
            if destination.scheme == "https":
                stream.start_tls(self._tls_context, destination.host)
            # One connection of httpcore's, without its pool: no name, proxy or other host ever comes into it.
            message = request.to(destination)
            with closing(httpcore.HTTP11Connection(message.url.origin, stream).handle_request(message)) as response:
                yield response

    def _checked_addresses(self, destination: Destination, deadline: Deadline, tenant: str | None) -> list[Address]:
        """All addresses of the host, resolved once; refused if any of them must not be reached."""
        self._rules.check(destination)
        literal = destination.address
        addresses = self._names.resolve(destination.host, deadline, tenant) if literal is None else [literal]
        for address in addresses:
            if not self._rules.admit(destination, address):
                # The caller isn't told the address: our network is not theirs to map.
                logger.warning("refused a request to %s, which is at %s", destination.host, address)
                raise UrlRefused("its host is not on the public internet")
        return addresses


@contextmanager
def _failures(deadline: Deadline) -> Iterator[None]:
    """Tell connections' failures as errors of ours, without the system's words: they may name what is inside."""
    try:
        yield
    except TimeoutError as error:
        raise FetchUnavailable(f"it wasn't done within {deadline.seconds:g} s") from error
    except ssl.SSLCertVerificationError as error:
        raise FetchFailed("its certificate can't be verified") from error
    except socket.gaierror as error:
        raise FetchUnavailable("its host has no address") from error
    except ConnectionRefusedError as error:
        raise FetchUnavailable("its server takes no connection") from error
    except BREAKS as error:
        raise FetchUnavailable("the connection failed, or brought no HTTP") from error
