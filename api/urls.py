"""The form of callers' URLs; where they lead is checked by whoever requests them, when they do."""

from pydantic import AnyHttpUrl, TypeAdapter, ValidationError

MAXIMUM_CHARACTERS = 2048
_HTTP_URL = TypeAdapter(AnyHttpUrl)


def check_url(url: str) -> str:
    """The URL, if it is one of http or https without a user's name in it; else raises ValueError."""
    if len(url) > MAXIMUM_CHARACTERS:
        raise ValueError(f"a URL has at most {MAXIMUM_CHARACTERS} characters")
    try:
        parsed = _HTTP_URL.validate_python(url)
    except ValidationError as error:
        raise ValueError("it is no http or https URL") from error
    if parsed.username or parsed.password:
        raise ValueError("a URL must not hold a user's name or password")
    written = str(parsed)
    if len(written) > MAXIMUM_CHARACTERS:
        raise ValueError(f"a URL has at most {MAXIMUM_CHARACTERS} characters, as it is sent")
    return written
