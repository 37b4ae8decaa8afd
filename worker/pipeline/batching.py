"""Calls of a model from many threads, merged into fewer and larger ones."""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
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
    since: float = field(default_factory=time.monotonic)
    result: "Future[ResultT]" = field(default_factory=Future)


class Batcher(Generic[ItemT, ResultT]):
    """Merges the calls of threads that wait for their results.

    It has no thread of its own: the one that has waited longest runs the batch for all in it, one batch at a time. So
    there is nothing to be shut down, and a call that hangs holds all of its jobs' threads, where the watchdog of the
    leases sees every one of them.
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
        self._changed = threading.Condition()
        self._size_metric, self._wait_metric = BATCH_SIZE.labels(stage), BATCH_WAIT.labels(stage)

    def __call__(self, item: ItemT) -> ResultT:
        """The item's result.

        Raises what `run` raises for this item alone: a batch that fails is run again, one item at a time. Raises
        `TimeoutError` when its turn doesn't come.
        """
        entry: _Entry[ItemT, ResultT] = _Entry(item, self._key(item))
        if self._limits.size == 1:
            self._count([entry])
            return self._run([item])[0]
        if batch := self._queue(entry):
            try:
                self._settle(batch)
            finally:
                with self._changed:
                    self._is_running = False
                    self._changed.notify_all()
        return entry.result.result()

    def _queue(self, entry: _Entry[ItemT, ResultT]) -> list[_Entry[ItemT, ResultT]]:
        """Wait until the entry's result is there, or until it leads the batch that is returned."""
        patience_ends = entry.since + self._limits.patience_seconds
        with self._changed:
            self._wait_for_room(patience_ends)
            self._waiting.append(entry)
            self._changed.notify_all()
            while entry in self._waiting:
                # What has begun is the watchdog's to judge; until then, this is.
                until = patience_ends
                if not self._is_running and self._waiting[0] is entry:
                    batch = self._batch()
                    until = entry.since + self._limits.wait_seconds
                    if len(batch) == self._limits.size or time.monotonic() >= until:
                        return self._take(batch)
                elif time.monotonic() >= patience_ends:
                    self._waiting.remove(entry)
                    self._changed.notify_all()
                    self._give_up()
                self._changed.wait(max(0.0, until - time.monotonic()))
        return []

    def _wait_for_room(self, until: float) -> None:
        patience_seconds = max(0.0, until - time.monotonic())
        if not self._changed.wait_for(lambda: len(self._waiting) < self._limits.waiting, patience_seconds):
            self._give_up()

    def _give_up(self) -> None:
        raise TimeoutError(f"The model is too busy: no turn within {self._limits.patience_seconds:g} s.")

    def _batch(self) -> list[_Entry[ItemT, ResultT]]:
        """The first entry, and those that may join it, oldest first."""
        same = (entry for entry in self._waiting if entry.key == self._waiting[0].key)
        return [entry for _, entry in zip(range(self._limits.size), same, strict=False)]

    def _take(self, batch: list[_Entry[ItemT, ResultT]]) -> list[_Entry[ItemT, ResultT]]:
        for entry in batch:
            self._waiting.remove(entry)
        self._is_running = True
        self._count(batch)
        self._changed.notify_all()  # there is room again
        return batch

    def _count(self, batch: Sequence[_Entry[ItemT, ResultT]]) -> None:
        now = time.monotonic()
        self._size_metric.observe(len(batch))
        for entry in batch:
            self._wait_metric.observe(now - entry.since)

    def _settle(self, batch: list[_Entry[ItemT, ResultT]]) -> None:
        """Give every entry its result or its error."""
        try:
            results = self._run([entry.item for entry in batch])
            settled = list(zip(batch, results, strict=True))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the item's result
            if len(batch) == 1:
                batch[0].result.set_exception(error)
                return
        else:
            for entry, result in settled:
                entry.result.set_result(result)
            return
        # Outside the except: what the failed call held, on the device too, is free by now.
        for entry in batch:
            self._settle([entry])
