"""Calls of a model from many threads, merged into fewer and larger ones."""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from db.metrics import BATCH_SIZE, BATCH_WAIT

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class BatchLimits:
    """How large a batch may become, and what waiting for it may cost."""

    size: int = 1
    """Items a call; 1: each thread calls for itself, side by side with the others."""
    wait_seconds: float = 0.0
    """How long the first item of a batch waits for others while the device is free."""
    waiting: int = 64
    """Items that wait at once; whoever comes then is held up before."""
    patience_seconds: float = 60.0
    """How long an item waits for its turn."""


@dataclass(eq=False)
class _Entry(Generic[ItemT, ResultT]):
    item: ItemT
    key: Hashable
    turn: threading.Condition
    """Notified when it may lead a batch, and when its result is there."""
    since: float = field(default_factory=time.monotonic)
    is_taken: bool = False
    result: "Future[ResultT]" = field(default_factory=Future)


class Batcher(Generic[ItemT, ResultT]):
    """Merges the calls of threads that wait for their results.

    It has no thread of its own: the one that has waited longest runs the batch for all in it, one batch at a time. So
    there is nothing to be shut down, and a call that hangs holds all of its jobs' threads, where the watchdog of the
    leases sees every one of them.

    Between two batches the device is idle, so little happens there: the next one's leader is woken alone, and before
    anyone gets a result.
    """

    def __init__(
        self,
        run: Callable[[Sequence[ItemT]], Sequence[ResultT]],
        limits: BatchLimits,
        stage: str,
        key: Callable[[ItemT], Hashable] = lambda _: None,
    ) -> None:
        """`run` gives a result for each item, in their order. Only items of the same `key` share a batch.

        `stage` is whose metrics tell of the batches.
        """
        self._run = run
        self._limits = limits
        self._key = key
        self._waiting: deque[_Entry[ItemT, ResultT]] = deque()
        self._is_running = False
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._size_metric, self._wait_metric = BATCH_SIZE.labels(stage), BATCH_WAIT.labels(stage)

    def __call__(self, item: ItemT) -> ResultT:
        """The item's result.

        Raises what `run` raises for this item alone: a batch that fails is run again, one item at a time. Raises
        `TimeoutError` when its turn doesn't come.
        """
        entry: _Entry[ItemT, ResultT] = _Entry(item, self._key(item), threading.Condition(self._lock))
        if self._limits.size == 1:
            self._count([entry], time.monotonic())
            return self._run([item])[0]
        if batch := self._queue(entry):
            self._lead(batch)
        return entry.result.result()

    def _queue(self, entry: _Entry[ItemT, ResultT]) -> list[_Entry[ItemT, ResultT]]:
        """Wait until the entry's result is there, or until it leads the batch that is returned."""
        patience_ends = entry.since + self._limits.patience_seconds
        with self._lock:
            self._wait_for_room(patience_ends)
            self._waiting.append(entry)
            self._wake_first()  # its batch may be full
            while not entry.result.done():
                # What has begun is the watchdog's to judge; until then, this is.
                until = None if entry.is_taken else patience_ends
                if not self._is_running and self._waiting and self._waiting[0] is entry:
                    batch = self._batch()
                    until = entry.since + self._limits.wait_seconds
                    if len(batch) == self._limits.size or time.monotonic() >= until:
                        return self._take(batch)
                elif until is not None and time.monotonic() >= until:
                    self._waiting.remove(entry)
                    self._room.notify()
                    self._wake_first()
                    self._give_up()
                entry.turn.wait(None if until is None else max(0.0, until - time.monotonic()))
        return []

    def _wait_for_room(self, until: float) -> None:
        patience_seconds = max(0.0, until - time.monotonic())
        if not self._room.wait_for(lambda: len(self._waiting) < self._limits.waiting, patience_seconds):
            self._give_up()

    def _give_up(self) -> None:
        raise TimeoutError(f"The model is too busy: no turn within {self._limits.patience_seconds:g} s.")

    def _wake_first(self) -> None:
        """While a batch runs nobody can lead another."""
        if self._waiting and not self._is_running:
            self._waiting[0].turn.notify()

    def _batch(self) -> list[_Entry[ItemT, ResultT]]:
        """The first entry, and those that may join it, oldest first."""
        same = (entry for entry in self._waiting if entry.key == self._waiting[0].key)
        return [entry for _, entry in zip(range(self._limits.size), same, strict=False)]

    def _take(self, batch: list[_Entry[ItemT, ResultT]]) -> list[_Entry[ItemT, ResultT]]:
        for entry in batch:
            self._waiting.remove(entry)
            entry.is_taken = True
        self._is_running = True
        self._room.notify(len(batch))
        return batch

    def _lead(self, batch: list[_Entry[ItemT, ResultT]]) -> None:
        begun = time.monotonic()
        try:
            outcomes = self._outcomes(batch)
        finally:
            with self._lock:
                self._is_running = False
                self._wake_first()
        with self._lock:
            for settle in outcomes:
                settle()
            for entry in batch:
                entry.turn.notify()
        self._count(batch, begun)

    def _outcomes(self, batch: list[_Entry[ItemT, ResultT]]) -> list[Callable[[], None]]:
        """What gives each entry its result, or its error."""
        try:
            results = self._run([entry.item for entry in batch])
            return [partial(entry.result.set_result, result) for entry, result in zip(batch, results, strict=True)]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the item's result
            if len(batch) == 1:
                return [partial(batch[0].result.set_exception, error)]
        # Outside the except: what the failed call held, on the device too, is free by now.
        return [outcome for entry in batch for outcome in self._outcomes([entry])]

    def _count(self, batch: Sequence[_Entry[ItemT, ResultT]], begun: float) -> None:
        self._size_metric.observe(len(batch))
        for entry in batch:
            self._wait_metric.observe(begun - entry.since)
