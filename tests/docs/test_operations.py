"""What docs/operations.md says of settings, Postgres and backups is so."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Engine, QueuePool, delete, make_url, text

from db import jobs
from db.models import Job
from db.session import session_factory
from db.settings import Settings, settings
from mainmask.stack.postgres import Postgres, programs_folder
from tests.docker.database import Database, connected, database
from tests.docs.handbook import page, section
from tests.new_jobs import new_job

PAGE = page("operations.md")


def blocks(language: str) -> list[str]:
    """The page's blocks of code in this language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_defaults_are_the_codes() -> None:
    """Of each setting that is worth turning."""
    rows = re.findall(r"^\| `MAINMASK_(\w+)` \| (\d+) \|", section(PAGE, "## Tuning"), re.MULTILINE)
    assert len(rows) >= 10
    for name, default in rows:
        assert float(default) == Settings.model_fields[name.lower()].default, name


def test_a_process_opens_no_more_connections_than_it_says(migrated: None) -> None:
    """The pool's size and its overflow."""
    with session_factory()() as session:
        pool = cast("Engine", session.get_bind()).pool
    assert isinstance(pool, QueuePool)
    assert f"up to {pool.size() + pool._max_overflow} for each process" in PAGE


def test_the_queries_show_the_queue(migrated: None) -> None:
    """As they stand there: they run, and find a job that waits."""
    with session_factory().begin() as session:
        session.execute(delete(Job))  # the longest lines are shown, and other tests left some
        job = jobs.create(session, new_job(tenant="the-tenant-that-waits"))
    (block,) = blocks("sql")
    stages, tenants, receivers = [statement for statement in block.split(";") if statement.strip()]
    with session_factory()() as session:
        found = {(row.name, row.status): row for row in session.execute(text(stages))}
        assert found["classify", "queued"].due >= 1
        assert "the-tenant-that-waits" in {row.tenant for row in session.execute(text(tenants))}
        session.execute(text(receivers))
    with session_factory().begin() as session:
        jobs.delete(session, [job.id])


@pytest.fixture
def source(migrated: None) -> Iterator[str]:
    """The address of a database in which one job waits."""
    with session_factory().begin() as session:
        job = jobs.create(session, new_job())
    yield settings().database_url
    with session_factory().begin() as session:
        jobs.delete(session, [job.id])


@pytest.fixture
def target(postgres: Postgres) -> Iterator[Database]:
    """A new database with its roles."""
    with database(postgres) as found:
        yield found


def libpq(url: str) -> str:
    """As Postgres's own programs take it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def test_a_dump_is_restored(source: str, target: Database, tmp_path: Path) -> None:
    """By the commands that stand there; the processes' role can then read and write, and change nothing else."""
    (commands,) = [block for block in blocks("sh") if "pg_restore" in block]
    environment = {
        **os.environ,
        "PATH": f"{programs_folder()}{os.pathsep}{os.environ['PATH']}",
        "OWNER_DATABASE_URL": libpq(source),
        "NEW_OWNER_DATABASE_URL": libpq(target.owner),
    }
    done = subprocess.run(
        ["sh", "-ec", commands], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    with connected(source) as before, connected(target.app) as after:
        count = text("SELECT count(*) FROM stages")
        assert after.scalar(count) == before.scalar(count)
        after.execute(text("DELETE FROM stages"))
        assert after.scalar(text("SELECT has_schema_privilege('public', 'CREATE')")) is False
