"""Turns SIGINT and SIGTERM into a question that a loop asks at the end of each step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class Stop:
    """Calling it says whether to stop; `signal` is the one that came, 0 for none."""

    signal: int = 0

    def __call__(self) -> bool:
        return self.signal != 0


@contextmanager
def interruptible() -> Iterator[Stop]:
    """The first signal asks to stop, the second acts as it does without this."""
    stop, before = Stop(), {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

    def asked(number: int, frame: FrameType | None) -> None:
        stop.signal = number
        for each, handler in before.items():
            signal.signal(each, handler)

    for each in before:
        signal.signal(each, asked)
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
