"""Equal questions get equal answers: a finished job's answer given to a new one, without a worker."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, selectinload

from db import loaded_profiles, outbox, tallies
from db.keys import artifact_key, submitted_at
from db.models import Instance, Job, Stage
from db.new_jobs import NewJob
from db.states import Artifact, JobStatus
from db.storage import ObjectStore

MOST_INSTANCES = 16
"""Each one's pictures are copied while the caller waits: an answer with more is made anew."""
METHOD = 2
"""Of how answers are made with the models. Whoever changes what the same models answer raises it: what was answered
before is then answered anew. 2: the bundled SAM's masks are moved to the picture's edges."""
COPIED = ("label", "box", "box_score", "mask_box", "area", "predicted_iou", "stability", "rle", "polygons")


def reuse_key(new: NewJob | Job, image_sha256: str) -> str:
    """Hash of all that the answer depends on but the models: method, tenant, image, words and parameters."""
    question = [
        METHOD,
        new.tenant,
        image_sha256,
        new.description,
        new.labels,
        new.profile,
        new.models,
        new.instances_wanted,
        new.box_threshold,
        new.on_missing,
        sorted(new.outputs),
    ]
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()


def find(session: Session, key: str, profile: str, instead: Mapping[str, str] | None = None) -> Job | None:
    """The newest finished job with this key whose every stage was run by the models that would run it now.

    `instead` names the models that are asked for in the place of the profile's, by stage.
    """
    models = loaded_profiles.models_of(session, profile, instead)
    found = session.scalar(
        select(Job)
        .where(Job.reuse_key == key, Job.status == JobStatus.SUCCEEDED)
        .order_by(Job.id.desc())
        .limit(1)
        .options(selectinload(Job.stages), selectinload(Job.instances))
    )
    if found is None or models is None or len(found.instances) > MOST_INSTANCES:
        return None
    if (found.stages[0].result or {}).get("makeshift"):  # the candidates' own source was away
        return None
    ran = {stage.name: stage.model for stage in found.stages if stage.model}
    return found if ran and all(models.get(name) == model for name, model in ran.items()) else None


def copy_pictures(store: ObjectStore, source: Job, job_id: UUID) -> None:
    """Make the job's pictures of an answer that is given again; raises `ObjectMissing`, `StorageUnavailable`."""
    for instance in source.instances:
        for artifact in map(Artifact, source.outputs):
            store.copy(
                artifact_key(source.id, instance.position, artifact), artifact_key(job_id, instance.position, artifact)
            )


def create(session: Session, new: NewJob, source: Job) -> Job:
    """Insert the job, ended, with the answer of `source`; its pictures must have been copied before."""
    job = Job(
        **asdict(new),
        created_at=submitted_at(new.id),
        status=JobStatus.SUCCEEDED,
        outcome=source.outcome,
        label=source.label,
        reused_from=source.id,
        finished_at=func.clock_timestamp(),
    )
    job.stages = [
        Stage(name=stage.name, position=stage.position, status=stage.status, result=stage.result, model=stage.model)
        for stage in source.stages
    ]
    job.instances = _copies(source, new.id)
    session.add(job)
    session.flush()
    outbox.job_ended(session, job, JobStatus.SUCCEEDED)
    tallies.job_accepted(session, job)
    tallies.job_ended(session, job.id, JobStatus.SUCCEEDED, job.outcome, None)
    session.refresh(job, ["finished_at"])
    return job


def fill_in(session: Session, job_id: UUID, source: Job) -> None:
    """Give a job whose first stage is complete the rest of `source`'s answer; its pictures have been copied.

    Its other stages keep what those of `source` found, and are to be skipped by the job's end.
    """
    for stage in source.stages[1:]:
        session.execute(
            update(Stage)
            .where(Stage.job_id == job_id, Stage.name == stage.name)
            .values(result=stage.result, model=stage.model)
            .execution_options(synchronize_session=False)
        )
    session.add_all(_copies(source, job_id))
    session.execute(
        update(Job).where(Job.id == job_id).values(reused_from=source.id).execution_options(synchronize_session=False)
    )


def _copies(source: Job, job_id: UUID) -> list[Instance]:
    return [
        Instance(job_id=job_id, position=instance.position, **{name: getattr(instance, name) for name in COPIED})
        for instance in source.instances
    ]
