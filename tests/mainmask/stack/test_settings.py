"""What the local stack tells its processes."""

from pathlib import Path

import pytest

from mainmask.stack.postgres import Postgres
from mainmask.stack.redis import Redis
from mainmask.stack.s3 import S3
from mainmask.stack.settings import settings


@pytest.mark.parametrize(("wanted", "told"), [(None, "false"), ("true", "true")])
def test_callers_need_no_keys_unless_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str | None, told: str
) -> None:
    """Only this machine reaches the stack; who wants to try keys on it says so in the environment."""
    if wanted:
        monkeypatch.setenv("MAINMASK_AUTH", wanted)
    servers = Postgres(tmp_path, "password"), Redis(tmp_path, "password"), S3(tmp_path, "key", "secret")
    assert settings(*servers)["MAINMASK_AUTH"] == told
