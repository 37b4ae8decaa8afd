"""A program that the stack runs: its command, and how to tell that it is ready."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


def _nothing_to_prepare() -> None:
    """Most programs start as they are."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """All that is needed to start one child, to know when it is ready, and to stop it."""

    name: str
    command: Sequence[str]
    is_ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to this process's own environment."""
    prepare: Callable[[], None] = _nothing_to_prepare
    """Called before every start, also before a restart."""
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends should this process die without stopping its children (on Linux)."""
    ready_within_seconds: float = 60.0
    stopped_within_seconds: float = 10.0
