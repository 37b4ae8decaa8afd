"""Jobs brought to their end without a worker."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from db import claims, jobs
from db.claims import Holder
from db.keys import artifact_key
from db.session import session_factory
from db.states import Artifact, Outcome, StageName
from db.storage import object_store
from tests.new_jobs import new_instance

CARD = {"name": "a model", "revision": "1", "license": "MIT"}
MODELS = {str(name): CARD for name in StageName}


def finish(
    job_id: UUID, label: str = "square", stages: Sequence[StageName] = tuple(StageName), **instance: Any
) -> None:
    """As workers do that find one square: the results, the instance, its pictures; some of it otherwise if said so.

    With the first of the `stages` alone it takes half the time.
    """
    results: dict[StageName, dict[str, Any]] = {
        StageName.CLASSIFY: {
            "candidates": [{"label": label, "score": 0.75}, {"label": "circle", "score": 0.25}],
            "margin": 0.5,
            "ambiguous": False,
        },
        StageName.DETECT: {},
        StageName.SEGMENT: {},
    }
    with session_factory().begin() as session:
        for name in stages:
            claim = claims.take(session, job_id, name, Holder("here", 60), suspect=False)
            assert claim is not None
            jobs.start(session, job_id)
            next_stage = name.next if name.next in stages else None
            claims.complete(session, claim, results[name], CARD, hand_on_to=next_stage)
        session.add(new_instance(job_id, label=label, **instance))
        session.flush()
        jobs.succeed(session, job_id, stages[-1], Outcome.FOUND, label)
        # Before the job says that they are there.
        for artifact in map(Artifact, jobs.get(session, job_id).outputs):
            object_store().put(artifact_key(job_id, 0, artifact), artifact.encode(), artifact.content_type)


def fail(job_id: UUID) -> None:
    """Fail the job at its first stage, as a worker does."""
    error = {"type": "invalid-image", "message": "It is broken."}
    with session_factory().begin() as session:
        claim = claims.take(session, job_id, StageName.CLASSIFY, Holder("here", 60), suspect=False)
        assert claim is not None
        jobs.start(session, job_id)
        assert claims.fail(session, claim, error)
        jobs.fail(session, job_id, StageName.CLASSIFY, error)
