"""The gate: together, or alone, and whoever wants to be alone isn't kept waiting for ever."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from worker.gate import Gate


class Visitor:
    """Goes through the gate in a thread of its own, and leaves when told."""

    def __init__(self, threads: ThreadPoolExecutor, way: AbstractContextManager[None]) -> None:
        self._way = way
        self._entered, self._leave = threading.Event(), threading.Event()
        self._visit: Future[None] = threads.submit(self._go)

    def _go(self) -> None:
        with self._way:
            self._entered.set()
            self._leave.wait(5)

    def is_inside(self) -> bool:
        return self._entered.wait(0.1)

    def leave(self) -> None:
        self._leave.set()
        self._visit.result(5)


def test_many_are_inside_together() -> None:
    """Shared visitors don't wait for one another."""
    gate = Gate()
    with ThreadPoolExecutor() as threads:
        visitors = [Visitor(threads, gate.shared()) for _ in range(4)]
        assert all(visitor.is_inside() for visitor in visitors)
        for visitor in visitors:
            visitor.leave()


def test_one_alone_waits_for_the_others_and_keeps_them_out() -> None:
    """It enters when the last has left; those that come later, and others that want to be alone, wait for it."""
    gate = Gate()
    with ThreadPoolExecutor() as threads:
        first = Visitor(threads, gate.shared())
        assert first.is_inside()
        alone = Visitor(threads, gate.alone())
        assert not alone.is_inside()
        late, second_alone = Visitor(threads, gate.shared()), Visitor(threads, gate.alone())
        assert not late.is_inside()
        first.leave()
        entered = [visitor for visitor in (alone, second_alone) if visitor.is_inside()]
        assert len(entered) == 1
        assert not late.is_inside()
        for visitor in (alone, second_alone, late):
            visitor.leave()


@pytest.mark.parametrize("way", ["shared", "alone"])
def test_an_error_inside_leaves_the_gate_open(way: str) -> None:
    """Whoever fails inside has left all the same."""
    gate = Gate()
    with pytest.raises(ValueError, match="failed"), getattr(gate, way)():
        raise ValueError("failed")
    with gate.alone():
        pass
