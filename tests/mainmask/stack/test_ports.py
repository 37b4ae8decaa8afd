"""Ports."""

import socket

import pytest

from mainmask.stack.errors import PortTaken
from mainmask.stack.ports import accepts_connections, claim_port, free_port


def test_a_free_port_is_free() -> None:
    """Nothing listens there, and it can be claimed."""
    port = free_port()
    assert not accepts_connections(port)
    assert claim_port(port, "the API", "--port") == port


def test_zero_is_any_free_port() -> None:
    """Asking for port 0 gives a real one."""
    assert claim_port(0, "the API", "--port") > 0


def test_a_taken_port_names_the_way_out() -> None:
    """The message says what wanted the port and which option changes it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert accepts_connections(port)
        with pytest.raises(PortTaken, match=f"Port {port}, where the API should listen.*--port PORT"):
            claim_port(port, "the API", "--port")
