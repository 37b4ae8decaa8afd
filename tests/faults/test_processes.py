"""Processes that die, hang or are told to stop while dozens of jobs are in flight."""

import time

import pytest

from db.states import StageName, StageStatus
from tests.faults.site import WORKERS, Site, attempts, errors, stored, wait_until
from worker.leases import HUNG_EXIT_CODE

pytestmark = pytest.mark.faults

CROWD = 24


@pytest.mark.parametrize("stage", list(StageName))
def test_a_worker_is_killed_during_a_stage(site: Site, stage: StageName) -> None:
    """Both workers lose their lives to a job each; another takes the stage up where it was, within ten seconds."""
    site.submit(CROWD)
    victim = site.submit(1, fault=f"kill-in-{stage}")[0]
    wait_until(lambda: not all(map(site.is_running, WORKERS)), 60, "a worker has died")
    seconds = wait_until(lambda: _attempt(victim, stage) == 2, 20, "the stage is taken up again")
    assert seconds < 10
    site.start_all()
    found = site.account()
    others = {job_id: count for job_id, count in attempts(found).items() if job_id != victim}
    assert attempts(found)[victim] == 2
    assert max(others.values()) <= 2


@pytest.mark.parametrize("stage", [StageName.CLASSIFY, StageName.DETECT])
def test_a_worker_is_killed_between_two_stages_of_a_job(site: Site, stage: StageName) -> None:
    """The commit of the one took the other: its lease runs out, and somebody else takes it up."""
    site.submit(CROWD)
    site.submit(1, fault=f"kill-after-{stage}")
    wait_until(lambda: not all(map(site.is_running, WORKERS)), 60, "a worker has died")
    site.start_all()
    site.account()


def test_the_api_is_killed_between_a_commit_and_its_message(site: Site) -> None:
    """The caller got no answer, but the row is there, and runs; jobs accepted before it run too."""
    site.submit(CROWD)
    assert site.submit(1, fault="kill-api") == []
    assert site.wait_for_exit("api") < 0
    site.start("api")
    site.submit(CROWD)
    site.account()


def test_a_job_that_kills_every_worker_fails_and_harms_no_other(site: Site) -> None:
    """The poison job is failed after its attempts; all others succeed, though their workers died under them."""
    site.submit(CROWD)
    poison = site.submit(1, fault="poison-in-detect")
    deadline = time.monotonic() + 180
    while stored(poison[0]).error is None:
        assert time.monotonic() < deadline
        site.start_all()
        time.sleep(0.5)
    site.start_all()
    found = site.account(failed=poison)
    assert errors(found)[poison[0]]["type"] == "worker-lost"


def test_a_stage_that_hangs_ends_its_process(site: Site) -> None:
    """The watchdog ends the worker with its exit code and says why; the job is taken over and succeeds."""
    site.submit(CROWD)
    victim = site.submit(1, fault="hang-in-segment")[0]
    wait_until(lambda: not all(map(site.is_running, WORKERS)), 60, "the watchdog has ended a worker")
    hung = next(name for name in WORKERS if not site.is_running(name))
    assert site.wait_for_exit(hung) == HUNG_EXIT_CODE
    assert f"segment of job {victim} has passed its deadline" in site.log(hung)
    site.start_all()
    site.account()


def test_a_storage_that_fails_half_way_leaves_whole_results(site: Site) -> None:
    """One picture was stored and the next was not: the stage is tried again, and all pictures are whole."""
    site.submit(CROWD)
    victim = site.submit(1, fault="half-put")[0]
    assert attempts(site.account())[victim] == 2


def test_workers_are_told_to_stop(site: Site) -> None:
    """SIGTERM in mid-flight: what runs is finished or handed back, no attempt is lost, others go on at once."""
    site.submit(CROWD)
    site.stop(WORKERS[0])
    site.start_all()
    assert set(attempts(site.account()).values()) == {1}


def test_beat_and_the_maintenance_worker_are_killed(site: Site) -> None:
    """Without them jobs run as ever; started again, they take over what was left meanwhile."""
    site.kill("beat", "maintenance")
    site.submit(CROWD)
    victim = site.submit(1, fault="kill-in-classify")[0]
    wait_until(lambda: not all(map(site.is_running, WORKERS)), 60, "a worker has died")
    site.start_all()
    assert attempts(site.account())[victim] == 2


def test_webhooks_are_killed(site: Site) -> None:
    """Whatever they had in hand, and what ended without them, is told of once they are there again."""
    site.submit(CROWD)
    for _ in range(3):
        _wait_for_a_webhook(site)
        site.kill("webhooks")
        site.submit(CROWD)
        site.start("webhooks")
    site.account()


def test_everything_is_killed_at_once(site: Site) -> None:
    """All processes and all servers die in mid-flight; started again, they end every job that was accepted."""
    site.submit(2 * CROWD)
    site.kill("api", *WORKERS, "maintenance", "webhooks", "beat", "redis", "s3", "postgres")
    site.start_all()
    site.account()


def _wait_for_a_webhook(site: Site) -> None:
    before = len(site.receiver.heard)
    wait_until(lambda: len(site.receiver.heard) > before, 60, "another webhook arrives")


def _attempt(job_id: str, name: StageName) -> int:
    stage = next(stage for stage in stored(job_id).stages if stage.name is name)
    return stage.attempts if stage.status is not StageStatus.QUEUED else 0
