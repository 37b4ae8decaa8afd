"""Answers that earlier jobs gave to the same question, where only the worker comes to know the image."""

from db import reuse
from db.errors import ObjectMissing
from db.models import Job
from worker.runtime import Runtime


def answer(job: Job, reuse_key: str, runtime: Runtime) -> Job | None:
    """The finished job that answers for this one, its pictures copied; None where there is none, or isn't wanted.

    Raises `StorageUnavailable`.
    """
    if not job.reuse:
        return None
    with runtime.sessions() as session:
        found = reuse.find(session, reuse_key, job.profile, job.models)
    if found is None:
        return None
    try:
        reuse.copy_pictures(runtime.store, found, job.id)
    except ObjectMissing:  # it is being removed at this very moment
        return None
    return found
