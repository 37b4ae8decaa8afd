"""Name servers that never answer: whom they hold up, and whom not."""

import threading
from collections.abc import Iterator

import pytest

from worker.outgoing import names
from worker.outgoing.busy import OutgoingBusy
from worker.outgoing.deadline import Deadline
from worker.outgoing.names import Names


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for their turn."""
    monkeypatch.setattr(names, "PATIENCE_SECONDS", 0.05)


@pytest.fixture
def answered() -> Iterator[threading.Event]:
    """Set when the name servers answer at last."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def resolver(answered: threading.Event) -> Names:
    """One that answers at once for good.example alone."""

    def lookup(host: str) -> list[str]:
        if not host.endswith("good.example"):
            answered.wait(30)
        return ["192.0.2.1"]

    return Names(lookup)


def ask(resolver: Names, host: str, tenant: str | None = None) -> None:
    """Look it up, with little time."""
    resolver.resolve(host, Deadline(0.1), tenant)


def leave(resolver: Names, host: str, tenant: str | None = None) -> None:
    """Ask for a name that isn't answered for, and go; the lookup stays."""
    with pytest.raises(TimeoutError):
        ask(resolver, host, tenant)


def test_a_silent_domain_holds_two_lookups(resolver: Names) -> None:
    """The third isn't tried, whatever its host is called; another domain's is."""
    leave(resolver, "a.bad.example")
    leave(resolver, "b.bad.example")
    with pytest.raises(OutgoingBusy):
        ask(resolver, "c.bad.example")
    ask(resolver, "hooks.good.example")


def test_a_tenant_holds_a_part_of_all_lookups(resolver: Names) -> None:
    """However many domains it owns; other tenants go on."""
    for number in range(8):
        leave(resolver, f"bad-{number}.example", "hostile")
    with pytest.raises(OutgoingBusy):
        ask(resolver, "good.example", "hostile")
    ask(resolver, "good.example", "honest")


def test_a_lookup_that_ends_makes_room(resolver: Names, answered: threading.Event) -> None:
    """Also one that nobody waits for any longer; and who waits for its turn gets it."""
    for _ in range(2):
        leave(resolver, "bad.example", "tenant")
    threading.Timer(0.02, answered.set).start()
    resolver.resolve("bad.example", Deadline(5), "tenant")
