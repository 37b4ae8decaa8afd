"""What the client sends and takes: exactly, within its limits, and with nothing from the environment."""

import gzip
import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path

import pytest

from db.errors import FetchFailed, FetchTooLarge, FetchUnavailable, MainmaskError, UrlRefused
from tests.worker.outgoing.internet import PUBLIC_HOST, Internet
from tests.worker.outgoing.server import (
    CERTIFICATE,
    Answering,
    Server,
    answer,
    dripping,
    endless,
    holding,
    raw,
    redirect,
)
from worker.outgoing.busy import OutgoingBusy
from worker.outgoing.client import OutgoingClient
from worker.outgoing.rules import PORTS, Rules

Url = Callable[[str], str]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def url(public: Server) -> Url:
    """URLs of the public server."""
    return lambda path: f"http://pictures.example:{public.port}{path}"


def fetched(client: OutgoingClient, url: str, maximum_bytes: int = 1000, deadline_seconds: float = 5) -> bytes:
    """What it gives."""
    return client.fetch(url, maximum_bytes=maximum_bytes, deadline_seconds=deadline_seconds).content


def test_a_picture_is_fetched(client: OutgoingClient, public: Server, url: Url, internet: Internet) -> None:
    """The host's name goes into the request, its address only into the connection; nothing else is said."""
    got = client.fetch(url("/a%20b/ü.png?x=%2F&y=1#part"), maximum_bytes=7, deadline_seconds=5)
    assert (got.content, got.content_type) == (b"picture", "image/png")
    head, *lines = public.requests[0].decode().removesuffix("\r\n\r\n").split("\r\n")
    assert head == "GET /a%20b/%C3%BC.png?x=%2F&y=1 HTTP/1.1"
    assert sorted(lines) == [
        "Accept-Encoding: identity",
        "Accept: */*",
        "Connection: close",
        f"Host: pictures.example:{public.port}",
        "User-Agent: mainmask (+https://mainmask.dev)",
    ]
    assert internet.asked == ["pictures.example"]


def test_a_webhook_is_delivered(client: OutgoingClient, public: Server, url: Url) -> None:
    """Content and headers arrive as they were given; of the answer only the beginning is read."""
    public.answers["/hook"] = answer(b"x" * 5000, 202, headers=("X-Id: 1", "X-Id: 2", "Content-Encoding: gzip"))
    given = {"Content-Type": "application/json", "user-agent": "other"}
    got = client.post(url("/hook"), content=b'{"a": 1}', headers=given, deadline_seconds=5)
    assert (got.status, got.head, got.headers["x-id"]) == (202, b"x" * 1024, "1, 2")
    assert 0 < got.duration_seconds < 5
    head, content = public.requests[0].split(b"\r\n\r\n")
    assert content == b'{"a": 1}'
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook HTTP/1.1"
    assert {"Content-Length: 8", "Content-Type: application/json", "user-agent: other"} < set(lines)
    assert not any(line.startswith("User-Agent") for line in lines)


@pytest.mark.parametrize("status", [204, 301, 302, 307, 400, 404, 410, 429, 500, 503])
def test_every_status_is_an_answer_to_a_webhook(client: OutgoingClient, public: Server, url: Url, status: int) -> None:
    """What it means is for others to say; a redirect leads nowhere."""
    public.answers["/"] = redirect("/elsewhere", status)
    assert client.post(url("/"), content=b"", headers={}, deadline_seconds=5).status == status
    assert len(public.requests) == 1


def test_what_a_webhooks_answer_lacks_is_left_out(client: OutgoingClient, public: Server, url: Url) -> None:
    """The receiver has taken it: that it talks on past the deadline, or breaks off, doesn't undo that."""
    public.answers["/slow"] = holding(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")
    public.answers["/broken"] = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")
    for path in ("/slow", "/broken"):
        got = client.post(url(path), content=b"{}", headers={}, deadline_seconds=0.5)
        assert (got.status, got.head) == (200, b"ok")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "internal"),
        ("hOST", "internal"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "keep-alive"),
        ("Accept-Encoding", "gzip"),
        ("X-Note", "a\r\nHost: internal"),
        ("X-Note", "a\nb"),
        ("X-Note", "\x00"),
        ("X-Note", " padded "),
        ("X-Note", "ü"),
        ("X-Note\r\nHost", "internal"),
        ("X Note", "a"),
        ("X-Note:", "a"),
        ("", "a"),
    ],
)
def test_headers_say_nothing_else(client: OutgoingClient, public: Server, url: Url, name: str, value: str) -> None:
    """Neither another host nor another request; and the error doesn't repeat the value, which may be a secret."""
    with pytest.raises(ValueError, match="malformed, or may not be set") as error:
        client.post(url("/"), content=b"", headers={name: value}, deadline_seconds=5)
    assert "internal" not in str(error.value) or "internal" in name
    assert public.connections() == 0


def test_three_redirects_are_followed(client: OutgoingClient, public: Server, url: Url) -> None:
    """Relative ones and absolute ones; the path is joined as in browsers."""
    public.answers = {
        "/a/": redirect("b?c=/d", 301),
        "/a/b?c=/d": redirect(f"//pictures.example:{public.port}/e", 307),
        "/e": redirect(url("/%C3%BC"), 308),
    }
    assert fetched(client, url("/a/")) == b"picture"
    assert len(public.requests) == 4


def test_cookies_are_not_kept(client: OutgoingClient, public: Server, url: Url) -> None:
    """Neither for a redirect nor for the next caller."""
    public.answers["/"] = answer(status=302, headers=("Location: /next", "Set-Cookie: id=1; Path=/"))
    fetched(client, url("/"))
    fetched(client, url("/next"))
    assert not any(b"cookie" in request.lower() for request in public.requests)


@pytest.mark.parametrize(
    ("answering", "expected"),
    [
        (answer(status=404), FetchFailed),
        (answer(status=403), FetchFailed),
        (answer(status=204), FetchFailed),
        (answer(status=206), FetchFailed),
        (answer(status=304), FetchFailed),
        (answer(status=302), FetchFailed),  # without saying where to
        (raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"), FetchUnavailable),
        (answer(status=408), FetchUnavailable),
        (answer(status=429), FetchUnavailable),
        (answer(status=500), FetchUnavailable),
        (answer(status=503), FetchUnavailable),
        (raw(b""), FetchUnavailable),
        (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), FetchUnavailable),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), FetchUnavailable),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), FetchUnavailable),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), FetchUnavailable),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n"), FetchUnavailable),
        (raw(CHUNKED + b"zz\r\n"), FetchUnavailable),
        (answer(gzip.compress(bytes(1 << 20)), headers=("Content-Encoding: gzip",)), FetchFailed),
        (answer(headers=("content-encoding: X-GZIP",)), FetchFailed),
        (answer(headers=("Content-Encoding: br",)), FetchFailed),
        (answer(headers=("Content-Encoding: identity, gzip",)), FetchFailed),
        (answer(headers=("Content-Encoding: identity", "Content-Encoding: deflate")), FetchFailed),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), FetchUnavailable),
    ],
)
def test_what_is_no_answer_is_told(
    client: OutgoingClient, public: Server, url: Url, answering: Answering, expected: type[MainmaskError]
) -> None:
    """Final or passing, by table; what is packed is not unpacked."""
    public.answers["/"] = answering
    with pytest.raises(MainmaskError) as error:
        fetched(client, url("/"))
    assert type(error.value) is expected
    assert PUBLIC_HOST not in str(error.value)


@pytest.mark.parametrize(
    "answering",
    [
        answer(b"x" * 1000),
        answer(b"x" * 1000, headers=("Content-Encoding: identity",)),
        raw(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 1000),
        raw(CHUNKED + b"1F4\r\n" + b"x" * 500 + b"\r\n1f4;note=1\r\n" + b"x" * 500 + b"\r\n0\r\n\r\n"),
        raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000),
    ],
)
def test_content_may_be_as_large_as_the_limit(
    client: OutgoingClient, public: Server, url: Url, answering: Answering
) -> None:
    """To the byte, however it is framed."""
    public.answers["/"] = answering
    assert fetched(client, url("/"), maximum_bytes=1000) == b"x" * 1000
    with pytest.raises(FetchTooLarge, match="999 bytes"):
        fetched(client, url("/"), maximum_bytes=999)


@pytest.mark.parametrize(
    ("answering", "expected"),
    [
        # Refused by its header: waiting for the content would end at the deadline.
        (holding(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"), FetchTooLarge),
        (endless(b"HTTP/1.1 200 OK\r\n\r\n", bytes(4096)), FetchTooLarge),
        (endless(CHUNKED, b"200\r\n" + bytes(512) + b"\r\n"), FetchTooLarge),
        # No content at all, but no end either.
        (endless(CHUNKED, b"1;" + b"x" * 4000 + b"\r\nx\r\n"), FetchUnavailable),
        (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), FetchUnavailable),
        (endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), FetchUnavailable),
        (endless(b"", b"x" * 4096), FetchUnavailable),
    ],
)
def test_what_has_no_end_is_left_early(
    client: OutgoingClient, public: Server, url: Url, answering: Answering, expected: type[MainmaskError]
) -> None:
    """Long before the deadline."""
    public.answers["/"] = answering
    with pytest.raises(MainmaskError) as error:
        fetched(client, url("/"), deadline_seconds=30)
    assert type(error.value) is expected
    assert "30 s" not in str(error.value)


@pytest.mark.parametrize(
    "answering",
    [
        holding(),
        holding(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nX-Slow: "),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
)
def test_the_deadline_is_for_all_of_it(client: OutgoingClient, public: Server, url: Url, answering: Answering) -> None:
    """A byte now and then gains nothing."""
    public.answers["/"] = answering
    with pytest.raises(FetchUnavailable, match=r"wasn't done within 0\.3 s"):
        fetched(client, url("/"), deadline_seconds=0.3)


def test_the_deadline_is_for_all_redirects(client: OutgoingClient, public: Server, url: Url) -> None:
    """They share one."""
    public.answers["/"] = redirect("/held")
    public.answers["/held"] = holding()
    with pytest.raises(FetchUnavailable, match=r"wasn't done within 0\.3 s"):
        fetched(client, url("/"), deadline_seconds=0.3)


def test_the_deadline_is_for_the_name_too(public: Server) -> None:
    """A resolver that hangs is left to itself; when too many do, the next is told so within its deadline."""
    released = threading.Event()

    def lookup(_: str) -> list[str]:
        released.wait(10)
        return [PUBLIC_HOST]

    client = OutgoingClient(Rules(ports=frozenset({public.port})), lookup=lookup)
    for number in range(40):
        with pytest.raises(FetchUnavailable if number < 32 else OutgoingBusy):
            fetched(client, f"http://pictures-{number}.example:{public.port}/", deadline_seconds=0.02)
    assert sum(thread.name == "lookup" for thread in threading.enumerate()) == 32
    released.set()
    assert public.connections() == 0


def test_the_deadline_is_for_sending_too(client: OutgoingClient, url: Url, internet: Internet) -> None:
    """A receiver that doesn't read holds nobody."""
    with Server(PUBLIC_HOST, read=False) as deaf:
        client = OutgoingClient(Rules.of([f"pictures.example:{deaf.port}"]), lookup=internet.lookup)
        with pytest.raises(FetchUnavailable, match=r"wasn't done within 0\.3 s"):
            client.post(
                f"http://pictures.example:{deaf.port}/", content=bytes(32 << 20), headers={}, deadline_seconds=0.3
            )


def test_the_deadline_is_for_tls_too(internet: Internet) -> None:
    """A server that takes the connection and then is silent holds nobody."""
    with Server(PUBLIC_HOST, greet=False) as silent:
        client = OutgoingClient(Rules.of([f"pictures.example:{silent.port}"]), lookup=internet.lookup)
        with pytest.raises(FetchUnavailable, match=r"wasn't done within 0\.3 s"):
            fetched(client, f"https://pictures.example:{silent.port}/", deadline_seconds=0.3)


def test_https_is_for_the_urls_host(client: OutgoingClient, secure: Server, dialled: list[object]) -> None:
    """Server name and `Host` are the URL's, the connection is to the checked address."""
    assert fetched(client, f"https://pictures.example:{secure.port}/") == b"picture"
    assert secure.names == ["pictures.example"]
    assert f"Host: pictures.example:{secure.port}\r\n".encode() in secure.requests[0]
    assert dialled == [(PUBLIC_HOST, secure.port)]
    assert fetched(client, f"https://{PUBLIC_HOST}:{secure.port}/") == b"picture"


def test_another_hosts_certificate_is_refused(client: OutgoingClient, secure: Server, internet: Internet) -> None:
    """A trusted one, but not for this name: nothing is sent."""
    internet.names["other.example"] = [PUBLIC_HOST]
    with pytest.raises(FetchFailed, match="certificate"):
        fetched(client, f"https://other.example:{secure.port}/")
    assert secure.requests == []


def test_only_known_authorities_are_trusted(
    secure: Server, internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment can't add one."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    client = OutgoingClient(Rules.of([f"pictures.example:{secure.port}"]), lookup=internet.lookup)
    with pytest.raises(FetchFailed, match="certificate"):
        fetched(client, f"https://pictures.example:{secure.port}/")
    assert secure.requests == []


def test_nothing_comes_from_the_environment(
    client: OutgoingClient, public: Server, private: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No proxy hears of it, and no credentials are sent."""
    proxy = f"http://127.0.0.1:{private.port}"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy)
        monkeypatch.setenv(name.lower(), proxy)
    monkeypatch.setenv("NO_PROXY", "")
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine pictures.example login me password secret\ndefault login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    url = f"http://pictures.example:{public.port}/"
    fetched(client, url)
    client.post(url, content=b"", headers={}, deadline_seconds=5)
    assert not any(b"authorization" in request.lower() for request in public.requests)
    assert private.connections() == 0


def test_the_next_address_is_tried(client: OutgoingClient, public: Server, url: Url, internet: Internet) -> None:
    """Where one refuses; but not more of them than a few."""
    rules = Rules(ports=frozenset({public.port}), networks=(ip_network("127.0.0.0/8"),))
    client = OutgoingClient(rules, lookup=internet.lookup)
    internet.names["pictures.example"] = ["127.0.0.3", PUBLIC_HOST]
    assert fetched(client, url("/")) == b"picture"
    internet.names["pictures.example"] = [*(f"127.0.1.{last}" for last in range(50)), PUBLIC_HOST]
    with pytest.raises(FetchUnavailable, match="takes no connection"):
        fetched(client, url("/"))
    assert public.connections() == 1


def test_a_name_without_address_may_have_one_later(client: OutgoingClient, internet: Internet) -> None:
    """Name servers have their troubles."""
    with pytest.raises(FetchUnavailable, match="its host has no address"):
        fetched(client, "http://unknown.example.com/")
    internet.names["empty.example.com"] = []
    with pytest.raises(FetchUnavailable, match="its host has no address"):
        fetched(client, "http://empty.example.com/")


def test_the_operator_reads_what_was_refused(
    strict: OutgoingClient, internet: Internet, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says what the caller isn't told."""
    internet.names["inside.example.com"] = ["10.1.2.3"]
    with caplog.at_level(logging.WARNING), pytest.raises(UrlRefused):
        fetched(strict, "http://inside.example.com/")
    assert caplog.messages == ["refused a request to inside.example.com, which is at 10.1.2.3"]


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("minio:{port}", "minio"),
        ("MinIO:{port}", "minio"),
        ("127.0.0.1:{port}", "127.0.0.1"),
        ("minio", "minio"),
        ("127.0.0.0/8", "minio"),
        ("127.0.0.1/32", "127.0.0.1"),
    ],
)
def test_what_the_operator_lists_is_reached(allowed: str, host: str, private: Server, internet: Internet) -> None:
    """Hosts, hosts with a port that needs no other permission, and networks; nothing beside them."""
    internet.names = {"minio": ["127.0.0.1"], "redis": ["127.0.0.9"]}
    ports = PORTS if "{port}" in allowed else PORTS | {private.port}
    rules = Rules.of([allowed.replace("{port}", str(private.port))], ports)
    client = OutgoingClient(rules, lookup=internet.lookup)
    assert fetched(client, f"http://{host}:{private.port}/") == b"picture"
    for other in ("http://10.0.0.1/", f"http://{host}:22/", "http://[::ffff:127.0.0.1]/"):
        with pytest.raises(UrlRefused):
            fetched(client, other)


def test_ipv6_is_reached() -> None:
    """Its brackets belong to the URL and to `Host`, not to the address."""
    try:
        server = Server("::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server:
        client = OutgoingClient(Rules.of([f"[::1]:{server.port}"]))
        assert fetched(client, f"http://[0::0001]:{server.port}/") == b"picture"
        assert f"Host: [::1]:{server.port}\r\n".encode() in server.requests[0]


def test_the_systems_resolver_is_asked(private: Server) -> None:
    """Without a resolver of a test's."""
    client = OutgoingClient(Rules.of([f"localhost:{private.port}"]))
    assert fetched(client, f"http://localhost:{private.port}/") == b"picture"


def test_threads_share_a_client(client: OutgoingClient, public: Server, url: Url) -> None:
    """Each gets its own answer."""
    public.answers = {f"/{number}": answer(str(number).encode()) for number in range(20)}
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda number: fetched(client, url(f"/{number}")), range(20)))
    assert found == [str(number).encode() for number in range(20)]


def test_every_connection_is_closed(
    client: OutgoingClient, public: Server, url: Url, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After success and after failure, and not by the garbage collector."""
    made: list[socket.socket] = []
    connect = socket.socket.connect

    def keep(connection: socket.socket, address: tuple[str, int]) -> None:
        made.append(connection)
        connect(connection, address)

    monkeypatch.setattr(socket.socket, "connect", keep)
    public.answers |= {"/bad": answer(status=500), "/long": holding(b"HTTP/1.1 200 OK\r\n\r\n")}
    fetched(client, url("/"))
    client.post(url("/"), content=b"", headers={}, deadline_seconds=5)
    for path in ("/bad", "/long"):
        with pytest.raises(FetchUnavailable):
            fetched(client, url(path), deadline_seconds=0.3)
    assert [connection.fileno() for connection in made] == [-1] * 4
