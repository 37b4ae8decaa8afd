"""What the job machinery costs: durable stages against no-ops, more workers, more threads, a full table, the models."""

import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

from db import jobs
from db.session import session_factory
from mainmask import Client
from mainmask.stack.ports import LOOPBACK, free_port
from mainmask.stack.services import Services
from tests import servers
from tests.benchmarks import by_hand, calls
from tests.benchmarks.figures import Figure, Goal
from tests.benchmarks.pictures import LABELS, pictures, small_pictures
from tests.benchmarks.scale import Scale
from tests.benchmarks.service import Service, service
from tests.benchmarks.submissions import fill

THREADS = 4
"""Jobs in flight in a worker, as the local stack has it."""
DEVICE_SECONDS = 0.05
MODELS = "tests.benchmarks.timed_worker"
MEBIBYTE = 1 << 20
JOBS_AT_ONCE = 250


def machinery(scale: Scale) -> list[Figure]:
    """Workers with fake models over one set of servers."""
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as site:
        return [_no_ops(site, scale), _processes(site, scale), _idle(site, scale)]


def _no_ops(site: Service, scale: Scale) -> Figure:
    """Three durable stages against three hops, rounds in turn."""
    ratios, rates = [], []
    with site.no_op_worker(THREADS), site.workers(1, THREADS):
        site.run_jobs(small_pictures(THREADS))
        for _ in range(scale.rounds):
            no_ops = scale.jobs / site.run_no_ops(scale.jobs)
            rates.append(scale.jobs / site.run_jobs(small_pictures(scale.jobs)))
            ratios.append(rates[-1] / no_ops)
    return Figure(
        "jobs whose stages do nothing, over a 3-hop Celery no-op",
        statistics.median(ratios),
        "",
        Goal(0.25, 0.5),
        {"jobs_a_second": statistics.median(rates)},
    )


def _processes(site: Service, scale: Scale) -> Figure:
    """One device a process; with two, twice the work gets done."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(scale.rounds):
        for count, found in rates.items():
            with site.workers(count, THREADS, BENCHMARK_DEVICE_SECONDS=str(DEVICE_SECONDS)):
                found.append(scale.jobs / site.run_jobs(small_pictures(scale.jobs)))
    ratio = statistics.median(two / one for one, two in zip(rates[1], rates[2], strict=True))
    return Figure("worker processes 1 → 2, a 50 ms device each: throughput", ratio, "x", Goal(1.9))


def _idle(site: Service, scale: Scale) -> Figure:
    """The share of time in which a device that takes batches waits for work, with 8 jobs in flight."""
    shares = {threads: _idle_share(site, scale, threads) for threads in (1, 8)}
    details = {"with_1_thread": shares[1]}
    return Figure("8 threads in flight: the device idles", shares[8], "%", Goal(5, more_is_better=False), details)


def _idle_share(site: Service, scale: Scale, threads: int) -> float:
    log = site.folder / f"calls-{threads}"
    variables = {"BENCHMARK_DEVICE_SECONDS": str(DEVICE_SECONDS), "BENCHMARK_BATCH": "4", calls.VARIABLE: str(log)}
    with site.workers(1, threads, **variables):
        site.run_jobs(small_pictures(scale.jobs))
    noted = calls.read(log)
    # The first and last tenth are beginning and end, where work runs out.
    inner = noted[len(noted) // 10 : max(len(noted) // 10 + 1, len(noted) * 9 // 10)]
    since, until = inner[0][0], inner[-1][1]
    return 100 * (1 - calls.busy_seconds(noted, since, until) / (until - since))


def full_table(scale: Scale) -> list[Figure]:
    """Two services side by side, one of which has done a million jobs: rounds in turn."""
    ratios = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        empty, full = (stack.enter_context(service(Path(folder) / name)) for name in ("empty", "full"))
        fill(full.environment["MAINMASK_DATABASE_URL"], scale.finished_jobs)
        for site in (empty, full):
            stack.enter_context(site.workers(1, THREADS))
            site.run_jobs(small_pictures(THREADS))
        for _ in range(scale.rounds):
            seconds = [site.run_jobs(small_pictures(scale.jobs)) for site in (empty, full)]
            ratios.append(seconds[0] / seconds[1])
    measure = f"job throughput with {scale.finished_jobs:,} finished jobs, over none"
    return [Figure(measure, statistics.median(ratios), "", Goal(0.95))]


def bundled_models(scale: Scale) -> list[Figure]:
    """The whole service with the bundled models: what a job takes besides them, and what memory many jobs leave."""
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as site:
        return [_outside_models(site, scale), _memory(site, scale)]


def _outside_models(site: Service, scale: Scale) -> Figure:
    log, port = site.folder / "calls", free_port()
    with (
        servers.running(Services(site.environment).api(port), site.folder),
        site.workers(1, THREADS, MODELS, **{calls.VARIABLE: str(log)}),
        site.looked_at(),
        Client(f"http://{LOOPBACK}:{port}") as client,
        by_hand.ready() as made_by_hand,
    ):
        # In turn; the first of each doesn't count.
        spans, by_hand_seconds = zip(
            *[(_ask(client, data), made_by_hand(data)) for data in pictures(scale.timed_jobs + 1)][1:], strict=True
        )
    noted = calls.read(log)
    outside = [ended - begun - calls.busy_seconds(noted, begun, ended) for begun, ended in spans]
    inside = [calls.busy_seconds(noted, begun, ended) for begun, ended in spans]
    return Figure(
        "a job with the bundled models, outside of them, p50",
        1000 * statistics.median(outside),
        "ms",
        Goal(30, 15, more_is_better=False),
        {
            "inside_ms": 1000 * statistics.median(inside),
            "by_hand_ms": 1000 * statistics.median(by_hand_seconds),
            "jobs": len(spans),
        },
    )


def _ask(client: Client, data: bytes) -> calls.Call:
    """From the submission's first byte to the job's end."""
    begun = time.time()
    job = client.wait(client.submit(data, labels=list(LABELS), reuse=False))
    with session_factory()() as session:
        ended = jobs.get(session, UUID(job.id)).finished_at
    assert ended is not None
    return begun, ended.timestamp()


def _memory(site: Service, scale: Scale) -> Figure:
    """Every job asks about another picture, so that caches fill and let go; no worker process is replaced."""
    held = []
    done = 0
    with site.workers(1, THREADS, "worker.app") as (worker,):
        for until in scale.memory_jobs:
            while done < until:
                shown = pictures(min(JOBS_AT_ONCE, until - done), since=done)
                site.run_jobs(shown)
                done += len(shown)
            held.append(_resident_bytes(worker.pid))
    first, all_jobs = scale.memory_jobs
    return Figure(
        f"resident memory after {all_jobs:,} jobs, over after {first:,}",
        held[1] / held[0],
        "x",
        Goal(1.05, more_is_better=False),
        {"mebibytes": [round(each / MEBIBYTE) for each in held]},
    )


def _resident_bytes(pid: int | None) -> int:
    fields = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in fields if line.startswith("VmRSS"))
