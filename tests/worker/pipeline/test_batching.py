"""Merged calls: the same results, in fewer calls, and nobody pays for another's fault."""

import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.readings import Readings, moved
from worker.pipeline.batching import Batcher, BatchLimits

PATIENT = BatchLimits(size=4, wait_seconds=5.0)
"""Waits until the batch is full, for longer than a test takes."""


class Device:
    """Doubles numbers, refuses negative ones, and remembers what it was given. Held up until it is let go."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.go = threading.Event()
        self.go.set()

    def run(self, items: Sequence[int]) -> list[int]:
        self.calls.append(list(items))
        assert self.go.wait(10)
        if any(item < 0 for item in items):
            raise ValueError(f"{min(items)} is negative")
        return [2 * item for item in items]


@pytest.fixture
def device() -> Device:
    """A fresh one."""
    return Device()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what other threads are about to do."""
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError


def test_waiting_calls_become_one(device: Device) -> None:
    """A full batch runs at once, and each caller gets its own result."""
    batcher = Batcher(device.run, PATIENT, "test")
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(batcher, range(4))) == [0, 2, 4, 6]
    assert [sorted(call) for call in device.calls] == [[0, 1, 2, 3]]


def test_a_lone_call_waits_no_longer_than_it_has_to(device: Device) -> None:
    """After the wait it runs with what there is."""
    batcher = Batcher(device.run, BatchLimits(size=4, wait_seconds=0.01), "test")
    assert batcher(3) == 6
    assert device.calls == [[3]]


def test_what_comes_while_the_device_is_busy_makes_the_next_batch(device: Device) -> None:
    """Nobody waits for company then: the device's own time is the wait."""
    device.go.clear()
    batcher = Batcher(device.run, BatchLimits(size=8), "test")
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(batcher, 0)
        until(lambda: device.calls == [[0]])
        others = [threads.submit(batcher, item) for item in range(1, 8)]
        until(lambda: len(batcher._waiting) == 7)
        device.go.set()
        assert [each.result(10) for each in [first, *others]] == [2 * item for item in range(8)]
    assert [len(call) for call in device.calls] == [1, 7]


def test_a_batch_of_one_is_no_queue(device: Device) -> None:
    """With size 1 the threads call side by side."""
    device.go.clear()
    batcher = Batcher(device.run, BatchLimits(size=1), "test")
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(batcher, item) for item in (1, 2)]
        until(lambda: len(device.calls) == 2)
        device.go.set()
        assert [each.result(10) for each in both] == [2, 4]


def test_a_failing_item_fails_alone(device: Device) -> None:
    """The others of its batch get their results; it gets its own error."""
    batcher = Batcher(device.run, PATIENT, "test")
    with ThreadPoolExecutor(4) as threads:
        answers = [threads.submit(batcher, item) for item in (1, -2, 3, 4)]
        assert [answers[index].result(10) for index in (0, 2, 3)] == [2, 6, 8]
        with pytest.raises(ValueError, match="-2"):
            answers[1].result(10)


def test_whatever_ends_a_call_ends_no_other() -> None:
    """Also what is no `Exception`: its caller hears of it, and the next one's batch runs."""

    def run(items: Sequence[int]) -> list[int]:
        if 0 in items:
            raise SystemExit(3)
        return list(items)

    batcher = Batcher(run, BatchLimits(size=2), "test")
    with pytest.raises(SystemExit):
        batcher(0)
    assert batcher(1) == 1


def test_only_like_items_share_a_batch(device: Device) -> None:
    """Pictures of other sizes can't be stacked: they wait for their own batch."""
    batcher = Batcher(device.run, BatchLimits(size=2, wait_seconds=0.5), "test", key=lambda item: item % 2)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(batcher, [1, 2, 3, 4])) == [2, 4, 6, 8]
    assert sorted(sorted(call) for call in device.calls) == [[1, 3], [2, 4]]


def test_too_many_are_held_up_and_give_up_in_the_end(device: Device) -> None:
    """A full queue lets nobody in; who runs out of patience gets an error that is tried again, and leaves no trace."""
    device.go.clear()
    batcher = Batcher(device.run, BatchLimits(size=2, waiting=1, patience_seconds=0.3), "test")
    with ThreadPoolExecutor(4) as threads:
        running = threads.submit(batcher, 1)
        until(lambda: device.calls == [[1]])
        waiting = threads.submit(batcher, 2)
        until(lambda: len(batcher._waiting) == 1)
        outside = threads.submit(batcher, 3)
        for each in (waiting, outside):
            with pytest.raises(TimeoutError, match="too busy"):
                each.result(10)
        device.go.set()
        assert running.result(10) == 2
    assert batcher(4) == 8


def test_a_call_that_has_begun_is_not_given_up(device: Device) -> None:
    """Its end is the watchdog's business: it sees the threads of all its jobs."""
    device.go.clear()
    batcher = Batcher(device.run, BatchLimits(size=2, wait_seconds=5, patience_seconds=0.1), "test")
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(batcher, item) for item in (1, 2)]
        until(lambda: len(device.calls) == 1)
        time.sleep(0.3)
        assert not any(each.done() for each in both)
        device.go.set()
        assert [each.result(10) for each in both] == [2, 4]


def test_the_device_is_never_asked_twice_at_once() -> None:
    """Many threads, many rounds: one batch at a time, and no result is lost or mixed up."""
    inside, done = 0, 0

    def run(items: Sequence[int]) -> list[int]:
        nonlocal inside, done
        inside += 1
        done += len(items)
        assert inside == 1
        time.sleep(0.001)
        inside -= 1
        return [item + 1 for item in items]

    batcher = Batcher(run, BatchLimits(size=3, wait_seconds=0.001, waiting=4), "test")
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(batcher, range(500))) == list(range(1, 501))
    assert done == 500


def test_batches_and_waits_are_counted(device: Device) -> None:
    """Under the stage's name: batches with their sizes, and how long each item waited."""
    batcher = Batcher(device.run, BatchLimits(size=2, wait_seconds=0.05), "test")

    def ask() -> None:
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(batcher, [1, 2]))
        batcher(3)

    counted = moved(Readings.here, ask)
    assert counted.value("mainmask_batch_size_count", stage="test") == 2
    assert counted.value("mainmask_batch_size_sum", stage="test") == 3
    assert counted.value("mainmask_batch_wait_seconds_count", stage="test") == 3
    assert counted.value("mainmask_batch_wait_seconds_sum", stage="test") >= 0.05


def test_the_thread_ends_with_the_batcher(device: Device) -> None:
    """A model that makes room for another is held by nothing."""
    batcher = Batcher(device.run, BatchLimits(size=2), "ending")
    assert batcher(1) == 2

    def threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.startswith("ending-batches")]

    (thread,) = threads()
    held = weakref.ref(batcher)
    del batcher
    until(lambda: held() is None)
    thread.join(5)
    assert not threads()
