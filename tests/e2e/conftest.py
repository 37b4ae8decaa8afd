"""The whole service as `mainmask up` runs it: real servers, API, worker with the tiny models, Flower."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mainmask import Client
from mainmask.stack.interruptions import Interruptions
from mainmask.stack.stack import Stack


@pytest.fixture(scope="session")
def stack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stack keeps its data and logs."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="session")
def stack(stack_folder: Path) -> Iterator[Stack]:
    """The stack on free ports, for all the end-to-end tests."""
    with (
        pytest.MonkeyPatch.context() as patch,
        Interruptions() as interruptions,
    ):
        patch.setenv("FLOWER_UNAUTHENTICATED_API", "true")
        with Stack(stack_folder, 0, 0, print, interruptions) as running:
            yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    """The product's own client, connected to the stack."""
    with Client(stack.api_url) as opened:
        yield opened
