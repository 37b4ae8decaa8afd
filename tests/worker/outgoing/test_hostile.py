"""No hostile URL gets a byte, of an image's download or of a webhook."""

import socket
from collections.abc import Callable
from ipaddress import ip_network
from itertools import cycle

import pytest

from db.errors import FetchFailed, UrlRefused
from tests.worker.outgoing import hostile
from tests.worker.outgoing.internet import PUBLIC_HOST, Internet
from tests.worker.outgoing.server import Server, redirect
from worker.outgoing.client import OutgoingClient
from worker.outgoing.rules import Rules

Send = Callable[[OutgoingClient, str], object]

NOT_ON_THE_INTERNET = "its host is not on the public internet"


def fetch(client: OutgoingClient, url: str) -> object:
    """As for an image."""
    return client.fetch(url, maximum_bytes=1000, deadline_seconds=5)


def post(client: OutgoingClient, url: str) -> object:
    """As for a webhook."""
    return client.post(url, content=b"{}", headers={"Content-Type": "application/json"}, deadline_seconds=5)


both = pytest.mark.parametrize("send", [fetch, post])


def check_refused(send: Send, client: OutgoingClient, url: str, reason: str) -> None:
    """Refused, and for this reason."""
    with pytest.raises(UrlRefused) as refusal:
        send(client, url)
    assert str(refusal.value) == f"The URL is refused: {reason}."


@both
@pytest.mark.parametrize(
    ("reason", "url"), [(reason, url) for reason, urls in hostile.MALFORMED.items() for url in urls]
)
@pytest.mark.usefixtures("unheard")
def test_what_is_malformed_is_refused(send: Send, reason: str, url: str, private: Server, internet: Internet) -> None:
    """Before any name is looked up, and even if every address may be reached."""
    everything = Rules(frozenset(range(65536)), networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    client = OutgoingClient(everything, lookup=internet.lookup)
    check_refused(send, client, url.replace("{port}", str(private.port)), reason)
    assert internet.asked == []


@both
@pytest.mark.parametrize("url", hostile.PORTS)
@pytest.mark.usefixtures("unheard")
def test_other_ports_are_refused(send: Send, url: str, internet: Internet) -> None:
    """A public host's too, and before it is looked up."""
    with pytest.raises(UrlRefused, match=r"port -?\d+ is not allowed"):
        send(OutgoingClient(Rules(), lookup=internet.lookup), url)
    assert internet.asked == []


@both
@pytest.mark.parametrize("url", [*hostile.NOT_PUBLIC, *hostile.INTERNAL_NAMES])
@pytest.mark.usefixtures("unheard")
def test_what_is_not_public_is_refused(
    send: Send, url: str, strict: OutgoingClient, private: Server, internet: Internet
) -> None:
    """Addresses that aren't, and names that can't be: nothing is looked up."""
    check_refused(send, strict, url.replace("{port}", str(private.port)), NOT_ON_THE_INTERNET)
    assert internet.asked == []


@both
@pytest.mark.parametrize("url", hostile.RESOLVING)
@pytest.mark.usefixtures("unheard")
def test_names_of_what_is_not_public_are_refused(
    send: Send, url: str, strict: OutgoingClient, private: Server, internet: Internet
) -> None:
    """After one lookup; and the caller isn't told what it said."""
    internet.names = dict.fromkeys(_hosts(url), hostile.RESOLVING[url])
    check_refused(send, strict, url.replace("{port}", str(private.port)), NOT_ON_THE_INTERNET)
    assert len(internet.asked) == 1


@pytest.mark.parametrize("url", hostile.INTERNAL_NAMES)
@pytest.mark.usefixtures("unheard")
def test_an_internal_name_of_a_public_address_is_refused(url: str, internet: Internet) -> None:
    """An allowed network lets them be looked up, but only what is in it be reached."""
    internet.names = {host: ["8.8.8.8"] for host in _hosts(url)}
    client = OutgoingClient(Rules(networks=(ip_network("10.0.0.0/8"),)), lookup=internet.lookup)
    check_refused(fetch, client, url.replace("{port}", "8080"), NOT_ON_THE_INTERNET)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", hostile.REDIRECTS)
def test_a_redirect_is_checked_like_the_first_url(
    location: str, status: int, client: OutgoingClient, public: Server, private: Server
) -> None:
    """A download follows none to what isn't allowed, a webhook none at all."""
    public.answers["/"] = redirect(location.replace("{port}", str(private.port)), status)
    url = f"http://pictures.example:{public.port}/"
    check_refused(fetch, client, url, f"after a redirect, {hostile.REDIRECTS[location]}")
    post(client, url)
    assert [request.split(b" ")[0] for request in public.requests] == [b"GET", b"POST"]
    assert private.connections() == 0


def test_the_last_of_several_redirects_is_checked(client: OutgoingClient, public: Server, private: Server) -> None:
    """The third as the first."""
    public.answers = {
        "/": redirect("/second"),
        "/second": redirect(f"http://pictures.example:{public.port}/third"),
        "/third": redirect(f"http://127.0.0.1:{private.port}/"),
    }
    check_refused(fetch, client, f"http://pictures.example:{public.port}/", f"after a redirect, {NOT_ON_THE_INTERNET}")
    assert private.connections() == 0


def test_a_redirect_never_leaves_https(client: OutgoingClient, secure: Server, public: Server) -> None:
    """Not even to the same host, which is allowed."""
    secure.answers["/"] = redirect(f"http://pictures.example:{public.port}/")
    url = f"https://pictures.example:{secure.port}/"
    check_refused(fetch, client, url, "after a redirect, it leads from https to http")
    assert public.connections() == 0


def test_redirects_without_end_are_left(client: OutgoingClient, public: Server) -> None:
    """The first request, three redirects, no more."""
    public.answers["/"] = redirect("/")
    with pytest.raises(FetchFailed, match="redirects more than 3 times"):
        fetch(client, f"http://pictures.example:{public.port}/")
    assert len(public.requests) == 4


@both
def test_a_name_that_changes_reaches_only_what_was_checked(
    send: Send, client: OutgoingClient, public: Server, private: Server, dialled: list[object]
) -> None:
    """Rebinding: public when it is checked, private ever after. It is asked once, and the answer is what is dialled."""
    answers = [[PUBLIC_HOST], ["127.0.0.1"], ["127.0.0.1"]]
    client = OutgoingClient(client._rules, lookup=lambda _: answers.pop(0))
    send(client, f"http://rebinding.example.com:{public.port}/")
    assert len(answers) == 2
    assert dialled == [(PUBLIC_HOST, public.port)]
    assert len(public.requests) == 1
    check_refused(send, client, f"http://rebinding.example.com:{public.port}/", NOT_ON_THE_INTERNET)
    assert private.connections() == 0


def test_a_name_that_changes_at_a_redirect_is_checked_again(
    client: OutgoingClient, public: Server, private: Server
) -> None:
    """A redirect to the same name is another request: another lookup, another check."""
    answers = cycle([[PUBLIC_HOST], ["127.0.0.1"]])
    public.answers["/"] = redirect("/again")
    client = OutgoingClient(client._rules, lookup=lambda _: next(answers))
    url = f"http://rebinding.example.com:{public.port}/"
    check_refused(fetch, client, url, f"after a redirect, {NOT_ON_THE_INTERNET}")
    assert private.connections() == 0


@both
@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["169.254.169.254"], ["fd00:ec2::254"]])
def test_the_refusal_names_no_address(
    send: Send, addresses: list[str], strict: OutgoingClient, internet: Internet
) -> None:
    """Whatever a name resolves to, the caller reads the same."""
    internet.names["inside.example.com"] = addresses
    check_refused(send, strict, "http://inside.example.com/", NOT_ON_THE_INTERNET)


def test_there_are_enough_of_them() -> None:
    """The table has not shrunk."""
    rows = [url for urls in hostile.MALFORMED.values() for url in urls]
    rows += [*hostile.PORTS, *hostile.NOT_PUBLIC, *hostile.INTERNAL_NAMES, *hostile.RESOLVING, *hostile.REDIRECTS]
    assert len(set(rows)) >= 180


def test_the_private_server_would_have_answered(private: Server, dialled: list[object]) -> None:
    """The tests above look in the right place: a client that may reach it does, and is counted."""
    client = OutgoingClient(Rules(ports=frozenset({private.port}), networks=(ip_network("127.0.0.0/8"),)))
    fetch(client, f"http://127.0.0.1:{private.port}/")
    post(client, f"http://127.0.0.1:{private.port}/")
    assert dialled == [("127.0.0.1", private.port)] * 2
    assert private.connections() == 2


def _hosts(url: str) -> set[str]:
    """The URL's host in all the forms in which it may be looked up."""
    host = url.removeprefix("http://").removeprefix("https://").partition("/")[0].partition(":")[0].lower()
    return {host, host.encode("idna").decode()}


def test_the_resolver_is_not_asked_for_addresses(monkeypatch: pytest.MonkeyPatch, private: Server) -> None:
    """The system's resolver reads `127.1` and the like as addresses; it never gets to see them."""
    monkeypatch.setattr(socket, "getaddrinfo", None)
    with pytest.raises(UrlRefused):
        fetch(OutgoingClient(Rules()), f"http://127.1:{private.port}/")
