"""Answers that were given already, by the hash of their question."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """Keeps the most recently used answers. A question that is being asked isn't asked again meanwhile."""

    def __init__(self, maximum_entries: int) -> None:
        self._maximum_entries = maximum_entries
        self._lock = threading.Lock()
        self._answers: OrderedDict[bytes, Future[T]] = OrderedDict()

    def get(self, question: str, ask: Callable[[], T]) -> T:
        """The answer, from `ask` where it isn't known. What `ask` raises is raised, to all who wait, and not kept."""
        key = hashlib.sha256(question.encode("utf-8", "surrogatepass")).digest()
        with self._lock:
            known = self._answers.get(key)
            answer: Future[T] = known or Future()
            self._answers[key] = answer
            self._answers.move_to_end(key)
            if len(self._answers) > self._maximum_entries:
                self._answers.popitem(last=False)
        if known is None:
            self._fill(key, answer, ask)
        return answer.result()

    def _fill(self, key: bytes, answer: "Future[T]", ask: Callable[[], T]) -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:
            with self._lock:
                self._answers.pop(key, None)
            answer.set_exception(error)
            raise
