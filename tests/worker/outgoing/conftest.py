"""The private server that must hear nothing, the public one that stands for the internet, and clients of them."""

import socket
import ssl
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from tests.worker.outgoing.internet import PUBLIC_HOST, Internet
from tests.worker.outgoing.server import CERTIFICATE, Server
from worker.outgoing.client import OutgoingClient
from worker.outgoing.rules import PORTS, Rules


@pytest.fixture
def private() -> Iterator[Server]:
    """A server on this machine that isn't anybody's business."""
    with Server() as server:
        yield server


@pytest.fixture
def public(private: Server) -> Iterator[Server]:
    """A server on the internet, on the private one's port."""
    with Server(PUBLIC_HOST, private.port) as server:
        yield server


@pytest.fixture
def secure() -> Iterator[Server]:
    """A server on the internet that speaks TLS as pictures.example."""
    with Server(PUBLIC_HOST, tls=True) as server:
        yield server


@pytest.fixture
def internet() -> Internet:
    """The resolver; pictures.example is on the internet, two other names are on this machine."""
    internet = Internet()
    internet.names["pictures.example"] = [PUBLIC_HOST]
    internet.names |= dict.fromkeys(("localhost", "loopback.example.com"), ("127.0.0.1",))
    return internet


@pytest.fixture
def strict(internet: Internet, private: Server) -> OutgoingClient:
    """A client with the default rules, but that the private server's port is allowed: only its address protects it."""
    return OutgoingClient(Rules(ports=PORTS | {private.port}), lookup=internet.lookup)


@pytest.fixture
def client(internet: Internet, request: pytest.FixtureRequest) -> OutgoingClient:
    """A client that may reach the public servers of the test, and trusts their certificate."""
    ports = {request.getfixturevalue(name).port for name in ("public", "secure") if name in request.fixturenames}
    rules = Rules(ports=PORTS | ports, networks=(ip_network(PUBLIC_HOST),))
    return OutgoingClient(
        rules, lookup=internet.lookup, tls_context=ssl.create_default_context(cafile=str(CERTIFICATE))
    )


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every address that this process connects to during the test; none outside this machine is reached."""
    addresses: list[object] = []
    connect = socket.socket.connect

    def keep(connection: socket.socket, address: tuple[str, int]) -> None:
        addresses.append(address)
        if not ip_address(address[0]).is_loopback:
            raise ConnectionRefusedError
        connect(connection, address)

    monkeypatch.setattr(socket.socket, "connect", keep)
    return addresses


@pytest.fixture
def unheard(private: Server, dialled: list[object]) -> Iterator[None]:
    """The test connects to nothing at all."""
    yield
    assert dialled == []
    assert private.connections() == 0
