"""Works pictures through a service, so many at a time, and notes each in the manifest."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mainmask import artifacts
from mainmask.async_client import AsyncClient
from mainmask.errors import (
    JobFailed,
    JobNotFound,
    JobTimedOut,
    KeyRefused,
    MainmaskError,
    QuotaExceeded,
    RequestRejected,
    ServiceFailed,
)
from mainmask.folder import durable, results
from mainmask.folder.manifest import Manifest, Row
from mainmask.folder.pictures import Picture
from mainmask.folder.words import Words
from mainmask.jobs import Job
from mainmask.options import SubmitOptions
from mainmask.retries import Retries

PATIENCE = Retries(silent_seconds=60.0, busy_seconds=float("inf"))
"""A service that starts again does not end a night's run; one that is busy, or a quota, only makes it longer."""


@dataclass(frozen=True)
class Question:
    """What is asked about one picture."""

    sha256: str
    """Of the file."""
    content: bytes
    words: Words
    options: SubmitOptions

    @property
    def key(self) -> str:
        """The same for the same question, whenever and however often it is asked: an `Idempotency-Key`."""
        said = [self.sha256, self.words.description, self.words.labels, dict(self.options)]
        return "folder-" + hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Run:
    """One go through the pictures. Those that the manifest has an answer for are left alone, if its files are whole."""

    client: AsyncClient
    manifest: Manifest
    out: Path
    """Gets a folder for each picture's files, named as the picture."""
    options: SubmitOptions
    jobs: int
    """How many may be in flight."""
    retry_failed: bool
    timeout_seconds: float
    """For each picture's result."""
    on_done: Callable[[Row], None]
    """Called with each picture's row, also with those that were there before."""

    async def work_through(self, pictures: Iterable[tuple[Picture, Words]]) -> None:
        """Deal with all of them.

        Whatever ends it, even SIGKILL, the manifest is whole; the same run again goes on where it was.

        Raises:
            KeyRefused, ServiceUnreachable, UnexpectedAnswer: what the other pictures would meet, too.
            OSError: the results cannot be written.
        """
        waiting = iter(pictures)

        async def work() -> None:
            for picture, words in waiting:
                self.on_done(await self._dealt_with(picture, words))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.jobs):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _dealt_with(self, picture: Picture, words: Words) -> Row:
        earlier = self.manifest.rows.get(picture.name)
        try:
            content = await asyncio.to_thread(picture.path.read_bytes)
        except OSError as error:
            if earlier and earlier.key is None and not self.retry_failed:
                return earlier
            return self._failed(picture, "unreadable", error.strerror or str(error))
        question = Question(hashlib.sha256(content).hexdigest(), content, words, self.options)
        if earlier is None or earlier.key != question.key:
            return await self._asked(picture, question, None)
        if earlier.succeeded:
            return await self._kept(picture, question, earlier)
        return await self._asked(picture, question, earlier) if self.retry_failed else earlier

    async def _kept(self, picture: Picture, question: Question, earlier: Row) -> Row:
        """The row of an answer that was there; files of it that are gone or damaged are fetched again."""
        folder = self.out / picture.name
        if await asyncio.to_thread(results.are_whole, folder, earlier.files):
            return earlier
        try:
            files = await self._save(await self.client.get(str(earlier.job_id)), folder)
        except (JobNotFound, RequestRejected, ServiceFailed):
            # The service has removed it meanwhile, or can't give it: the question is asked once more.
            return await self._asked(picture, question, earlier)
        row = replace(earlier, files=files)
        if row != earlier:
            self.manifest.append(row)
        return row

    async def _asked(self, picture: Picture, question: Question, former: Row | None) -> Row:
        """The row of the answer; `former` is what became of the same question before."""
        about: dict[str, Any] = {
            "sha256": question.sha256,
            "key": question.key,
            "attempt": former.attempt + 1 if former else 1,
        }
        job: Job | None = None
        try:
            job = await (self._retried(question, former) if former else self._submitted(question, 1))
            job = await self.client.wait(job, timeout_seconds=self.timeout_seconds)
            files = await self._save(job, self.out / picture.name)
        except (KeyRefused, QuotaExceeded):
            raise
        except (JobFailed, JobTimedOut, JobNotFound, RequestRejected, ServiceFailed) as error:
            job_id = job.id if job else None
            return self._failed(picture, *_cause(error), job_id=job_id, **about)
        row = Row.of_answer(job, path=picture.name, files=files, **about)
        self.manifest.append(row)
        return row

    async def _submitted(self, question: Question, attempt: int) -> Job:
        key = question.key if attempt == 1 else f"{question.key}-{attempt}"
        options = question.words.added_to(question.options)
        description = question.words.description
        return await self.client.submit(question.content, description, idempotency_key=key, **options)

    async def _retried(self, question: Question, former: Row) -> Job:
        """The job that failed, started again; another one where there was none, or it is gone."""
        try:
            if former.job_id:
                return await self.client.retry(former.job_id)
        except JobNotFound:
            pass
        except RequestRejected as error:
            # A run that was killed had started it again, or it had only been waited for too long.
            if _code(error) != "job-not-failed":
                raise
            job = await self.client.get(str(former.job_id))
            if job.status != "canceled":
                return job
        return await self._submitted(question, former.attempt + 1)

    async def _save(self, job: Job, folder: Path) -> dict[str, str]:
        """On the disk before the row is: what the manifest names is there. Returns the files' digests by name."""
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        digests = {}
        for download in artifacts.downloads(job):
            png = await self.client.download(job, download.artifact, download.instance)
            await asyncio.to_thread(durable.write, folder / download.file_name, png)
            digests[download.file_name] = results.digest(download.file_name, png)
        document = artifacts.document(job)
        await asyncio.to_thread(durable.write, folder / artifacts.DOCUMENT, document)
        return {**digests, artifacts.DOCUMENT: results.digest(artifacts.DOCUMENT, document)}

    def _failed(self, picture: Picture, kind: str, message: str, **about: Any) -> Row:
        row = Row(path=picture.name, status="failed", error_type=kind, error_message=message, **about)
        self.manifest.append(row)
        return row


def _cause(error: MainmaskError) -> tuple[str, str]:
    """The stable name of it, and words."""
    if isinstance(error, JobFailed):
        cause = error.job.error
        return (cause.type, cause.message) if cause else (error.job.status, str(error))
    if isinstance(error, RequestRejected):
        return _code(error), str(error)
    return {JobTimedOut: "timed-out", JobNotFound: "job-not-found"}.get(type(error), "internal"), str(error)


def _code(error: RequestRejected) -> str:
    return error.type.rpartition("/")[2]
