"""TCP ports on this machine's loopback address."""

import socket

from mainmask.stack.errors import PortTaken

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def claim_port(port: int, what: str, option: str) -> int:
    """The port that was asked for, or a free one for 0.

    Raises:
        PortTaken: another program listens there; the message names `option`.
    """
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        # As the servers do: connections of an earlier run that are still fading out don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise PortTaken(port, what, option) from error
    return port


def accepts_connections(port: int) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
