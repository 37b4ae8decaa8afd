"""What both clients do, written once: `Client` and `AsyncClient` differ in how they wait for it."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from mainmask.errors import MainmaskError
from mainmask.jobs import Job
from mainmask.keys import CreatedKey, Key
from mainmask.options import Artifact, KeyOptions, SubmitOptions
from mainmask.retries import Retries
from mainmask.transport import Transport
from mainmask.waiting import OnChange, wait

Image = str | Path | bytes | BinaryIO
Answer = TypeVar("Answer")
Page = tuple[list[Answer], str | None]
"""What is on it, and what to ask for the next one with; None after the last."""


class Calls:
    """Each method is the one of `Client` that has its name."""

    def __init__(self, transport: Transport, retries: Retries) -> None:
        self._transport = transport
        self._retries = retries

    async def close(self) -> None:
        await self._transport.close()

    async def submit(
        self,
        image: Image | None,
        description: str | None,
        idempotency_key: str | None,
        options: SubmitOptions,
    ) -> Job:
        if (image is None) != ("image_url" in options):
            raise ValueError("Give either an image or its URL.")
        content = None if image is None else _content(image)
        fields = _said({"description": description, **options})
        # Of the client's own if need be: then sending it again is safe.
        key = idempotency_key or str(uuid.uuid4())
        return await self._again(lambda: self._transport.submit(content, fields, key))

    async def get(self, job: Job | str) -> Job:
        answer, _ = await self._again(lambda: self._transport.job(_id(job)))
        return answer

    async def wait(self, job: Job | str, timeout_seconds: float, on_change: OnChange | None) -> Job:
        return await wait(self._transport, _id(job), timeout_seconds, on_change, self._retries.silent_seconds)

    async def jobs(self, status: str | None, before: str | None) -> Page[Job]:
        return await self._again(lambda: self._transport.jobs(status, before))

    async def cancel(self, job: Job | str) -> Job:
        return await self._again(lambda: self._transport.change(_id(job), "cancel"))

    async def retry(self, job: Job | str) -> Job:
        return await self._once(lambda: self._transport.change(_id(job), "retry"))

    async def delete(self, job: Job | str) -> None:
        await self._once(lambda: self._transport.delete(_id(job)))

    async def download(self, job: Job | str, artifact: Artifact, instance: int) -> bytes:
        return await self._again(lambda: self._transport.artifact(_id(job), artifact, instance))

    async def models(self) -> Mapping[str, Any]:
        return await self._again(self._transport.models)

    async def create_key(self, name: str, options: KeyOptions) -> CreatedKey:
        return await self._once(lambda: self._transport.create_key(_said({"name": name, **options})))

    async def keys(self, before: str | None) -> Page[Key]:
        return await self._again(lambda: self._transport.keys(before))

    async def revoke_key(self, key: Key | str) -> None:
        key_id = key if isinstance(key, str) else key.id
        await self._once(lambda: self._transport.revoke_key(key_id))

    async def _once(self, send: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer of a request that must not be carried out twice: sent again only when it surely was not."""
        return await _answer(send, replace(self._retries, silent_seconds=0.0), self._transport.sleep)

    async def _again(self, send: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer of a request that may be carried out twice."""
        return await _answer(send, self._retries, self._transport.sleep)


async def _answer(
    send: Callable[[], Awaitable[Answer]], retries: Retries, sleep: Callable[[float], Awaitable[None]]
) -> Answer:
    """Send until there is an answer, or patience ends."""
    attempt, paused_seconds = 0, 0.0
    while True:
        try:
            return await send()
        except MainmaskError as error:
            pause = retries.pause_seconds(error, attempt, paused_seconds)
            if pause is None:
                raise
        await sleep(pause)
        attempt, paused_seconds = attempt + 1, paused_seconds + pause


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _id(job: Job | str) -> str:
    return job if isinstance(job, str) else job.id


def _content(image: Image) -> bytes:
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | Path):
        return Path(image).read_bytes()
    return image.read()
