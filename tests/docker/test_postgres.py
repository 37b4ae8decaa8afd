"""The roles that docker/postgres/ makes can do what their processes do, and nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from db import claims, jobs, load, loaded_profiles
from db.claims import Holder
from db.models import Base
from db.states import StageName
from mainmask.stack.postgres import Postgres
from tests.docker.database import Database, connected, database
from tests.docker.deployment import DOCKER, ROOT, manifests, named
from tests.new_jobs import new_job

[TRIGGER] = named(manifests("overlays/gpu"), "ScaledObject")["worker"]["spec"]["triggers"]


@pytest.fixture(scope="module", params=[None, "admin_of_a_cloud"], ids=["by a superuser", "by another role"])
def deployed(postgres: Postgres, request: pytest.FixtureRequest) -> Iterator[Database]:
    """The roles, and the schema as the migrations' job makes it."""
    with database(postgres, administrator=request.param) as found:
        environment = {**os.environ, "MAINMASK_DATABASE_URL": found.owner}
        command = [sys.executable, "-m", "migrations"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found.run_script(DOCKER / "postgres" / "scaler.sql")
        yield found


@pytest.fixture
def session(deployed: Database) -> Iterator[Session]:
    """As the processes' role; rolled back at its end."""
    with Session(create_engine(deployed.app, poolclass=NullPool), expire_on_commit=False) as opened:
        yield opened
        opened.rollback()


def test_the_processes_role_takes_a_job_from_its_submission_to_its_removal(session: Session) -> None:
    """Inserts, claims, results, advisory locks and deletes."""
    new = new_job()
    load.take_turns(session, new.tenant)
    jobs.create(session, new)
    loaded_profiles.announce(session, "tiny", {})
    claim = claims.take(session, new.id, StageName.CLASSIFY, Holder("here", 60), suspect=False)
    assert claim is not None
    jobs.start(session, new.id)
    assert claims.complete(session, claim, {"candidates": []}, {"name": "a model"}, hand_on_to=StageName.DETECT)
    assert jobs.get(session, new.id).stages[0].result == {"candidates": []}
    jobs.delete(session, [new.id])
    assert not session.scalar(text("SELECT count(*) FROM stages"))


@pytest.mark.parametrize("table", sorted(Base.metadata.tables))
def test_the_processes_role_reads_and_writes_the_rows_of_every_table(deployed: Database, table: str) -> None:
    """Also of those that a later migration adds: the owner's default privileges say so."""
    with connected(deployed.app) as connection:
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            assert connection.scalar(
                text("SELECT has_table_privilege(:table, :right)"), {"table": table, "right": right}
            )


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "DROP TABLE jobs",
        "TRUNCATE jobs CASCADE",
        "ALTER TABLE jobs ADD COLUMN mine int",
        "CREATE ROLE mine",
        "SET ROLE mainmask_owner",
    ],
)
def test_the_processes_role_changes_nothing_but_rows(deployed: Database, statement: str) -> None:
    """Whoever gets hold of its password has no way to more."""
    with connected(deployed.app) as connection, pytest.raises(ProgrammingError, match=r"denied|must be owner"):
        connection.execute(text(statement))


@pytest.mark.parametrize("statement", ["SELECT * FROM jobs", "SELECT result FROM stages", "DELETE FROM stages"])
def test_the_scaler_s_role_sees_no_more_than_it_asks_for(deployed: Database, statement: str) -> None:
    """It counts seconds, and reads nobody's words."""
    with connected(deployed.scaler) as connection, pytest.raises(ProgrammingError, match="denied"):
        connection.execute(text(statement))


def age_seconds(deployed: Database) -> float:
    """What KEDA is answered."""
    with connected(deployed.scaler) as connection:
        [[age]] = connection.execute(text(TRIGGER["metadata"]["query"])).all()
    return float(age)


def test_keda_is_told_how_long_the_oldest_stage_has_been_due(deployed: Database) -> None:
    """Neither a stage that waits for its next attempt nor one that runs counts; nothing that waits is 0 seconds."""
    engine = create_engine(deployed.app, poolclass=NullPool)
    waits, runs, later = new_job(), new_job(), new_job()
    with Session(engine) as opened, opened.begin():
        for new in (waits, runs, later):
            jobs.create(opened, new)
        assert claims.take(opened, runs.id, StageName.CLASSIFY, Holder("here", 60), suspect=False)
        for new, age in ((waits, "90 s"), (runs, "500 s"), (later, "-500 s")):
            move = text("UPDATE stages SET due_at = clock_timestamp() - CAST(:age AS interval) WHERE job_id = :id")
            opened.execute(move, {"age": age, "id": new.id})
    assert 90 <= age_seconds(deployed) < 150
    with Session(engine) as opened, opened.begin():
        jobs.delete(opened, [waits.id, runs.id, later.id])
    assert age_seconds(deployed) == 0
