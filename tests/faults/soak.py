"""`make soak MINUTES=5`: random faults under a steady load, and an account of every job at the end."""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from tqdm import tqdm

from db.models import Job
from db.states import TERMINAL, JobStatus
from tests.faults import audit
from tests.faults.audit import Strike
from tests.faults.environment import looking_at
from tests.faults.site import WORKERS, Site, check_stored, stored, wait_until

LONGEST_OUTAGE_SECONDS = 5.0
PAUSE_SECONDS = (2.0, 7.0)
DRAIN_SECONDS = 180.0
JOB_FAULTS = ("kill-in-classify", "kill-in-detect", "kill-in-segment", "kill-after-classify", "kill-after-detect")
JOB_FAULT_SHARE = 0.03


def _kill(*names: str) -> Callable[[Site, random.Random], float]:
    """SIGKILL, and a start some time later; others can go on at once."""

    def fault(site: Site, chance: random.Random) -> float:
        over_at = time.time()
        site.kill(*names)
        time.sleep(chance.uniform(0, LONGEST_OUTAGE_SECONDS))
        return over_at

    return fault


def _lose(*names: str) -> Callable[[Site, random.Random], float]:
    """SIGKILL of something without which nothing goes on until it is there again."""

    def fault(site: Site, chance: random.Random) -> float:
        site.kill(*names)
        time.sleep(chance.uniform(0, LONGEST_OUTAGE_SECONDS))
        site.start_all()
        return time.time()

    return fault


def _freeze(name: str) -> Callable[[Site, random.Random], float]:
    """A server that takes connections and doesn't answer."""

    def fault(site: Site, chance: random.Random) -> float:
        site.freeze(name, chance.uniform(1, LONGEST_OUTAGE_SECONDS))
        return time.time()

    return fault


def _stop_worker(site: Site, chance: random.Random) -> float:
    site.stop(chance.choice(WORKERS))
    return time.time()


def _restart_postgres(site: Site, _: random.Random) -> float:
    site.stop("postgres")
    site.start("postgres")
    return time.time()


def _wipe_redis(site: Site, _: random.Random) -> float:
    with redis.Redis.from_url(site.environment["MAINMASK_REDIS_URL"]) as client:
        client.flushall()
    return time.time()


FAULTS: dict[str, Callable[[Site, random.Random], float]] = {
    "worker killed": _kill(WORKERS[0]),
    "other worker killed": _kill(WORKERS[1]),
    "both workers killed": _lose(*WORKERS),
    "worker told to stop": _stop_worker,
    "API killed": _kill("api"),
    "beat and maintenance killed": _lose("beat", "maintenance"),
    "webhooks killed": _kill("webhooks"),
    "Redis wiped": _wipe_redis,
    "Redis killed": _lose("redis"),
    "Redis frozen": _freeze("redis"),
    "Postgres killed": _lose("postgres"),
    "Postgres restarted": _restart_postgres,
    "Postgres frozen": _freeze("postgres"),
    "S3 killed": _lose("s3"),
    "S3 frozen": _freeze("s3"),
    "everything killed": _lose("api", *WORKERS, "maintenance", "webhooks", "beat", "redis", "s3", "postgres"),
}


class Load:
    """Submissions at a steady rate from a thread of its own, whatever happens to the service."""

    def __init__(self, site: Site, per_second: float, chance: random.Random) -> None:
        self._site, self._per_second, self._chance = site, per_second, chance
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._submit_steadily, name="load")
        self.refused = 0

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _submit_steadily(self) -> None:
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            # What an outage held up is not made up for: that would be another load.
            due = max(due, time.monotonic()) + 1 / self._per_second
            fault = self._chance.choice(JOB_FAULTS) if self._chance.random() < JOB_FAULT_SHARE else ""
            if not self._site.submit(1, fault=fault):
                self.refused += 1


@dataclass
class Account:
    """What became of every job that was answered 202."""

    strikes: list[Strike]
    refused: int
    jobs: list[Job] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    records: list[audit.Record] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    """Jobs whose ends the receiver of their webhooks has not heard of."""
    forged: int = 0
    """Webhooks that were not signed as they must be."""
    repeated: int = 0
    """Webhooks that came again, as they may."""

    @property
    def lost(self) -> int:
        """Jobs that haven't ended."""
        return sum(job.status not in TERMINAL for job in self.jobs)

    @property
    def duplicated(self) -> int:
        """Stages whose result was committed more than once."""
        return len(audit.completed_twice(self.records))

    @property
    def is_clean(self) -> bool:
        """Nothing lost, nothing done twice, nothing half done, nothing left untold."""
        return not (self.lost or self.duplicated or self.incomplete or self.untold or self.forged)

    def __str__(self) -> str:
        seconds = sorted(second for strike in self.strikes for second in audit.recovery_seconds(self.records, strike))
        ended = Counter(str(job.status) for job in self.jobs if job.status in TERMINAL)
        causes = Counter(str((job.error or {}).get("type")) for job in self.jobs if job.status is JobStatus.FAILED)
        kinds = Counter(strike.name for strike in self.strikes)
        lines = {
            "faults": f"{len(self.strikes)}: {_listed(kinds)}",
            "refused": f"{self.refused} submissions, while the API, Postgres or S3 was away",
            "accepted": f"{len(self.jobs)}",
            "finished": f"{sum(ended.values())}: {_listed(ended)}{' by ' + _listed(causes) if causes else ''}",
            "lost": f"{self.lost}",
            "duplicated": f"{self.duplicated}",
            "incomplete": f"{len(self.incomplete)}",
            "webhooks": f"{len(self.jobs) - len(self.untold)} delivered, {len(self.untold)} missing, "
            f"{self.repeated} repeated, {self.forged} forged",
            "recovery": f"p50 {quantile(seconds, 0.5):.1f} s, p99 {quantile(seconds, 0.99):.1f} s of {len(seconds)}",
        }
        return "\n".join(f"{name:<11}{text}" for name, text in lines.items())


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def quantile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank quantile of values in ascending order; NaN of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def soak(site: Site, minutes: float, per_second: float, seed: int) -> Account:
    """Break the site at random for that long, mend it, wait for what is unfinished, and take account."""
    chance = random.Random(seed)
    ends_at = time.monotonic() + minutes * 60
    strikes = []
    with Load(site, per_second, random.Random(seed + 1)) as load, _bar(minutes) as bar:
        while (left := ends_at - time.monotonic()) > 0:
            bar.update(round(minutes * 60 - left) - bar.n)
            time.sleep(min(left, chance.uniform(*PAUSE_SECONDS)))
            name = chance.choice(list(FAULTS))
            bar.set_postfix_str(name)
            struck_at = time.time()
            strikes.append(Strike(name, struck_at, FAULTS[name](site, chance)))
            site.start_all()
    account = Account(strikes, load.refused)
    _drain(site)
    account.jobs = [stored(job_id) for job_id in site.accepted]
    account.incomplete = [str(job.id) for job in account.jobs if not _is_whole(job)]
    account.records = audit.read(site.audit)
    account.untold = site.untold(account.jobs)
    account.forged, account.repeated = len(site.receiver.forged()), site.receiver.repeated()
    return account


def _bar(minutes: float) -> "tqdm[Any]":
    return tqdm(total=round(minutes * 60), unit="s", desc="soak", disable=not sys.stderr.isatty())


def _drain(site: Site) -> None:
    """Until all have ended and been told of, or not for so long that those left count as lost."""

    def are_over() -> bool:
        site.start_all()
        found = [stored(job_id) for job_id in site.accepted]
        return all(job.status in TERMINAL for job in found) and not site.untold(found)

    try:
        wait_until(are_over, DRAIN_SECONDS, "all have ended")
    except AssertionError:
        return


def _is_whole(job: Job) -> bool:
    try:
        check_stored(job)
    except Exception:  # noqa: BLE001 - whatever is wrong with it
        return job.status is not JobStatus.SUCCEEDED
    return True


def main() -> int:
    """Run it and print the account; 1 when anything was lost, done twice or half done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="for how long")
    parser.add_argument("--rate", type=float, default=1.0, help="submissions a second")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of the chance")
    options = parser.parse_args()
    print(f"soak       {options.minutes:g} min, {options.rate:g} submissions a second, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        with looking_at(site), site:
            account = soak(site, options.minutes, options.rate, options.seed)
    print(account)
    return 0 if account.is_clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
