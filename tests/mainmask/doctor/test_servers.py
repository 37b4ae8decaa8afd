"""What the doctor says of Postgres, Redis and S3: the real ones, and ones that aren't there."""

import pytest

from mainmask.doctor import servers
from mainmask.doctor.finding import Finding, Health

SETTINGS = ("MAINMASK_DATABASE_URL", "MAINMASK_REDIS_URL", "MAINMASK_S3_ENDPOINT_URL")


def findings() -> dict[str, Finding]:
    """What is found, by name."""
    return {finding.name: finding for finding in servers.check()}


def test_real_servers(environment: dict[str, str], migrated: None) -> None:
    """Each is logged in to, and tells its version or its bucket."""
    found = findings()
    assert {name: finding.health for name, finding in found.items()} == dict.fromkeys(
        ["Postgres", "Redis", "S3"], Health.OK
    )
    assert found["Postgres"].says.startswith("18")
    assert found["S3"].says == f"the bucket {environment['MAINMASK_S3_BUCKET']} is there"


def test_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever only uses a service has none, and misses nothing."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    (finding,) = findings().values()
    assert finding.health is Health.OK


def test_servers_that_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fails with the setting to mend; no password is repeated."""
    monkeypatch.setenv("MAINMASK_DATABASE_URL", "postgresql+psycopg://user:5ec3et@127.0.0.1:9/none")
    monkeypatch.setenv("MAINMASK_REDIS_URL", "redis://:5ec3et@127.0.0.1:9/0")
    monkeypatch.setenv("MAINMASK_S3_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MAINMASK_S3_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("MAINMASK_S3_SECRET_ACCESS_KEY", "5ec3et")
    found = findings()
    assert {finding.health for finding in found.values()} == {Health.FAIL}
    assert [finding.remedy for finding in found.values()] == [f"start it, or mend {name}" for name in SETTINGS]
    assert "5ec3et" not in str(found)


@pytest.mark.parametrize("url", ["5ec3et", "postgresql+psycopg://user:5ec3et@/x y?%%", "redis://:5ec3et@host:port/x"])
def test_settings_that_make_no_sense(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """They fail without being quoted."""
    for name in SETTINGS:
        monkeypatch.setenv(name, url)
    found = findings()
    assert {finding.health for finding in found.values()} == {Health.FAIL}
    assert "5ec3et" not in str(found)
