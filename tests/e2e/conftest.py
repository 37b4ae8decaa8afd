"""The product's own client, connected to the whole service."""

from collections.abc import Iterator

import pytest

from mainmask import Client
from mainmask.stack.stack import Stack


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    """The product's own client, connected to the stack."""
    with Client(stack.api_url) as opened:
        yield opened
