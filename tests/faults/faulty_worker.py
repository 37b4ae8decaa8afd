"""The worker with faults that a job asks for in its metadata (`{"fault": "kill-in-detect"}`); all else is the real one.

- `kill-in-STAGE`: SIGKILL of the process while it runs the stage, at the first attempt.
- `poison-in-STAGE`: the same at every attempt.
- `hang-in-STAGE`: the first attempt never ends; the deadline of every stage is short here.
- `kill-after-STAGE`: SIGKILL right after the stage's commit, which took the next stage, too.
- `half-put`: the first attempt's second picture can't be stored.
"""

import os
import signal
import time
from dataclasses import replace
from typing import Any, NoReturn
from uuid import UUID

from db.claims import Claim
from db.errors import StorageUnavailable
from db.models import Job
from db.states import StageName
from db.storage import ObjectStore
from tests.faults import audit
from worker import runs, stages
from worker.app import app
from worker.retries import POLICIES
from worker.runtime import Runtime

__all__ = ["app"]

HASTY_DEADLINE_SECONDS = 30.0
"""Longer than the outages, shorter than a test likes to wait for the real one."""

POLICIES.update({name: replace(policy, deadline_seconds=HASTY_DEADLINE_SECONDS) for name, policy in POLICIES.items()})

run, put = stages.run, ObjectStore.put
take, save = runs.take, runs.save
faults: dict[UUID, str] = {}
pictures: dict[str, int] = {}


def die() -> NoReturn:
    """As the kernel's out-of-memory killer ends a process: without a word."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def run_with_faults(name: StageName, job: Job, runtime: Runtime) -> stages.StageOutput:
    """The stage, or the fault that its job asks for."""
    fault = str(job.caller_metadata.get("fault", ""))
    attempt = next(stage.attempts for stage in job.stages if stage.name is name)
    # A second attempt may run in another process, which has stored no picture of the job yet.
    faults[job.id] = "" if fault == "half-put" and attempt > 1 else fault
    if fault == f"poison-in-{name}" or (fault == f"kill-in-{name}" and attempt == 1):
        die()
    if fault == f"hang-in-{name}" and attempt == 1:
        time.sleep(3600)
    return run(name, job, runtime)


def put_with_faults(store: ObjectStore, key: str, body: Any, content_type: str) -> None:
    """The object, unless it is the second one of a job whose storage fails half-way."""
    job = key.split("/")[1]
    pictures[job] = pictures.get(job, 0) + 1
    if faults.get(UUID(job)) == "half-put" and pictures[job] == 2:
        raise StorageUnavailable("put")
    put(store, key, body, content_type)


def take_on_record(name: StageName, job_id: UUID, *, suspect: bool) -> tuple[Claim, Job] | None:
    """The claim, noted once it is committed."""
    taken = take(name, job_id, suspect=suspect)
    if taken:
        audit.note("taken", taken[0])
    return taken


def save_on_record(claim: Claim, job: Job, output: stages.StageOutput, *, keeps: bool) -> runs.Saved | None:
    """The result, noted once it is committed, with the claim on the next stage; unless this process dies of it."""
    saved = save(claim, job, output, keeps=keeps)
    if saved:
        audit.note("completed", claim)
        if saved.claim:
            audit.note("taken", saved.claim)
        if faults.pop(claim.job_id, "") == f"kill-after-{claim.name}":
            die()
    return saved


runs.take = take_on_record
runs.save = save_on_record
stages.run = run_with_faults
ObjectStore.put = put_with_faults  # type: ignore[method-assign,assignment] # for this process
