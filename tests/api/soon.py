"""What happens while a test waits for it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def soon(do: Callable[[], Any], seconds: float = 0.4) -> Iterator[None]:
    """Do it in a while, beside the block."""
    timer = threading.Timer(seconds, do)
    timer.start()
    try:
        yield
    finally:
        timer.join()
