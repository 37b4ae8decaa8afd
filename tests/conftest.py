"""One real Postgres, Redis and S3 for a whole test session, started by the first test that asks for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from db.settings import settings as read_settings
from mainmask.stack.interruptions import Interruptions
from mainmask.stack.postgres import Postgres
from mainmask.stack.redis import Redis
from mainmask.stack.s3 import S3
from mainmask.stack.settings import settings
from mainmask.stack.stack import Stack
from migrations.schema import upgrade
from tests import servers


@pytest.fixture(scope="session")
def servers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the session's servers keep data, logs and pid files."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def postgres(servers_folder: Path) -> Iterator[Postgres]:
    """The session's Postgres server."""
    with servers.postgres(servers_folder) as server:
        yield server


@pytest.fixture(scope="session")
def redis(servers_folder: Path) -> Iterator[Redis]:
    """The session's Redis server."""
    with servers.redis(servers_folder) as server:
        yield server


@pytest.fixture(scope="session")
def s3(servers_folder: Path) -> Iterator[S3]:
    """The session's S3 server: `endpoint_url`, `access_key_id`, `secret_access_key`, `bucket`, `region`."""
    with servers.s3(servers_folder) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """An empty database, for SQLAlchemy; the schema is the business of the tests that need one."""
    return postgres.url


@pytest.fixture(scope="session")
def redis_url(redis: Redis) -> str:
    """Database 0 of the session's Redis."""
    return redis.url


@pytest.fixture(scope="session")
def environment(postgres: Postgres, redis: Redis, s3: S3) -> Iterator[dict[str, str]]:
    """The settings that lead to the session's servers, also put into this process's own environment.

    Into the environment, because `db.settings` reads them there, once: what an import may have read before is
    forgotten here. Not automatically for every test, because most need no server.
    """
    # Without keys: the tests of the keys turn them on.
    variables = {**settings(postgres, redis, s3), "MAINMASK_AUTH": "false", "MAINMASK_PROFILE": "tiny"}
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MAINMASK_ADMIN_KEY", raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        read_settings.cache_clear()
        yield variables


@pytest.fixture(scope="session")
def migrated(environment: dict[str, str]) -> None:
    """The session's database has the newest schema."""
    upgrade()


@pytest.fixture(scope="session")
def stack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stack keeps its data and logs."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="session")
def stack(stack_folder: Path) -> Iterator[Stack]:
    """The whole service as `mainmask up` runs it, on free ports: servers, API, worker with the tiny models, Flower."""
    with pytest.MonkeyPatch.context() as patch, Interruptions() as interruptions:
        patch.setenv("FLOWER_UNAUTHENTICATED_API", "true")
        with Stack(stack_folder, 0, 0, print, interruptions) as running:
            yield running
