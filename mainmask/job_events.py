"""What a job's stream of server-sent events says."""

import json
from dataclasses import dataclass
from typing import Self

from httpx_sse import ServerSentEvent

from mainmask.jobs import Job


@dataclass(frozen=True)
class JobEvent:
    """One event of `GET /v1/jobs/{id}/events`."""

    id: str
    """Sent as `Last-Event-ID`, it gives what came after."""
    name: str
    """job.queued, stage.running, stage.succeeded, …; empty when the stream has only said that it is there."""
    job: Job | None
    """The job as it ended, in the last event."""

    @classmethod
    def from_event(cls, event: ServerSentEvent) -> Self:
        """Read it.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        if not event.data:
            return cls(event.id, "", None)
        document = json.loads(event.data).get("job")
        return cls(event.id, event.event, Job.from_document(document) if document else None)
