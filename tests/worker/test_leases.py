"""Leases over the real Postgres: renewed while the work goes on, ended when it hangs, handed back on a stop."""

import time
from dataclasses import replace
from unittest.mock import Mock

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from db import claims, jobs, sweep
from db.claims import Claim, Holder
from db.session import session_factory
from db.states import StageName
from tests.new_jobs import new_job
from worker import leases as leases_module
from worker.leases import Leases
from worker.retries import POLICIES


@pytest.fixture
def claim(migrated: None) -> Claim:
    """A claim on a new job's first stage, leased for half a second."""
    new = new_job()
    with session_factory().begin() as session:
        jobs.create(session, new)
        taken = claims.take(session, new.id, StageName.CLASSIFY, Holder("here", 0.5), suspect=False)
    assert taken is not None
    return taken


def is_expired(claim: Claim) -> bool:
    """The sweep would take it over."""
    with session_factory()() as session:
        return claim in sweep.expired_claims(session, 1000)


def test_a_lease_is_renewed_while_it_is_held_and_no_longer(claim: Claim) -> None:
    """Held for several times its length, the lease never runs out; left, it does."""
    leases = Leases(session_factory(), lease_seconds=0.5)
    leases.start()
    try:
        with leases.held(claim):
            for _ in range(6):
                time.sleep(0.25)
                assert not is_expired(claim)
        time.sleep(0.8)
        assert is_expired(claim)
    finally:
        leases.stop()


def test_a_run_past_its_deadline_ends_the_process(
    claim: Claim, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A call that hangs can't be stopped from within: the process ends, and its log says which job and why."""
    ended: list[bool] = []
    hasty = {**POLICIES, StageName.CLASSIFY: replace(POLICIES[StageName.CLASSIFY], deadline_seconds=0.1)}
    monkeypatch.setattr(leases_module, "POLICIES", hasty)
    leases = Leases(session_factory(), lease_seconds=60, end=lambda: ended.append(True))
    with leases.held(claim):
        leases.check()
        assert not ended
        time.sleep(0.2)
        leases.check()
    assert ended
    assert f"classify of job {claim.job_id} has passed its deadline" in caplog.text
    assert "exit code 75" in caplog.text


def test_a_takeover_is_noticed(claim: Claim, caplog: pytest.LogCaptureFixture) -> None:
    """The holder of a claim that somebody took over is told in the log."""
    leases = Leases(session_factory(), lease_seconds=60)
    with session_factory().begin() as session:
        session.execute(text("UPDATE stages SET token = token + 1 WHERE job_id = :id"), {"id": claim.job_id})
    with leases.held(claim):
        leases.check()
    assert "was taken over" in caplog.text


def test_what_is_held_is_handed_back(claim: Claim) -> None:
    """On a stop, what runs goes back to the queue, to be claimed at once; nothing is held any more."""
    leases = Leases(session_factory(), lease_seconds=60)
    with leases.held(claim):
        assert leases.hand_back() == [claim]
        assert leases.hand_back() == []
    with session_factory().begin() as session:
        assert claims.take(session, claim.job_id, claim.name, Holder("there", 60), suspect=False) is not None


def test_what_met_an_outage_is_handed_back(claim: Claim, caplog: pytest.LogCaptureFixture) -> None:
    """Its attempt doesn't count, its lease isn't waited for, and its message is sent again."""
    leases = Leases(session_factory(), lease_seconds=60)
    leases.give_up(claim)
    leases.check()
    with session_factory().begin() as session:
        again = claims.take(session, claim.job_id, claim.name, Holder("there", 60), suspect=False)
    assert again is not None
    assert again.attempt == claim.attempt
    leases.check()
    assert not is_expired(again)


def test_what_met_an_outage_waits_for_its_end(claim: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is away the claim is kept, and handed back when it is there again."""
    leases = Leases(session_factory(), lease_seconds=60)
    leases.give_up(claim)
    with monkeypatch.context() as outage:
        outage.setattr(claims, "renew", Mock(side_effect=OperationalError("", {}, Exception())))
        leases.check()
    assert leases.hand_back() == [claim]
