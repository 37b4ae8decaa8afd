"""Submissions on their way to being jobs: checked, measured, and with their images in the storage."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from api import images
from api.callers import Caller
from api.errors import BodyTooLarge
from api.images import ImageHeader
from api.submissions import Submission
from db import reuse, tracing, uploads
from db.errors import MainmaskError, ObjectMissing, UploadNotFound
from db.keys import image_key, upload_key
from db.models import Job
from db.new_jobs import NewJob
from db.session import session_factory
from db.settings import settings
from db.storage import object_store

SMALL_BYTES = 1 << 20
"""Of what is in memory anyhow."""


@dataclass(frozen=True)
class Draft:
    """The job to be, with what it is made of."""

    new: NewJob
    submission: Submission
    header: ImageHeader | None
    """Of an image that came along."""

    @property
    def said(self) -> dict[str, Any]:
        """All that the caller said, and nothing of what we made of it."""
        fields = self.submission.fields.model_dump(mode="json")
        return {**fields, "image_base64": None, "image": self.header.sha256 if self.header else None}


def draft(caller: Caller, submission: Submission) -> Draft:
    """Measure the image and describe the job. Raises `InvalidImage` and its kin."""
    fields = submission.fields
    new = NewJob(
        id=uuid7(),
        tenant=caller.tenant,
        profile=fields.profile or settings().profile,
        models={str(stage): name for stage, name in fields.models.items()} if fields.models else None,
        description=fields.description if not fields.labels else None,
        labels=fields.labels,
        instances_wanted=fields.instances,
        outputs=sorted(set(fields.outputs)),
        box_threshold=fields.box_threshold,
        on_missing=fields.on_missing,
        priority=fields.priority,
        caller_metadata=fields.metadata,
        webhook_url=fields.webhook_url,
        webhook_events=None if fields.webhook_events is None else list(dict.fromkeys(map(str, fields.webhook_events))),
        image_url=fields.image_url,
        reuse=fields.reuse,
        traceparent=tracing.traceparent(),
    )
    if submission.image is None:
        return Draft(new, submission, None)
    header = images.inspect(submission.image, settings())
    new = replace(
        new,
        image_sha256=header.sha256,
        image_width=header.width,
        image_height=header.height,
        image_bytes=header.size_bytes,
    )
    return Draft(replace(new, reuse_key=reuse.reuse_key(new, header.sha256)), submission, header)


def digest(drafts: Iterable[Draft], *more: object) -> str:
    """Of all that a request says: a repeated `Idempotency-Key` must come with the same."""
    said = [*(one.said for one in drafts), *more]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def store(caller: Caller, wanted: Draft) -> Job | None:
    """Put the job's pictures into the storage, and return the finished job, if there is one, that answers for it.

    Raises `UploadNotFound`, `BodyTooLarge`, `QuotaExceeded` and `StorageUnavailable`.
    """
    source = _find_answer(wanted)
    _store_image(caller, wanted)
    if source is not None:
        try:
            reuse.copy_pictures(object_store(), source, wanted.new.id)
        except ObjectMissing:  # it is being removed at this very moment
            return None
    return source


def _find_answer(wanted: Draft) -> Job | None:
    """A finished job that asked the same and may answer for this one, too."""
    if wanted.new.reuse_key is None or not wanted.new.reuse:
        return None
    with session_factory()() as session:
        return reuse.find(session, wanted.new.reuse_key, wanted.new.profile, wanted.new.models)


def _store_image(caller: Caller, wanted: Draft) -> None:
    """Put the image where the workers look for it. What didn't come with the request is counted here."""
    image, upload_id = wanted.submission.image, wanted.submission.fields.upload_id
    if image is not None and wanted.header is not None:
        # Of a file the storage is asked first whether it may come, which for a small one takes as long as sending it.
        body = image.read() if wanted.header.size_bytes <= SMALL_BYTES else image
        object_store().put(image_key(wanted.new.id), body, wanted.header.content_type)
    elif upload_id is not None:
        with session_factory()() as session:
            uploads.find(session, wanted.new.tenant, upload_id)
        _copy_upload(caller, upload_id, image_key(wanted.new.id))


def _copy_upload(caller: Caller, upload_id: UUID, target: str) -> None:
    try:
        _checked_size(upload_key(upload_id))  # a copy of gigabytes would cost
        object_store().copy(upload_key(upload_id), target)
    except ObjectMissing as error:
        raise UploadNotFound(upload_id, "nothing was put there, or it was removed") from error
    try:
        # The copy is what counts: the upload may have been put anew meanwhile.
        caller.quotas.take_bytes(_checked_size(target))
    except MainmaskError:
        object_store().delete([target])
        raise


def _checked_size(key: str) -> int:
    size = object_store().size(key)
    if size > settings().maximum_image_bytes:
        raise BodyTooLarge("image", settings().maximum_image_bytes)
    return size
