"""Ends a check that takes too much processor time, for whatever the count of work does not see."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

SECONDS = 60.0  # of processor time; what the count of work allows takes a few on an ordinary machine


class OutOfTime(BaseException):
    """The time is over. No Exception: nothing on the way goes on after it."""


@contextmanager
def deadline(seconds: float = SECONDS) -> Iterator[None]:
    """Raises OutOfTime after so many seconds of processor time.

    Only the main thread of a Unix process can be interrupted so; elsewhere the count of work alone ends a check.
    """
    if not _can_interrupt() or signal.getitimer(signal.ITIMER_PROF)[0]:
        yield  # nothing can, or an outer deadline will
        return
    before = signal.signal(signal.SIGPROF, _end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _can_interrupt() -> bool:
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


def _end(*_: object) -> NoReturn:
    raise OutOfTime
