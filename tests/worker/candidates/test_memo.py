"""Answers that are kept: each question is asked once, however many ask."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from worker.candidates.memo import Memo
from worker.candidates.problems import EndpointFailed


def test_the_memo_forgets_the_least_used() -> None:
    """It never holds more than it may."""
    memo: Memo[str] = Memo(2)
    asked: list[str] = []

    def asking(question: str) -> Callable[[], str]:
        return lambda: asked.append(question) or question  # type: ignore[func-returns-value] # append gives None

    for question in ("a", "b", "a", "c", "a", "b"):
        assert memo.get(question, asking(question)) == question
    assert asked == ["a", "b", "c", "b"]


def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    """The next one asks again."""
    memo: Memo[str] = Memo(2)
    begun, end = threading.Event(), threading.Event()

    def fail() -> str:
        begun.set()
        end.wait(5)
        raise EndpointFailed("no")

    with ThreadPoolExecutor() as threads:
        first = threads.submit(memo.get, "a", fail)
        begun.wait(5)
        second = threads.submit(memo.get, "a", fail)
        end.set()
        for answer in (first, second):
            with pytest.raises(EndpointFailed):
                answer.result(5)
    assert memo.get("a", lambda: "yes") == "yes"
