"""Signals, raised where it is safe to."""

import os
import signal

import pytest

from mainmask.stack.interruptions import SIGNALS, Interrupted, Interruptions


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_raised(number: signal.Signals) -> None:
    """Each of the three ends what runs, and names its exit code."""
    with pytest.raises(Interrupted) as caught, Interruptions():
        os.kill(os.getpid(), number)
    assert caught.value.exit_code == 128 + number


def test_a_held_signal_waits() -> None:
    """What must not be interrupted is not; the signal comes at the next check."""
    with Interruptions() as interruptions:
        with interruptions.held():
            os.kill(os.getpid(), signal.SIGTERM)
        assert interruptions.count == 1
        with pytest.raises(Interrupted):
            interruptions.check()
        interruptions.check()


def test_the_handlers_come_back() -> None:
    """After the block the signals do what they did before it."""
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interruptions():
        pass
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_an_ignored_signal_stays_ignored() -> None:
    """A stack that was started with nohup outlives its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruptions():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
