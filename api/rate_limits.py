"""How much in how long: counted in Redis, for all API processes together.

Without Redis each process counts for itself, by the same limits: so a caller may get as much from each of them. Nobody
is refused, or kept waiting, because Redis is away.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import lru_cache

from limits import RateLimitItemPerDay, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.storage import Storage as Counters
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.retry import Retry

from db.settings import settings

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 0.25
"""How long one answer of Redis' may take; a new connection needs a few of them."""
OUTAGE_SECONDS = 5
"""After how long one request, and no other beside it, tries whether Redis is back."""

SecondsToWait = float
"""0 when it was counted; else nothing was, and it may be tried again after so long."""


class RateLimits:
    """Thread-safe. `who` is counted apart from everyone else."""

    def __init__(self, redis_url: str) -> None:
        pool = ConnectionPool.from_url(
            redis_url,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._shared = RedisStorage(redis_url, pool, key_prefix="mainmask:limits", wrap_exceptions=True)
        self._own = MemoryStorage()
        self._lock = threading.Lock()
        self._away_until: float | None = None

    def take_request(self, who: str, per_minute: int) -> SecondsToWait:
        """Count one request, if there were fewer than that in the last 60 seconds."""
        return self._counted(lambda counters: _take_request(counters, who, per_minute))

    def take_bytes(self, who: str, count: int, per_day: int) -> SecondsToWait:
        """Count so many bytes, if they fit into the day, which begins with the first byte after the last day."""
        return self._counted(lambda counters: _take_bytes(counters, who, count, per_day))

    def _counted(self, take: Callable[[Counters], SecondsToWait]) -> SecondsToWait:
        if self._redis_is_asked():
            try:
                wait = take(self._shared)
            except StorageError as error:
                logger.warning("Redis doesn't answer; each API process counts for itself: %s", error)
                self._away_until = time.monotonic() + OUTAGE_SECONDS
            else:
                self._away_until = None
                return wait
        return take(self._own)

    def _redis_is_asked(self) -> bool:
        with self._lock:
            if self._away_until is None:
                return True
            if time.monotonic() < self._away_until:
                return False
            self._away_until = time.monotonic() + OUTAGE_SECONDS
            return True


def _take_request(counters: Counters, who: str, per_minute: int) -> SecondsToWait:
    # It keeps each request's time: there is no burst at a window's edge, and it knows when the next slot is free.
    window, limit = MovingWindowRateLimiter(counters), RateLimitItemPerMinute(per_minute)
    if window.hit(limit, "requests", who):
        return 0
    return _until(window.get_window_stats(limit, "requests", who).reset_time)


def _take_bytes(counters: Counters, who: str, count: int, per_day: int) -> SecondsToWait:
    # One number for the day: a moving window would keep a time for each byte.
    window, limit = FixedWindowRateLimiter(counters), RateLimitItemPerDay(per_day)
    # It counts what it refuses, too; so it is asked first, and only what comes at the same moment can be lost by that.
    if window.test(limit, "bytes", who, cost=count) and window.hit(limit, "bytes", who, cost=count):
        return 0
    return _until(window.get_window_stats(limit, "bytes", who).reset_time)


def _until(moment: float) -> SecondsToWait:
    """Never 0, which would say that it was counted."""
    return max(moment - time.time(), 0.1)


@lru_cache
def rate_limits() -> RateLimits:
    """The process's."""
    return RateLimits(settings().redis_url)
