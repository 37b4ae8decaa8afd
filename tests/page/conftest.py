"""The page of a running service, open in a browser."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

import mainmask
from mainmask import Client
from mainmask.stack.stack import Stack
from tests.api.conftest import address, client, keys_are_on  # noqa: F401 - fixtures
from tests.page.browser import CHROMIUM, chromium

SAMPLE = Path(mainmask.__file__).parent / "sample" / "snowboard.jpg"
TIMEOUT_MS = 30_000
expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for the page's tests: as long as it runs, no other test can run an event loop of its own."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on PATH (Debian: apt-get install chromium)")
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh tab, as of a new visitor; afterwards no script has failed, and the content security policy held."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(TIMEOUT_MS)
    complaints: list[str] = []
    opened = context.new_page()
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
    yield opened
    # A request that a test's own route is answering when it ends would fail the next test.
    opened.unroute_all(behavior="ignoreErrors")
    context.close()
    assert complaints == []


def is_complaint(message: ConsoleMessage) -> bool:
    """Whether the browser objects to the page, and not to a test that asks for a refusal, or reads a canvas back."""
    ours = message.text.startswith("Failed to load resource") or "willReadFrequently" in message.text
    return message.type in {"error", "warning"} and not ours


@pytest.fixture
def home(page: Page, stack: Stack) -> Page:
    """The tab, with the page open in it."""
    page.goto(stack.api_url)
    return page


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """The sample with a comment in it (JPEG's COM segment) that makes it another file: no earlier answer is its own."""
    data = SAMPLE.read_bytes()
    comment = uuid4().bytes
    fresh = tmp_path / SAMPLE.name
    fresh.write_bytes(data[:2] + b"\xff\xfe" + (2 + len(comment)).to_bytes(2) + comment + data[2:])
    return fresh


@pytest.fixture
def service(stack: Stack) -> Iterator[Client]:
    """The service behind the page, asked without it."""
    with Client(stack.api_url) as opened:
        yield opened
