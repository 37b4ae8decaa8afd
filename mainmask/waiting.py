"""Waiting for a job's end: by server-sent events where they come, by asking again and again where they don't."""

from collections.abc import Callable
from contextlib import aclosing, suppress

from mainmask.errors import JobFailed, JobTimedOut, MainmaskError, QuotaExceeded, ServiceUnreachable
from mainmask.job_events import JobEvent
from mainmask.jobs import Job
from mainmask.polling import Polling
from mainmask.transport import Transport

UNREACHABLE_SECONDS = 15.0
"""For how long, at least, a service that does not answer is put up with, because it may be starting again."""
SILENCE_SECONDS = 10.0
"""After so long without an event the job is asked for: the stream may be dead, and nobody has noticed."""

OnChange = Callable[[Job], None]


async def wait(
    transport: Transport, job_id: str, timeout_seconds: float, on_change: OnChange | None, silent_seconds: float
) -> Job:
    """The job once it has succeeded; raises what `Client.wait` does. A longer silence than this is not put up with."""
    silence = max(silent_seconds, UNREACHABLE_SECONDS)
    job = await _Wait(transport, job_id, Polling(timeout_seconds), on_change, silence).end()
    if job is None:
        raise JobTimedOut(job_id, timeout_seconds)
    if job.status != "succeeded":
        raise JobFailed(job)
    return job


class _Wait:
    """One wait for one job."""

    def __init__(
        self, transport: Transport, job_id: str, polling: Polling, on_change: OnChange | None, silence: float
    ) -> None:
        self._transport = transport
        self._job_id = job_id
        self._polling = polling
        self._longest_silence_seconds = silence
        self._on_change = on_change
        self._seen: Job | None = None
        self._streams = True
        self._last_event_id = ""

    async def end(self) -> Job | None:
        """The job when it has ended; None at the deadline. It is asked for at least once."""
        while True:
            job, retry_after_seconds = await self._ask()
            if self._has_ended(job):
                return job
            # A stream cannot be left in the middle of its silence: the last stretch is polled.
            if job and self._streams and self._polling.seconds_left() > SILENCE_SECONDS:
                job = await self._listen()
                if self._has_ended(job):
                    return job
            if self._polling.is_over():
                return None
            await self._transport.sleep(self._polling.next_pause(retry_after_seconds))

    def _has_ended(self, job: Job | None) -> bool:
        """Whether it has, as far as this tells; and tells the caller."""
        if job is None:
            return False
        if self._on_change and job != self._seen:
            self._on_change(job)
        self._seen = job
        return job.ended

    async def _ask(self) -> tuple[Job | None, float]:
        """The job, unless it can't be told just now, and how long the service would like not to be asked."""
        try:
            job, retry_after_seconds = await self._transport.job(self._job_id)
        except QuotaExceeded as error:
            self._polling.answered()
            if self._polling.is_over():
                raise
            return None, error.retry_after_seconds
        except ServiceUnreachable as error:
            if self._polling.is_over() or self._polling.silent_seconds() > self._longest_silence_seconds:
                raise
            return None, error.retry_after_seconds
        self._polling.answered()
        return job, retry_after_seconds

    async def _listen(self) -> Job | None:
        """The job as the stream's last event tells it; None when the stream has ended without."""
        # Until it has said something. One that a proxy holds back would cost a silence each time.
        self._streams = False
        with suppress(MainmaskError):  # Whatever keeps it from telling, asking will say the same or go on without it.
            async with (
                self._transport.events(self._job_id, self._last_event_id, SILENCE_SECONDS) as stream,
                aclosing(stream) as events,
            ):
                async for event in events:
                    self._streams = True
                    self._last_event_id = event.id
                    if event.job:
                        return event.job
                    if self._polling.seconds_left() < SILENCE_SECONDS:
                        return None
                    await self._look(event)
        return None

    async def _look(self, event: JobEvent) -> None:
        """Ask for the job when a stage has changed, if the caller wants to know: the event alone does not say all."""
        if event.name.startswith("stage.") and self._on_change:
            job, _ = await self._ask()
            self._has_ended(job)
