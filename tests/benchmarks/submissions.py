"""`python -m tests.benchmarks.submissions`: how much the API adds to what a submission can't do without.

Rounds of uploads of 200 KB alternate between the API and a bare handler (`bare.py`) with the same S3 put and row
insert, each a process of its own over the same servers; then polls of one job, with few jobs in the table and with a
million.
"""

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from rich.console import Console
from sqlalchemy import create_engine, text

from mainmask.stack.ports import LOOPBACK, accepts_connections, free_port
from mainmask.stack.process import Process
from mainmask.stack.services import Services
from mainmask.stack.settings import settings
from tests import servers
from tests.benchmarks.figures import Figure, Goal, table

CLIENTS = (1, 8, 64)
UPLOAD_BYTES = 200_000
POLLS = 2000
AT_MOST = Goal(1.5, more_is_better=False)


@dataclass
class Measured:
    """Requests of one kind: seconds each, and how many a second."""

    seconds: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def quantile_ms(self, share: float) -> float:
        """The nearest-rank quantile of the latencies, in milliseconds."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def __str__(self) -> str:
        rate = statistics.median(self.rates)
        return f"{rate:7.0f}/s   p50 {self.quantile_ms(0.5):7.1f} ms   p99 {self.quantile_ms(0.99):7.1f} ms"


def picture() -> bytes:
    """A JPEG of about 200 KB."""
    noise = np.random.default_rng(0).integers(0, 256, (360, 480, 3), np.uint8)
    for quality in range(60, 100):
        buffer = io.BytesIO()
        Image.fromarray(noise).save(buffer, "JPEG", quality=quality)
        if buffer.tell() >= UPLOAD_BYTES:
            break
    return buffer.getvalue()


def load(clients: int, requests: int, send: Callable[[httpx.Client], httpx.Response], into: Measured) -> None:
    """So many requests by so many clients, each on a connection of its own."""

    def work(count: int) -> list[float]:
        taken = []
        with httpx.Client(timeout=60) as client:
            for _ in range(count):
                started = time.perf_counter()
                send(client).raise_for_status()
                taken.append(time.perf_counter() - started)
        return taken

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        for taken in threads.map(work, [max(1, requests // clients)] * clients):
            into.seconds += taken
    into.rates.append(clients * max(1, requests // clients) / (time.perf_counter() - started))


@contextmanager
def site(folder: Path) -> Iterator[tuple[str, str, str]]:
    """The URLs of the API, the bare handler and the database, over one Postgres, Redis and S3."""
    with ExitStack() as stack:
        postgres = stack.enter_context(servers.postgres(folder))
        redis = stack.enter_context(servers.redis(folder))
        s3 = stack.enter_context(servers.s3(folder))
        services = Services({**settings(postgres, redis, s3), "MAINMASK_AUTH": "false"})
        _migrate(services, folder)
        urls = []
        for module in ("api.app", "tests.benchmarks.bare"):
            port = free_port()
            program = services.api(port)
            command = [f"{module}:create_app" if part == "api.app:create_app" else part for part in program.command]
            urls.append(f"http://{LOOPBACK}:{port}")
            program = replace(program, name=module, command=command, is_ready=partial(accepts_connections, port))
            stack.enter_context(servers.running(program, folder))
        yield urls[0], urls[1], postgres.url


def _migrate(services: Services, folder: Path) -> None:
    process = Process(services.migrations(), folder)
    process.start()
    while process.exit_code() is None:
        time.sleep(0.1)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--requests", type=int, default=256, help="uploads a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1_000_000, help="finished jobs in the full table")
    options = parser.parse_args()
    Console().print(table(figures(options.requests, options.rounds, options.jobs), "The API"))


def figures(requests: int, rounds: int, finished_jobs: int) -> list[Figure]:
    """All that is measured here, with so many uploads a round."""
    with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as (api, bare, database):
        return [*_submissions(api, bare, requests, rounds), _polls(api, database, finished_jobs)]


def _submissions(api: str, bare: str, requests: int, rounds: int) -> Iterator[Figure]:
    image = picture()
    for clients in CLIENTS:
        measured = {url: Measured() for url in (api, bare)}
        for _ in range(rounds):
            for url, into in measured.items():
                load(clients, requests, partial(_submit, url=url, image=image), into)
        ours, theirs = measured[api], measured[bare]
        ratio = statistics.median(a / b for a, b in zip(theirs.rates, ours.rates, strict=True))
        measure = f"submissions by {clients} clients: time over a bare handler's"
        yield Figure(measure, ratio, "x", AT_MOST, {"api": str(ours), "bare": str(theirs)})


def _submit(client: httpx.Client, *, url: str, image: bytes) -> httpx.Response:
    form = {"labels": "cat", "reuse": "false"}
    return client.post(f"{url}/v1/jobs", files={"image": ("picture.jpg", image)}, data=form)


def _polls(api: str, database: str, jobs: int) -> Figure:
    with httpx.Client() as client:
        job_id = _submit(client, url=api, image=picture()).json()["id"]
    measured = {0: Measured(), jobs: Measured()}
    for count, into in measured.items():
        if count:
            fill(database, count)
        for _ in range(5):
            load(4, POLLS, lambda client: client.get(f"{api}/v1/jobs/{job_id}"), into)
    few, many = measured.values()
    ratio = many.quantile_ms(0.99) / few.quantile_ms(0.99)
    details = {"none": str(few), "many": str(many)}
    return Figure(f"polls with {jobs:,} finished jobs: p99 over that with none", ratio, "x", AT_MOST, details)


def fill(database: str, count: int) -> None:
    """Finished jobs with three stages and an instance each, as they lie in a table after months."""
    engine = create_engine(database)
    with engine.begin() as connection:
        for statement in FILL:
            connection.execute(text(statement), {"count": count})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


FILL = (
    """
    INSERT INTO jobs (id, tenant, status, outcome, label, created_at, finished_at, labels, instances_wanted, profile,
        outputs, priority, on_missing, metadata, image_sha256, image_width, image_height, image_bytes)
    SELECT gen_random_uuid(), 'local', 'succeeded', 'found', 'cat', now() - n * interval '1 second',
        now() - n * interval '1 second', '{cat}', 'best', 'tiny', '{mask}', 'normal', 'not_found', '{}',
        repeat('0', 64), 640, 480, 200000
    FROM generate_series(1, :count) AS n
    """,
    """
    INSERT INTO stages (job_id, name, position, status, attempts, priority, token, started_at, finished_at, result)
    SELECT id, name, position, 'succeeded', 1, 0, 1, finished_at, finished_at, '{}'
    FROM jobs, (VALUES ('classify', 0), ('detect', 1), ('segment', 2)) AS stage (name, position)
    WHERE status = 'succeeded'
    """,
    """
    INSERT INTO instances (job_id, position, label, box, box_score, mask_box, area, predicted_iou, stability, rle,
        polygons)
    SELECT id, 0, 'cat', '{1,2,3,4}', 0.9, '{1,2,3,4}', 4, 0.9, 0.9, '{}', '[]' FROM jobs WHERE status = 'succeeded'
    """,
)


if __name__ == "__main__":
    main()
