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
        super().__init__(f"The {what} is larger than the {maximum_bytes / 1024**2:.0f} MiB that are taken.")


class MalformedBody(MainmaskError):
    """The body isn't what its Content-Type says."""

    code = "malformed-body"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The body can't be parsed: {reason}")
