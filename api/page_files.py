"""How the page's files are handed to browsers."""

from typing import Any

from fastapi import Response
from fastapi.staticfiles import StaticFiles


class PageFiles(StaticFiles):
    """Files that a browser keeps, but asks after each time: after an upgrade, old and new must not be mixed."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Starlette's own, with its `ETag`, or 304."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def content_security_policy(storage_origin: str) -> str:
    """What the page may load and do: its own files, its own API, and pictures, from the storage too.

    No script or style stands in the page itself, and no text ever becomes HTML.
    """
    allowed = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        # blob: is a picture that the reader has just chosen.
        "img-src": f"'self' blob: {storage_origin}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }
    return "; ".join(f"{directive} {sources}" for directive, sources in allowed.items())
