"""The proxy and the certificates that the environment names: HTTP libraries read them when a client is built."""

from collections.abc import Iterator
from contextlib import contextmanager

from worker.models.errors import PullRefused


@contextmanager
def read_for(url: str) -> Iterator[None]:
    """Raise `PullRefused` of that URL for whatever building a client raises."""
    try:
        yield
    except OSError as error:  # a file that isn't there, or holds no certificate
        reason = f"the certificates of SSL_CERT_FILE or SSL_CERT_DIR can't be read: {error.strerror or error}"
        raise PullRefused(url, reason) from error
    except Exception as error:  # a missing package, a wrong scheme or port: each library has its own
        raise PullRefused(url, f"the environment's proxy can't be used: {str(error).rstrip('.')}") from error
