"""A state machine over jobs and claims: in whatever order things happen, no job is lost and none runs twice at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from db import claims, jobs, sweep
from db.claims import Claim, Holder
from db.errors import WorkerLost
from db.models import Stage
from db.session import session_factory
from db.states import TERMINAL, JobStatus, Outcome, StageName, StageStatus
from tests.new_jobs import new_job

RESULT: dict[str, Any] = {"boxes": []}
CARD = {"name": "a model", "revision": "1", "license": "MIT"}
ERROR = {"type": "storage-unavailable", "message": "away"}
LOST = {"type": WorkerLost.code, "message": "lost"}
CLAIMERS = 3
IN_FLIGHT = {StageStatus.QUEUED, StageStatus.RUNNING}


@dataclass
class Known:
    """What must be true of one job."""

    holders: dict[StageName, Claim] = field(default_factory=dict)
    """Who holds which stage, by all that was answered so far."""
    ended: bool = False


HOLDER = Holder("here", 3600)


def take(session: Session, job_id: UUID, name: StageName) -> Claim | None:
    """Claim the stage as a worker does, suspect or not."""
    for suspect in (False, True):
        if claim := claims.take(session, job_id, name, HOLDER, suspect=suspect):
            jobs.start(session, job_id)
            return claim
    return None


class Interleavings(RuleBasedStateMachine):
    """Callers, workers and sweeps, in any order; old claims are kept to be used again when they are stale."""

    job_ids = Bundle("job_ids")
    old_claims = Bundle("old_claims")

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[UUID, Known] = {}

    def committed(self, action: Callable[[Session], Any]) -> Any:
        """What the action gives, in a transaction of its own."""
        with session_factory().begin() as session:
            return action(session)

    @initialize(target=job_ids)
    def submit(self) -> Any:
        """Callers submit. Two jobs: the more there are, the fewer things happen to each."""
        submitted = [uuid7(), uuid7()]
        for job_id in submitted:
            new = new_job(id=job_id)
            self.committed(partial(jobs.create, new=new))
            self.known[job_id] = Known()
        return multiple(*submitted)

    @rule(target=old_claims, job_id=job_ids)
    def claim_at_once(self, job_id: UUID) -> Any:
        """Several workers get the same message in the same instant: at most one gets the stage."""
        found = self.committed(lambda session: jobs.get(session, job_id))
        return self.race(job_id, next((stage.name for stage in found.stages if stage.status in IN_FLIGHT), None))

    @rule(target=old_claims, job_id=job_ids, name=st.sampled_from(StageName))
    def claim_any(self, job_id: UUID, name: StageName) -> Any:
        """A message comes that should not: late, early, or for a job that has ended."""
        return self.race(job_id, name)

    def race(self, job_id: UUID, name: StageName | None) -> Any:
        """What one of several claimers gets; nothing where there is nothing to get."""
        if name is None:
            return multiple()
        barrier = Barrier(CLAIMERS)

        def attempt(_: int) -> Claim | None:
            barrier.wait(5)
            claim: Claim | None = self.committed(lambda session: take(session, job_id, name))
            return claim

        with ThreadPoolExecutor(CLAIMERS) as workers:
            won = [claim for claim in workers.map(attempt, range(CLAIMERS)) if claim]
        assert len(won) <= 1
        if not won:
            return multiple()
        known = self.known[job_id]
        assert not known.ended
        assert name not in known.holders
        known.holders[name] = won[0]
        return won[0]

    def holds(self, claim: Claim) -> bool:
        """The claim is the current one, by all that was answered."""
        return self.known[claim.job_id].holders.get(claim.name) == claim

    def left(self, claim: Claim, was_accepted: bool) -> None:
        """A write is accepted from the holder, and from nobody else; after it the stage is held no more."""
        assert was_accepted is self.holds(claim)
        if was_accepted:
            del self.known[claim.job_id].holders[claim.name]

    @rule(claim=old_claims, found=st.booleans())
    def complete(self, claim: Claim, found: bool) -> None:
        """A worker stores a result, and hands on or ends the job."""

        def save(session: Session) -> bool:
            next_stage = claim.name.next if found else None
            if not claims.complete(session, claim, RESULT, CARD, hand_on_to=next_stage):
                return False
            if next_stage is None:
                outcome = Outcome.FOUND if found else Outcome.NOT_FOUND
                jobs.succeed(session, claim.job_id, claim.name, outcome, "cat")
            return True

        accepted = self.committed(save)
        self.left(claim, accepted)
        self.known[claim.job_id].ended |= accepted and not (claim.name.next and found)

    @rule(target=old_claims, claim=old_claims)
    def keep(self, claim: Claim) -> Any:
        """A worker stores a result, and goes on with the job itself."""
        following = claim.name.next
        if following is None:
            return multiple()
        kept: Claim | None = self.committed(lambda session: claims.keep(session, claim, RESULT, CARD, HOLDER))
        self.left(claim, kept is not None)
        if kept is None:
            return multiple()
        self.known[claim.job_id].holders[following] = kept
        return kept

    @rule(claim=old_claims)
    def retry(self, claim: Claim) -> None:
        """A worker meets an outage."""
        self.left(claim, self.committed(lambda session: claims.retry(session, claim, ERROR, 0)))

    @rule(claim=old_claims)
    def fail(self, claim: Claim) -> None:
        """A worker meets what can't succeed."""

        def end(session: Session) -> bool:
            failed = claims.fail(session, claim, ERROR)
            if failed:
                jobs.fail(session, claim.job_id, claim.name, ERROR)
            return failed

        accepted = self.committed(end)
        self.left(claim, accepted)
        self.known[claim.job_id].ended |= accepted

    @rule(claim=old_claims)
    def hand_back(self, claim: Claim) -> None:
        """A worker stops in order."""
        self.left(claim, bool(self.committed(lambda session: claims.hand_back(session, [claim]))))

    @rule(claim=old_claims)
    def renew(self, claim: Claim) -> None:
        """A worker renews: it learns the truth."""
        assert (claim in self.committed(lambda session: claims.renew(session, [claim], 3600))) is self.holds(claim)

    @rule(claim=old_claims)
    def lose_worker_and_sweep(self, claim: Claim) -> None:
        """A worker is silent until its lease runs out, and a sweep takes the stage over."""
        self.committed(lambda session: claims.renew(session, [claim], -1))

        def take_over(session: Session) -> list[Claim]:
            expired = sweep.expired_claims(session, 1000)
            return [lost for lost in expired if claims.retry(session, lost, LOST, 0)]

        self.left(claim, claim in self.committed(take_over))

    @rule(job_id=job_ids, really=st.integers(0, 3).map(lambda number: number == 0))
    def cancel(self, job_id: UUID, really: bool) -> None:
        """A caller cancels, not too often: it works until the job has ended, and takes every claim away."""
        if not really:
            return
        known = self.known[job_id]
        assert self.committed(lambda session: jobs.cancel(session, job_id)) is not known.ended
        known.ended = True
        known.holders.clear()

    @rule(job_id=job_ids)
    def requeue(self, job_id: UUID) -> None:
        """A caller retries: it works for failed jobs alone."""
        before = self.committed(lambda session: jobs.get(session, job_id)).status
        stage = self.committed(lambda session: jobs.requeue(session, job_id))
        assert (stage is not None) is (before is JobStatus.FAILED)
        if stage:
            self.known[job_id].ended = False

    @invariant()
    def no_job_is_lost(self) -> None:
        """A job that hasn't ended has exactly one stage in flight, after finished ones; an ended job has none."""
        with session_factory()() as session:
            for job_id, known in self.known.items():
                job = jobs.get(session, job_id)
                assert (job.status in TERMINAL) is known.ended
                in_flight = [stage for stage in job.stages if stage.status in IN_FLIGHT]
                assert len(in_flight) == (0 if known.ended else 1)
                self._check_stages(job.stages, in_flight)

    @staticmethod
    def _check_stages(stages: list[Stage], in_flight: list[Stage]) -> None:
        for stage in in_flight:
            assert all(before.status is StageStatus.SUCCEEDED for before in stages[: stage.position])
            assert all(after.status is StageStatus.PENDING for after in stages[stage.position + 1 :])
            assert (stage.lease_expires_at is not None) is (stage.status is StageStatus.RUNNING)
            assert None not in (stage.due_at, stage.sent_at)


@pytest.mark.usefixtures("migrated")
def test_no_interleaving_loses_a_job_or_runs_a_stage_twice() -> None:
    """Hypothesis looks for an order of events that breaks the promises, and finds none."""
    run_state_machine_as_test(
        Interleavings,
        settings=settings(
            max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
