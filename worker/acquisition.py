"""Where a job's image comes from: the submission, an upload, or a URL."""

import hashlib

from PIL import Image

from db import tracing
from db.errors import InvalidImage
from db.jobs import ImageFacts
from db.keys import image_key
from db.models import Job
from worker.pipeline.images import decode
from worker.runtime import Runtime


@tracing.part("acquire image")
def acquire(job: Job, runtime: Runtime) -> tuple[Image.Image, ImageFacts | None]:
    """The job's image in upright RGB; with its facts where the submission only pointed to it, and they are new.

    What a URL gives is stored, so that the later stages see the same bytes; another attempt of this one fetches anew.

    Raises `InvalidImage` and its kin, `StorageUnavailable`, and what `runtime.fetch` raises.
    """
    if job.image_sha256 is not None:
        return runtime.images.get(job.image_sha256, lambda: _decode_stored(job, runtime)), None
    if job.image_url is not None:
        data = runtime.fetch(job.image_url, job.tenant)
        runtime.store.put(image_key(job.id), data, "application/octet-stream")
    else:
        data = runtime.store.get(image_key(job.id), runtime.image_limits.file_bytes)
    if not data:
        raise InvalidImage("it is empty.")
    if len(data) > runtime.image_limits.file_bytes:
        raise InvalidImage(f"its file has more than the {runtime.image_limits.file_bytes} bytes that are taken.")
    digest = hashlib.sha256(data).hexdigest()
    image = runtime.images.get(digest, lambda: decode(data, runtime.image_limits))
    return image, ImageFacts(digest, image.width, image.height, len(data))


def _decode_stored(job: Job, runtime: Runtime) -> Image.Image:
    return decode(runtime.store.get(image_key(job.id)), runtime.image_limits)
