"""The operator's entries."""

import re
from ipaddress import ip_network

import pytest

from worker.outgoing.rules import Rules


def test_entries_are_read() -> None:
    """Each kind of them; hosts become what URLs become."""
    entries = ["MinIO", "minio:9000", "10.1.0.0/16", "fd00::/8", "10.0.0.7", "[FD00::7]:9000", "fd00::7", "[::1]"]
    assert Rules.of(entries, {443}) == Rules(
        ports=frozenset({443}),
        hosts=frozenset(
            {
                ("minio", None),
                ("minio", 9000),
                ("10.0.0.7", None),
                ("fd00::7", 9000),
                ("fd00::7", None),
                ("::1", None),
            }
        ),
        networks=(ip_network("10.1.0.0/16"), ip_network("fd00::/8")),
    )


@pytest.mark.parametrize(
    "entry", [" ", "http://minio", "minio:", "minio:x", "10.1", "0x7f.1", "10.1.2.3/16", "*.internal", "a b", "[::1"]
)
def test_wrong_entries_are_named(entry: str) -> None:
    """Better at the start than never to match."""
    with pytest.raises(ValueError, match=re.escape(entry)):
        Rules.of([entry])
