"""What stands in for the workers: a thread that ends queued jobs without models, as real rows and objects."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import numpy as np
from pycocotools import mask as coco
from sqlalchemy import select

from db import claims, jobs
from db.claims import Holder
from db.models import Job
from db.session import session_factory
from db.states import JobStatus, StageName
from tests.api.finished import finish

LEFT, TOP, RIGHT, BOTTOM = BOX = (1.0, 2.0, 3.0, 4.0)
BROKEN = "broken"
"""A job with this label alone fails, until somebody starts it again."""
LEFT_ALONE = "mat"
"""Jobs that speak of it stay queued."""
POLL_SECONDS = 0.02


@contextmanager
def working() -> Iterator[None]:
    """Within the block jobs are ended soon after they are queued: the first label, or a cat, is in the box."""
    stop = threading.Event()
    thread = threading.Thread(target=_work, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _work(stop: threading.Event) -> None:
    failed: set[UUID] = set()
    while not stop.wait(POLL_SECONDS):
        with session_factory()() as session:
            queued = session.scalars(select(Job).where(Job.status == JobStatus.QUEUED)).all()
        for job in queued:
            if job.labels == [BROKEN] and job.id not in failed:
                failed.add(job.id)
                _fail(job.id)
            elif LEFT_ALONE not in (job.description or ""):
                _end(job)


def _end(job: Job) -> None:
    mask = np.zeros((job.image_height or 0, job.image_width or 0), np.uint8, order="F")
    mask[int(TOP) : int(BOTTOM), int(LEFT) : int(RIGHT)] = 1
    rle = coco.encode(mask)
    counts = {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode()}
    label = job.labels[0] if job.labels else "cat"
    finish(job.id, label, [StageName.CLASSIFY], rle=counts, area=int(mask.sum()), box=list(BOX), mask_box=list(BOX))


def _fail(job_id: UUID) -> None:
    error = {"type": "internal", "message": "An unexpected Oops ended the stage."}
    with session_factory().begin() as session:
        claim = claims.take(session, job_id, StageName.CLASSIFY, Holder("here", 60), suspect=False)
        assert claim is not None
        jobs.start(session, job_id)
        claims.fail(session, claim, error)
        jobs.fail(session, job_id, StageName.CLASSIFY, error)
