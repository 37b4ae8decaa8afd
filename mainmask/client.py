"""The Python client of the service's HTTP API."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self, TypeVar, Unpack

import httpx

from mainmask.errors import JobFailed, JobTimedOut, QuotaExceeded, ServiceUnreachable
from mainmask.jobs import Job
from mainmask.keys import CreatedKey, Key
from mainmask.options import Artifact, SubmitOptions
from mainmask.polling import Polling
from mainmask.transport import Transport

DEFAULT_URL = "http://127.0.0.1:8000"
UNREACHABLE_SECONDS = 15.0
"""For how long `wait` puts up with a service that does not answer, because it may be starting again."""

Image = str | Path | bytes | BinaryIO
Item = TypeVar("Item")


class Client:
    """A connection to a service; close it, or use it in a `with` block. Not for several threads at once."""

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Connects when it is first used. Any method may raise `KeyRefused` and `QuotaExceeded`.

        Args:
            base_url: the service's; else the environment's `MAINMASK_URL`, else the local stack's usual address.
            api_key: what the caller proves itself with; else the environment's `MAINMASK_API_KEY`, else nothing, which
                suits the local stack.
            transport: httpx's, for networks that need a special one, and for tests.

        Raises:
            BadServiceUrl: it is no http or https URL.
            BadApiKey: no key looks like this one.
        """
        url = base_url or os.environ.get("MAINMASK_URL") or DEFAULT_URL
        self._transport = Transport(url, api_key or os.environ.get("MAINMASK_API_KEY"), transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def submit(
        self,
        image: Image | None = None,
        description: str | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Job:
        """Hand a job in, and return it as it was accepted.

        Args:
            image: a path, the file's bytes, or a file opened for reading bytes.
            description: a sentence on the picture; what it names are the candidates for the main object.
            idempotency_key: a text of the caller's own; sent again with the same, the submission is the same job.
            options: see `SubmitOptions`.

        Raises:
            ValueError: neither an image nor its URL, or both.
            OSError: the image cannot be read.
            RequestRejected: the service refuses it, and says why.
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        if (image is None) != ("image_url" in options):
            raise ValueError("Give either an image or its URL.")
        fields = {"description": description, **options}
        said = {name: value for name, value in fields.items() if value is not None}
        return self._transport.submit(None if image is None else _content(image), said, idempotency_key)

    def get(self, job_id: str) -> Job:
        """The job as it is now.

        Raises:
            JobNotFound: there is none of this id.
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        job, _ = self._transport.job(job_id)
        return job

    def wait(
        self,
        job: Job | str,
        *,
        timeout_seconds: float = 300.0,
        on_change: Callable[[Job], None] | None = None,
    ) -> Job:
        """Return the job once it has succeeded. It asks often at first, then ever more rarely, at most every 2 s.

        Args:
            job: the job, or its id.
            timeout_seconds: when to give up.
            on_change: called with the job whenever it differs from the time before, also with the first and the last.

        Raises:
            JobFailed: it ended in another way.
            JobTimedOut: it has not ended in time.
            JobNotFound, ServiceUnreachable, UnexpectedAnswer: as of `get`; a short silence is put up with.
        """
        job_id = _id(job)
        seen: Job | None = None
        for current in self._answers(job_id, Polling(timeout_seconds)):
            if on_change and current != seen:
                on_change(current)
            seen = current
            if current.status == "succeeded":
                return current
            if current.ended:
                raise JobFailed(current)
        raise JobTimedOut(job_id, timeout_seconds)

    def _answers(self, job_id: str, polling: Polling) -> Iterator[Job]:
        """The job again and again, at least once, until the polling's deadline."""
        while True:
            retry_after_seconds = 0.0
            try:
                job, retry_after_seconds = self._transport.job(job_id)
            except QuotaExceeded as error:
                polling.answered()
                if polling.is_over():
                    raise
                retry_after_seconds = error.retry_after_seconds
            except ServiceUnreachable as error:
                if polling.is_over() or polling.silent_seconds() > UNREACHABLE_SECONDS:
                    raise
                retry_after_seconds = error.retry_after_seconds
            else:
                polling.answered()
                yield job
                if polling.is_over():
                    return
            polling.pause(retry_after_seconds)

    def segment(
        self,
        image: Image | None = None,
        description: str | None = None,
        *,
        timeout_seconds: float = 300.0,
        on_change: Callable[[Job], None] | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Job:
        """Submit a job and wait for its result: takes and raises what `submit` and `wait` do."""
        job = self.submit(image, description, **options)
        return self.wait(job, timeout_seconds=timeout_seconds, on_change=on_change)

    def jobs(self, status: str | None = None) -> Iterator[Job]:
        """All the caller's jobs, the newest first, fetched page by page as they are asked for.

        Args:
            status: only those that are queued, running, succeeded, failed or canceled.

        Raises:
            RequestRejected: there is no such status.
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        yield from _each(lambda before: self._transport.jobs(status, before))

    def cancel(self, job: Job | str) -> Job:
        """End a job that has not ended; its result, should one still come, is dropped.

        Raises:
            JobNotFound: there is no such job.
            RequestRejected: it has ended already.
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        return self._transport.change(_id(job), "cancel")

    def retry(self, job: Job | str) -> Job:
        """Start a failed job again at the stage that failed.

        Raises:
            JobNotFound: there is no such job.
            RequestRejected: it has not failed.
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        return self._transport.change(_id(job), "retry")

    def delete(self, job: Job | str) -> None:
        """Remove a job with its image and masks; one that has not ended is canceled first.

        Raises:
            JobNotFound: there is no such job.
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        self._transport.delete(_id(job))

    def download(self, job: Job | str, artifact: Artifact, instance: int = 0) -> bytes:
        """The PNG of one instance: its mask, the cut-out with a transparent background, or the overlay for the eye.

        Raises:
            JobNotFound: there is no such job.
            RequestRejected: it has no such instance.
            ServiceUnreachable, UnexpectedAnswer: the service or its storage does not work.
        """
        return self._transport.artifact(_id(job), artifact, instance)

    def models(self) -> Mapping[str, Any]:
        """The service's table of models: `GET /v1/models`, as it answers.

        Raises:
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        return self._transport.models()

    def create_key(  # noqa: PLR0913 - what a key has
        self,
        name: str,
        *,
        tenant: str | None = None,
        scopes: Sequence[str] | None = None,
        requests_per_minute: int | None = None,
        jobs_in_flight: int | None = None,
        bytes_per_day: int | None = None,
    ) -> CreatedKey:
        """Make a key, which needs one of the scope `admin`, as the following do. The answer alone holds it whole.

        Args:
            name: for people.
            tenant: whose jobs it sees; else a tenant of its own, named after it.
            scopes: what it may do: jobs:read, jobs:write (both unless given), admin.
            requests_per_minute: how many, at most.
            jobs_in_flight: how many of its tenant's jobs may not have ended.
            bytes_per_day: how much it may send with submissions.

        Raises:
            RequestRejected: the service refuses it, and says why.
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        given = {
            "name": name,
            "tenant": tenant,
            "scopes": None if scopes is None else list(scopes),
            "requests_per_minute": requests_per_minute,
            "jobs_in_flight": jobs_in_flight,
            "bytes_per_day": bytes_per_day,
        }
        return self._transport.create_key({field: value for field, value in given.items() if value is not None})

    def keys(self) -> Iterator[Key]:
        """All tenants' keys, the newest first, the revoked ones too, fetched page by page as they are asked for.

        Raises:
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        yield from _each(self._transport.keys)

    def revoke_key(self, key: Key | str) -> None:
        """End a key, within seconds; what was done with it stays.

        Raises:
            RequestRejected: there is no such key.
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        self._transport.revoke_key(key if isinstance(key, str) else key.id)


def _each(page: Callable[[str | None], tuple[list[Item], str | None]]) -> Iterator[Item]:
    """All that is on the pages."""
    before: str | None = None
    while True:
        items, before = page(before)
        yield from items
        if before is None:
            return


def _id(job: Job | str) -> str:
    return job if isinstance(job, str) else job.id


def _content(image: Image) -> bytes:
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | Path):
        return Path(image).read_bytes()
    return image.read()
