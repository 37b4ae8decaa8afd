"""The cache: bounded, and each value is made once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import pytest

from tests.readings import Readings, moved
from worker.pipeline.cache import Cache


def make_cache(maximum_bytes: int = 10) -> Cache[bytes]:
    """Of byte strings."""
    return Cache("test", maximum_bytes, len)


def test_a_value_is_made_once() -> None:
    """The second time it is there."""
    cache, make = make_cache(), Mock(return_value=b"value")
    assert cache.get("key", make) == cache.get("key", make) == b"value"
    make.assert_called_once()


def test_look_ups_are_counted() -> None:
    """Each as a hit or as a miss, under the cache's name."""
    cache = make_cache()

    def look_up() -> None:
        for key in ("a", "a", "b", "a"):
            cache.get(key, lambda: b"value")

    counted = moved(Readings.here, look_up)
    name = "mainmask_cache_requests_total"
    assert (counted.value(name, cache="test", result="hit"), counted.value(name, cache="test", result="miss")) == (2, 2)


def test_the_least_recently_used_makes_room() -> None:
    """The bytes never exceed the maximum."""
    cache = make_cache(10)
    for key in ("a", "b", "a", "c"):  # a was used after b
        cache.get(key, lambda: b"1234")
        assert cache.bytes <= 10
    make = Mock(return_value=b"1234")
    cache.get("a", make)
    make.assert_not_called()
    cache.get("b", make)
    make.assert_called_once()


@pytest.mark.parametrize("maximum_bytes", [0, 4])
def test_what_is_larger_than_the_cache_is_not_kept(maximum_bytes: int) -> None:
    """It is given, and nothing else has to leave for it."""
    cache = make_cache(maximum_bytes)
    assert cache.get("key", lambda: b"12345") == b"12345"
    assert cache.bytes == 0


def test_who_asks_meanwhile_waits_for_the_same_value() -> None:
    """Eight threads, one call."""
    cache, go = make_cache(), threading.Event()
    make = Mock(side_effect=lambda: go.wait(10) and b"value")
    with ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(cache.get, "key", make) for _ in range(8)]
        go.set()
        assert {each.result(10) for each in answers} == {b"value"}
    make.assert_called_once()


def test_an_error_is_one_caller_s_own() -> None:
    """Nothing is kept, and who waited for the value makes it itself."""
    cache, waits, go = make_cache(), threading.Event(), threading.Event()

    def fail() -> bytes:
        waits.set()
        go.wait(10)
        raise ValueError("broken")

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(cache.get, "key", fail)
        assert waits.wait(10)
        second = threads.submit(cache.get, "key", lambda: b"value")
        go.set()
        with pytest.raises(ValueError, match="broken"):
            first.result(10)
        assert second.result(10) == b"value"
