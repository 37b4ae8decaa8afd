"""The Python client of the service's HTTP API. Its twin for asyncio is `mainmask.async_client`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self, TypeVar, Unpack

import httpx

from mainmask.address import Address
from mainmask.calls import Calls, Image, Page
from mainmask.jobs import Job
from mainmask.keys import CreatedKey, Key
from mainmask.network import BlockingNetwork, finished
from mainmask.options import Artifact, KeyOptions, SubmitOptions
from mainmask.retries import Retries
from mainmask.transport import Transport

Item = TypeVar("Item")


class Client:
    """A connection to a service; close it, or use it in a `with` block. Not for several threads at once.

    >>> from mainmask import Client
    >>> with Client() as client:
    ...     job = client.segment("photo.jpg", "a cat asleep on the red sofa")
    ...     mask_png = client.download(job, "mask")
    >>> job.result.main_object.label
    'cat'

    A request that gets no answer, or is told to come back later, is sent again where that is safe: for seconds, as
    `Retries` says. Submissions carry an `Idempotency-Key`, so that sending one twice makes one job.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        retries: Retries | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Connects when it is first used. Any method may raise `KeyRefused` and `QuotaExceeded`.

        Args:
            base_url: the service's; else the environment's `MAINMASK_URL`, else the local stack's usual address.
            api_key: what the caller proves itself with; else the environment's `MAINMASK_API_KEY`, else nothing, which
                suits the local stack.
            retries: how much patience there is with a service that is away or busy; a few seconds unless given.
            transport: httpx's, for networks that need a special one, and for tests.

        Raises:
            BadServiceUrl: it is no http or https URL.
            BadApiKey: no key looks like this one.
        """
        address = Address.chosen(base_url, api_key)
        network = BlockingNetwork(httpx.Client(transport=transport, **address.http_options))
        self._calls = Calls(Transport(network, address), retries or Retries())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        finished(self._calls.close())

    def submit(
        self,
        image: Image | None = None,
        description: str | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Job:
        """Hand a job in, and return it as it was accepted.

        >>> job = client.submit("photo.jpg", labels=["cat", "sofa"], priority="high", metadata={"shelf": 7})
        >>> job.status
        'queued'

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
        return finished(self._calls.submit(image, description, idempotency_key, options))

    def get(self, job: Job | str) -> Job:
        """The job as it is now; it, or its id, is given.

        Raises:
            JobNotFound: there is none of this id.
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        return finished(self._calls.get(job))

    def wait(
        self,
        job: Job | str,
        *,
        timeout_seconds: float = 300.0,
        on_change: Callable[[Job], None] | None = None,
    ) -> Job:
        """Return the job once it has succeeded.

        It follows the job's stream of events. Where none comes through, it asks: often at first, then ever more rarely.

        >>> job = client.submit("photo.jpg", "a cat asleep on the red sofa")
        >>> states = []
        >>> job = client.wait(job, on_change=lambda job: states.append(job.status))
        >>> states[0], states[-1]
        ('queued', 'succeeded')
        >>> job.result.instances[0].box
        (1.0, 2.0, 3.0, 4.0)

        Args:
            job: the job, or its id.
            timeout_seconds: when to give up.
            on_change: called with the job whenever it differs from the time before, also with the first and the last.

        Raises:
            JobFailed: it ended in another way.
            JobTimedOut: it has not ended in time.
            JobNotFound, ServiceUnreachable, UnexpectedAnswer: as of `get`; a short silence is put up with.
        """
        return finished(self._calls.wait(job, timeout_seconds, on_change))

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

        >>> failed = list(client.jobs("failed"))

        Args:
            status: only those that are queued, running, succeeded, failed or canceled.

        Raises:
            RequestRejected: there is no such status.
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        yield from _each(lambda before: finished(self._calls.jobs(status, before)))

    def cancel(self, job: Job | str) -> Job:
        """End a job that has not ended; its result, should one still come, is dropped.

        >>> client.cancel(client.submit("photo.jpg", "a cat on a mat")).status
        'canceled'

        Raises:
            JobNotFound: there is no such job.
            RequestRejected: it has ended already.
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        return finished(self._calls.cancel(job))

    def retry(self, job: Job | str) -> Job:
        """Start a failed job again at the stage that failed.

        Raises:
            JobNotFound: there is no such job.
            RequestRejected: it has not failed.
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        return finished(self._calls.retry(job))

    def delete(self, job: Job | str) -> None:
        """Remove a job with its image and masks; one that has not ended is canceled first.

        Raises:
            JobNotFound: there is no such job.
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        finished(self._calls.delete(job))

    def download(self, job: Job | str, artifact: Artifact, instance: int = 0) -> bytes:
        """A picture of one instance: the mask or the transparent cut-out, which are PNGs, or the overlay, a JPEG.

        Raises:
            JobNotFound: there is no such job.
            RequestRejected: it has no such instance.
            ServiceUnreachable, UnexpectedAnswer: the service or its storage does not work.
        """
        return finished(self._calls.download(job, artifact, instance))

    def models(self) -> Mapping[str, Any]:
        """The service's table of models: `GET /v1/models`, as it answers.

        Raises:
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        return finished(self._calls.models())

    def create_key(self, name: str, **options: Unpack[KeyOptions]) -> CreatedKey:
        """Make a key, which needs one of the scope `admin`, as the following do. The answer alone holds it whole.

        Args:
            name: for people.
            options: see `KeyOptions`.

        Raises:
            RequestRejected: the service refuses it, and says why.
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        return finished(self._calls.create_key(name, options))

    def keys(self) -> Iterator[Key]:
        """All tenants' keys, the newest first, the revoked ones too, fetched page by page as they are asked for.

        Raises:
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        yield from _each(lambda before: finished(self._calls.keys(before)))

    def revoke_key(self, key: Key | str) -> None:
        """End a key, within seconds; what was done with it stays.

        Raises:
            RequestRejected: there is no such key.
            ServiceUnreachable, UnexpectedAnswer: the service does not work.
        """
        finished(self._calls.revoke_key(key))


def _each(page: Callable[[str | None], Page[Item]]) -> Iterator[Item]:
    """All that is on the pages."""
    before: str | None = None
    while True:
        items, before = page(before)
        yield from items
        if before is None:
            return
