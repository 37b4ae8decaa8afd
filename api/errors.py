"""What can be wrong with a request before there is a job."""

from db.errors import MainmaskError


class UnsupportedMediaType(MainmaskError):
    """The body is neither multipart nor JSON."""

    code = "unsupported-media-type"

    def __init__(self, content_type: str) -> None:
        super().__init__(
            f"Send multipart/form-data with an `image` file, or application/json with `image_base64`, "
            f"not {content_type or 'a body without a Content-Type'}."
        )


class BodyTooLarge(MainmaskError):
    """The body, or the image in it, has more bytes than are taken."""

    code = "body-too-large"

    def __init__(self, what: str, maximum_bytes: int) -> None:
        super().__init__(f"The {what} is larger than the {maximum_bytes:,} bytes that are taken.")


class MalformedBody(MainmaskError):
    """The body isn't what its Content-Type says."""

    code = "malformed-body"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The body can't be parsed: {reason}")


class Unauthenticated(MainmaskError):
    """No key came, or one that is malformed, unknown, wrong or revoked: callers aren't told which."""

    code = "unauthenticated"

    def __init__(self) -> None:
        super().__init__("This takes a valid key, sent as `Authorization: Bearer mm_…`.")


class ScopeMissing(MainmaskError):
    """The key isn't for this."""

    code = "scope-missing"

    def __init__(self, scope: str) -> None:
        super().__init__(f"This takes a key with the scope {scope}.")


class BatchTooLarge(MainmaskError):
    """The batch alone has more jobs than its key may have in flight: waiting doesn't help."""

    code = "batch-too-large"

    def __init__(self, count: int, maximum: int) -> None:
        super().__init__(f"The batch has {count} jobs to run, and this key may have {maximum} in flight: split it.")


class QuotaExceeded(MainmaskError):
    """The key has used up what it may."""

    code = "quota-exceeded"

    def __init__(self, allowance: str, retry_after_seconds: float) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"This key may {allowance}, and no more.")


class QueueFull(MainmaskError):
    """So much waits for the workers that no more is taken."""

    code = "queue-full"

    def __init__(self) -> None:
        super().__init__("Too many jobs are waiting already; none is taken until there are fewer.")


class LengthRequired(MainmaskError):
    """Bytes that aren't declared can't be counted before they are read."""

    code = "length-required"

    def __init__(self) -> None:
        super().__init__("This key's bytes are counted: send the body with a Content-Length, not in chunks.")
