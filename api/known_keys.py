"""The keys as Postgres had them a moment ago: who polls doesn't cost a query more each time."""

import threading
import time
from collections import OrderedDict
from functools import lru_cache
from uuid import UUID

from db import api_keys
from db.models import ApiKey
from db.session import session_factory

FRESH_SECONDS = 5
"""How long a revoked key may still open the other API processes; the one that revokes it forgets it at once."""
MOST = 10_000


class KnownKeys:
    """By their ids; ids that are no key's are kept, too. Thread-safe."""

    def __init__(self) -> None:
        self._known: OrderedDict[UUID, tuple[float, ApiKey | None]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key_id: UUID) -> ApiKey | None:
        """The key, also a revoked one."""
        with self._lock:
            until, key = self._known.get(key_id, (0.0, None))
        if time.monotonic() < until:
            return key
        # Its age counts from before the question: what is revoked meanwhile isn't kept any longer.
        until = time.monotonic() + FRESH_SECONDS
        with session_factory()() as session:
            key = api_keys.get(session, key_id)
        with self._lock:
            self._known[key_id] = (until, key)
            self._known.move_to_end(key_id)
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        return key

    def forget(self, key_id: UUID) -> None:
        """Ask Postgres next time."""
        with self._lock:
            self._known.pop(key_id, None)


@lru_cache
def known_keys() -> KnownKeys:
    """The process's."""
    return KnownKeys()
