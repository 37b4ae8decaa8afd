"""What every test of the client and the command line starts from."""

import signal
from collections.abc import Iterator

import pytest

from api.app import create_app
from mainmask.stack.interruptions import SIGNALS
from tests import servers
from tests.mainmask import stand_in_worker


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the environment of whoever runs the tests leads the client or the stack elsewhere."""
    for name in ("MAINMASK_URL", "MAINMASK_API_KEY", "MAINMASK_DATA_DIR", "MAINMASK_AUTH"):
        monkeypatch.delenv(name, raising=False)
    # What rich makes of a terminal: neither colours nor a narrow one's line breaks.
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(autouse=True)
def signals_that_arrive() -> Iterator[None]:
    """Run in the background or by nohup, the tests ignore Ctrl-C or a hang-up, and so would all that they start."""
    ignored = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Polling does not sleep, but notes for how long it would have."""
    pauses: list[float] = []
    monkeypatch.setattr("mainmask.network.time.sleep", pauses.append)
    return pauses


@pytest.fixture
def real_url(migrated: None) -> Iterator[str]:
    """The address of the real API over the session's servers, without keys; a thread stands in for its workers."""
    with servers.http(create_app()) as url, stand_in_worker.working():
        yield url
