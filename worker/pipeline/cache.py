"""A cache bounded in bytes, in which a value is made once, however many threads ask for it at the same time."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from db.metrics import CACHE_REQUESTS

ValueT = TypeVar("ValueT")


class Cache(Generic[ValueT]):
    """Values by key, for any number of threads; those of least recent use make room."""

    def __init__(self, name: str, maximum_bytes: int, size: Callable[[ValueT], int]) -> None:
        """`size` is that of a value in bytes. A value larger than the whole cache isn't kept; 0 keeps nothing.

        The metrics tell of it by its name.
        """
        self.maximum_bytes = maximum_bytes
        self._size = size
        self._values: OrderedDict[Hashable, tuple[ValueT, int]] = OrderedDict()
        self._bytes = 0
        self._making: dict[Hashable, Future[ValueT]] = {}
        self._lock = threading.Lock()
        self._hits, self._misses = (CACHE_REQUESTS.labels(name, result) for result in ("hit", "miss"))

    @property
    def bytes(self) -> int:
        """What it holds now."""
        return self._bytes

    def get(self, key: Hashable, make: Callable[[], ValueT]) -> ValueT:
        """The key's value, made by the first who asks; those who ask meanwhile wait for it.

        Raises what `make` raises, to whoever ran it. Those who waited then try for themselves: the error may have been
        about the other caller.
        """
        while True:
            with self._lock:
                if key in self._values:
                    self._hits.inc()
                    self._values.move_to_end(key)
                    return self._values[key][0]
                future = self._making.get(key)
                if future is None:
                    self._misses.inc()
                    ours = self._making[key] = Future()
                    break
            if future.exception() is None:
                self._hits.inc()
                return future.result()
        return self._make(key, make, ours)

    def _make(self, key: Hashable, make: Callable[[], ValueT], ours: "Future[ValueT]") -> ValueT:
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            ours.set_exception(error)
            raise
        with self._lock:
            del self._making[key]
            self._keep(key, value)
        ours.set_result(value)
        return value

    def _keep(self, key: Hashable, value: ValueT) -> None:
        size = self._size(value)
        if size > self.maximum_bytes:
            return
        self._values[key] = (value, size)
        self._bytes += size
        while self._bytes > self.maximum_bytes:
            _, (_, freed) = self._values.popitem(last=False)
            self._bytes -= freed
