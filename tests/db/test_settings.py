"""Settings that are more than one value."""

import pytest
from pydantic import ValidationError

from db.settings import Settings


def test_nothing_inside_is_allowed_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator who sets nothing is safe."""
    monkeypatch.delenv("MAINMASK_OUTGOING_ALLOWED_HOSTS", raising=False)
    monkeypatch.delenv("MAINMASK_OUTGOING_ALLOWED_PORTS", raising=False)
    assert Settings().outgoing_allowed_hosts == frozenset()
    assert Settings().outgoing_allowed_ports == {80, 443, 8080, 8443}


def test_lists_have_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces around them don't matter; nothing is an empty list."""
    monkeypatch.setenv("MAINMASK_OUTGOING_ALLOWED_HOSTS", "minio:9000, 10.1.0.0/16,[fd00::7]:9000,")
    monkeypatch.setenv("MAINMASK_OUTGOING_ALLOWED_PORTS", "443")
    assert Settings().outgoing_allowed_hosts == {"minio:9000", "10.1.0.0/16", "[fd00::7]:9000"}
    assert Settings().outgoing_allowed_ports == {443}
    monkeypatch.setenv("MAINMASK_OUTGOING_ALLOWED_HOSTS", "")
    assert Settings().outgoing_allowed_hosts == frozenset()


@pytest.mark.parametrize("ports", ["0", "65536", "https", "443;80"])
def test_wrong_ports_are_refused(monkeypatch: pytest.MonkeyPatch, ports: str) -> None:
    """By the variable's name."""
    monkeypatch.setenv("MAINMASK_OUTGOING_ALLOWED_PORTS", ports)
    with pytest.raises(ValidationError, match="outgoing_allowed_ports"):
        Settings()
