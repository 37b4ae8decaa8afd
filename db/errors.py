"""Every error that a caller or an operator can meet, one class a cause, each with its own message."""

from typing import Any, ClassVar


class MainmaskError(Exception):
    """Base class: `code` is stable and public, the message is for people.

    Neither names an HTTP status or a retry: `api.problems` and `worker.retries` decide those.
    """

    code: ClassVar[str] = "internal"

    def at(self, where: str) -> "MainmaskError":
        """The same cause, saying which of several things it is about."""
        return _restore(type(self), f"{where}: {self}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by its message: Celery sends exceptions to those who watch, and can't know the arguments."""
        return _restore, (type(self), str(self))


def _restore(kind: type[MainmaskError], message: str) -> MainmaskError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    return error


class InvalidImage(MainmaskError):
    """The bytes are no picture that can be read whole."""

    code = "invalid-image"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The image can't be read: {reason}")


class ImageTooLarge(MainmaskError):
    """The picture has more pixels than the settings allow."""

    code = "image-too-large"

    def __init__(self, width: int, height: int, maximum_pixels: int) -> None:
        super().__init__(
            f"The image is {width} x {height} pixels, {width * height / 1e6:.0f} megapixels; "
            f"at most {maximum_pixels / 1e6:.0f} megapixels are taken."
        )


class NoCandidates(MainmaskError):
    """Neither the description nor the labels name anything that could be seen in a picture."""

    code = "no-candidates"

    def __init__(self) -> None:
        super().__init__(
            "No physical thing is named, in English, so there is nothing to look for. Send `labels` that name it."
        )


class JobNotFound(MainmaskError):
    """No job has this id."""

    code = "job-not-found"

    def __init__(self, job_id: object) -> None:
        super().__init__(f"There is no job {job_id}.")


class KeyNotFound(MainmaskError):
    """No key has this id."""

    code = "key-not-found"

    def __init__(self, key_id: object) -> None:
        super().__init__(f"There is no key {key_id}.")


class TenantTaken(MainmaskError):
    """A key that names no tenant would have come to see an existing tenant's jobs."""

    code = "tenant-taken"

    def __init__(self, tenant: str) -> None:
        super().__init__(
            f"The tenant {tenant} is there already. Send `tenant` to name another one, or this one, to share its jobs."
        )


class ArtifactNotFound(MainmaskError):
    """The job has no such picture: it isn't finished, found nothing, or has fewer instances."""

    code = "artifact-not-found"

    def __init__(self, artifact: str, instance: int, reason: str) -> None:
        super().__init__(f"There is no {artifact} of instance {instance}: {reason}.")


class StorageUnavailable(MainmaskError):
    """The object storage doesn't answer, or answers with a fault of its own."""

    code = "storage-unavailable"

    def __init__(self, operation: str) -> None:
        super().__init__(f"The object storage is unavailable ({operation}).")


class ObjectMissing(MainmaskError):
    """The object storage answers that it doesn't hold this object."""

    code = "object-missing"

    def __init__(self, key: str) -> None:
        super().__init__(f"The object storage holds no {key}.")


class UrlRefused(MainmaskError):
    """A URL that nothing is sent to: it is malformed, or leads where callers' requests must not go."""

    code = "url-refused"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The URL is refused: {reason}.")
        self.reason = reason


class FetchFailed(MainmaskError):
    """The URL was asked and won't give it another time either."""

    code = "fetch-failed"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The URL gives nothing that can be used: {reason}.")


class FetchUnavailable(MainmaskError):
    """The URL can't be reached now, or its server has trouble of its own: it may pass."""

    code = "fetch-unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The URL is unavailable for now: {reason}.")


class FetchTooLarge(MainmaskError):
    """The URL gives more bytes than are taken."""

    code = "fetch-too-large"

    def __init__(self, maximum_bytes: int) -> None:
        super().__init__(f"The URL gives more than the {maximum_bytes} bytes that are taken.")


class WorkerLost(MainmaskError):
    """The worker stopped renewing its lease: it was killed, hung, or lost its network."""

    code = "worker-lost"

    def __init__(self) -> None:
        super().__init__("The worker that ran this stage was lost: it ended, or stopped answering.")


class OutOfMemory(MainmaskError):
    """The device's memory doesn't hold even this job alone."""

    code = "out-of-memory"

    def __init__(self) -> None:
        super().__init__("The device has too little memory for this image, even with nothing else on it.")


class JobHasEnded(MainmaskError):
    """What was asked for needs a job that hasn't ended."""

    code = "job-has-ended"

    def __init__(self, job_id: object, status: str) -> None:
        super().__init__(f"Job {job_id} has {status} already.")


class JobNotFailed(MainmaskError):
    """Only a failed job can be started again."""

    code = "job-not-failed"

    def __init__(self, job_id: object, status: str) -> None:
        super().__init__(f"Job {job_id} is {status}; only a failed job can be retried.")


class CheckpointInvalid(MainmaskError):
    """A model's files are missing, altered or of another architecture."""

    code = "checkpoint-invalid"

    def __init__(self, source: object, reason: str) -> None:
        super().__init__(f"The checkpoint {source} can't be used: {reason}.")


class DeviceUnavailable(MainmaskError):
    """The settings name a device that PyTorch doesn't know, or that isn't on this machine."""

    code = "device-unavailable"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"Models can't run on the device {name!r}: {reason}. The setting MAINMASK_DEVICE names another."
        )


class AnswerNotFinite(MainmaskError):
    """A model answers with numbers that are none: its weights are spoilt, or half precision is too narrow for it."""

    code = "answer-not-finite"

    def __init__(self, what: str) -> None:
        super().__init__(f"The model gave {what} that are not finite numbers, and so no answer.")


class UnknownProfile(MainmaskError):
    """No model profile has this name."""

    code = "unknown-profile"

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"There is no model profile {name!r}; there are: {', '.join(known)}.")


class CheckpointMissing(MainmaskError):
    """A model's files have not been pulled to this machine, or not all of them."""

    code = "checkpoint-missing"

    def __init__(self, name: str, folder: object) -> None:
        super().__init__(f"The model {name} is not in {folder}. Fetch it with: mainmask models pull {name}")


class UnknownModel(MainmaskError):
    """The table has no such model for this stage."""

    code = "unknown-model"

    def __init__(self, name: str, stage: str, known: list[str]) -> None:
        super().__init__(f"There is no model {name!r} to {stage} with; there are: {', '.join(known)}.")


class ModelNotOffered(MainmaskError):
    """A job asks for a model that this worker doesn't lend to jobs."""

    code = "model-not-offered"

    def __init__(self, name: str) -> None:
        super().__init__(f"The model {name!r} is not among those that jobs may ask for here.")


class ImageOutOfShape(MainmaskError):
    """The picture is longer, or has more frames, than the settings allow."""

    code = "image-out-of-shape"

    def __init__(self, what: str, maximum: str) -> None:
        super().__init__(f"The image {what}; at most {maximum} are taken.")


class UploadNotFound(MainmaskError):
    """No upload of the caller's has this id, or it has expired, or nothing was put there."""

    code = "upload-not-found"

    def __init__(self, upload_id: object, reason: str = "there is none of this id, or it has expired") -> None:
        super().__init__(f"Upload {upload_id} can't be used: {reason}.")


class BatchNotFound(MainmaskError):
    """No batch of the caller's has this id."""

    code = "batch-not-found"

    def __init__(self, batch_id: object) -> None:
        super().__init__(f"There is no batch {batch_id}.")


class DeliveryNotFound(MainmaskError):
    """No delivery of the caller's has this id."""

    code = "delivery-not-found"

    def __init__(self, delivery_id: object) -> None:
        super().__init__(f"There is no delivery {delivery_id}.")


class IdempotencyKeyReused(MainmaskError):
    """The key was used for another request."""

    code = "idempotency-key-reused"

    def __init__(self, key: str) -> None:
        super().__init__(f"The Idempotency-Key {key!r} was used for a request that said something else.")
