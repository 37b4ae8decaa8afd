"""What can go wrong between a program and the service, one class a cause."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from mainmask.jobs import Job


class MainmaskError(Exception):
    """The base of all errors that the client raises, but for an image that cannot be read (OSError)."""


class BadServiceUrl(MainmaskError, ValueError):
    """The service's address is no http or https URL."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url!r} is no address of a service: it must look like http://127.0.0.1:8000")


class BadApiKey(MainmaskError, ValueError):
    """What was given as a key is none; the message does not repeat it."""

    def __init__(self) -> None:
        super().__init__("The API key holds spaces or characters that no key has")


class ServiceUnreachable(MainmaskError):
    """Nothing answers at the service's address, or what answers says that it cannot serve just now."""

    says: ClassVar[str] = "cannot be reached"

    def __init__(self, url: str, reason: str, retry_after_seconds: float = 0.0) -> None:
        self.url = url
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"The service at {url} {self.says}: {reason}")


class ServiceBusy(ServiceUnreachable):
    """So many jobs are waiting that the service takes no more for now."""

    says = "is busy"


class UnexpectedAnswer(MainmaskError):
    """Something answers that does not speak Mainmask's language, or the service itself is broken."""

    def __init__(self, url: str, what: str) -> None:
        self.url = url
        super().__init__(f"{url} gave an answer that makes no sense: {what}")


class ServiceFailed(UnexpectedAnswer):
    """The service says that it met an error of its own, which another request need not meet."""


class RequestRejected(MainmaskError):
    """The service refuses the request; its fields are those of the problem document (RFC 9457)."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        self.type = str(problem.get("type", "about:blank"))
        self.title = str(problem.get("title", "The request was rejected"))
        self.status = int(problem.get("status", 0))
        self.detail = str(problem.get("detail") or "")
        self.errors: list[Any] = list(problem.get("errors") or [])
        super().__init__(self.detail or self.title)


class KeyRefused(RequestRejected):
    """There is no key, or not a valid one (status 401), or it is not for this (status 403)."""


class QuotaExceeded(RequestRejected):
    """The key has used up what it may, for now."""

    def __init__(self, problem: Mapping[str, Any], retry_after_seconds: float) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(problem)


class JobNotFound(MainmaskError):
    """The service has no such job."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(f"There is no job {job_id}")


class JobFailed(MainmaskError):
    """The job ended without a result."""

    def __init__(self, job: "Job") -> None:
        self.job = job
        cause = f" in {job.error.stage}: {job.error.message}" if job.error else f": it was {job.status}"
        super().__init__(f"Job {job.id} failed{cause}")


class JobTimedOut(MainmaskError):
    """The job had not ended when the caller's patience had. It goes on; `wait` can be called again."""

    def __init__(self, job_id: str, seconds: float) -> None:
        self.job_id = job_id
        super().__init__(f"Job {job_id} has not ended after {seconds:g} s; it goes on without us")


class BadWebhook(MainmaskError):
    """A request to a webhook's receiver that is not the service's, or not a recent one: answer it 400."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The webhook is not to be trusted: {reason}")
