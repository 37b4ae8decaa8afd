"""`mainmask doctor`: its report, and how it ends."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mainmask.cli import app
from mainmask.doctor.finding import fail, ok, warn
from mainmask.exit_codes import ExitCode

GOOD, ODD, BAD = ok("key", "is taken"), warn("disk", "3 GiB", "make room"), fail("clock", "[red] is late", "set it")
Doctor = Callable[..., Result]


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Runs it with these findings instead of the service's and the machine's."""

    def run(*findings: object, options: tuple[str, ...] = ()) -> Result:
        monkeypatch.setattr("mainmask.commands.doctor.service.check", lambda _: findings)
        monkeypatch.setattr("mainmask.commands.doctor.machine.check", lambda _: ())
        monkeypatch.setattr("mainmask.commands.doctor.servers.check", lambda: ())
        monkeypatch.setattr("mainmask.commands.doctor.models.check", lambda _: ())
        return CliRunner().invoke(app, ["doctor", "--data-dir", str(tmp_path), *options])

    return run


def test_all_is_well_enough(doctor: Doctor) -> None:
    """Warnings don't fail; each line has its remedy."""
    result = doctor(GOOD, ODD)
    assert result.exit_code == ExitCode.OK
    assert "→ make room" in result.stdout
    assert "1 ok, 1 warn, 0 fail" in result.stdout


def test_something_fails(doctor: Doctor) -> None:
    """The exit code says so; brackets are no markup."""
    result = doctor(GOOD, BAD)
    assert result.exit_code == ExitCode.JOB_FAILED
    assert "[red] is late" in result.stdout


def test_json(doctor: Doctor) -> None:
    """The findings are all there is on stdout."""
    result = doctor(GOOD, BAD, options=("--json",))
    assert result.exit_code == ExitCode.JOB_FAILED
    assert json.loads(result.stdout) == {
        "checks": [
            {"name": "key", "health": "ok", "says": "is taken", "remedy": ""},
            {"name": "clock", "health": "fail", "says": "[red] is late", "remedy": "set it"},
        ],
        "ok": False,
    }


def test_a_real_one(tmp_path: Path) -> None:
    """Nobody at the address: it fails, and still looks at all the rest."""
    options = ["--url", "http://127.0.0.1:9", "--data-dir", str(tmp_path), "--json"]
    result = CliRunner().invoke(app, ["doctor", *options])
    assert result.exit_code == ExitCode.JOB_FAILED
    checks = {check["name"]: check["health"] for check in json.loads(result.stdout)["checks"]}
    assert checks["service"] == "fail"
    assert checks["model mainmask/tiny-sam"] == "ok"
