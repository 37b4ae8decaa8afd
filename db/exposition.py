"""Who may read the metrics."""

import hmac

from db.settings import settings


def may_read(authorization: str | None) -> bool:
    """Whether this `Authorization` header opens the metrics: they may ask for the bearer token of the settings."""
    token = settings().metrics_token
    if token is None:
        return True
    expected = f"Bearer {token.get_secret_value()}".encode()
    # Headers are Latin-1; it compares in a time that doesn't tell where they differ.
    return hmac.compare_digest((authorization or "").encode("latin-1", "replace"), expected)
