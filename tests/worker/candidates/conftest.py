"""Attempts at an endpoint, without their pauses."""

import pytest

from worker.candidates import endpoint as endpoint_module


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow at once."""
    monkeypatch.setattr(endpoint_module, "PAUSE_SECONDS", 0.0)
