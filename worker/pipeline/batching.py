"""Calls of a model from many threads, merged into fewer and larger ones."""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
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
    since: float = field(default_factory=time.monotonic)
    is_taken: bool = False
    result: "Future[ResultT]" = field(default_factory=Future)


class Batcher(Generic[ItemT, ResultT]):
    """Merges the calls of threads that wait for their results.

    One thread runs the batches, one after another: between two the device is idle, and to hand the lead from one
    waiting thread to the next would cost two turns at Python's lock instead of one. A call that hangs holds all of its
    jobs' threads, where the watchdog of the leases sees every one of them.
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
        self._is_served = False
        # It has no thread before the first batch, and none after the batcher is gone.
        self._device = ThreadPoolExecutor(1, f"{stage}-batches")
        self._lock = threading.Lock()
        self._room, self._arrived = threading.Condition(self._lock), threading.Condition(self._lock)
        self._size_metric, self._wait_metric = BATCH_SIZE.labels(stage), BATCH_WAIT.labels(stage)

    def __call__(self, item: ItemT) -> ResultT:
        """The item's result.

        Raises what `run` raises for this item alone: a batch that fails is run again, one item at a time. Raises
        `TimeoutError` when its turn doesn't come.
        """
        entry: _Entry[ItemT, ResultT] = _Entry(item, self._key(item))
        if self._limits.size == 1:
            self._count([entry], time.monotonic())
            return self._run([item])[0]
        patience_ends = entry.since + self._limits.patience_seconds
        with self._lock:
            if not self._room.wait_for(lambda: len(self._waiting) < self._limits.waiting, _until(patience_ends)):
                self._give_up()
            self._waiting.append(entry)
            if self._is_served:
                self._arrived.notify()
            else:
                self._is_served = True
                self._device.submit(self._serve)
        if not wait([entry.result], _until(patience_ends)).done:
            self._withdraw(entry)
        # What has begun is the watchdog's to judge.
        return entry.result.result()

    def _withdraw(self, entry: _Entry[ItemT, ResultT]) -> None:
        with self._lock:
            if not entry.is_taken:
                self._waiting.remove(entry)
                self._room.notify()
                self._arrived.notify()
                self._give_up()

    def _give_up(self) -> None:
        raise TimeoutError(f"The model is too busy: no turn within {self._limits.patience_seconds:g} s.")

    def _serve(self) -> None:
        """Run batches for as long as anything waits."""
        while batch := self._next():
            begun = time.monotonic()
            outcomes = self._outcomes(batch)
            self._count(batch, begun)
            for settle in outcomes:
                settle()

    def _next(self) -> list[_Entry[ItemT, ResultT]]:
        """The next batch, once it is full or its first item has waited long enough; empty when nothing waits."""
        with self._lock:
            while self._waiting:
                batch = self._batch()
                seconds = _until(batch[0].since + self._limits.wait_seconds)
                if len(batch) == self._limits.size or not seconds:
                    return self._take(batch)
                self._arrived.wait(seconds)
            self._is_served = False
            return []

    def _batch(self) -> list[_Entry[ItemT, ResultT]]:
        """The first entry, and those that may join it, oldest first."""
        same = (entry for entry in self._waiting if entry.key == self._waiting[0].key)
        return [entry for _, entry in zip(range(self._limits.size), same, strict=False)]

    def _take(self, batch: list[_Entry[ItemT, ResultT]]) -> list[_Entry[ItemT, ResultT]]:
        for entry in batch:
            self._waiting.remove(entry)
            entry.is_taken = True
        self._room.notify(len(batch))
        return batch

    def _outcomes(self, batch: list[_Entry[ItemT, ResultT]]) -> list[Callable[[], None]]:
        """What gives each entry its result, or its error."""
        try:
            results = self._run([entry.item for entry in batch])
            return [partial(entry.result.set_result, result) for entry, result in zip(batch, results, strict=True)]
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the item's result: else nobody hears of it
            if len(batch) == 1:
                return [partial(batch[0].result.set_exception, error)]
        # Outside the except: what the failed call held, on the device too, is free by now.
        return [outcome for entry in batch for outcome in self._outcomes([entry])]

    def _count(self, batch: Sequence[_Entry[ItemT, ResultT]], begun: float) -> None:
        self._size_metric.observe(len(batch))
        for entry in batch:
            self._wait_metric.observe(begun - entry.since)


def _until(moment: float) -> float:
    """Seconds from now; 0 when it has passed."""
    return max(0.0, moment - time.monotonic())
