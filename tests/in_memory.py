"""Specs held in memory: what `netc check` finds in them, and how much time that takes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from netc.diagnostics import Diagnostic, Refused
from netc.diagnostics.render import render_text
from netc.passes.check import check
from netc.passes.load import Program, load

HEAD = "net A {\n    input x: float32[N, 4]\n"
TAIL = "    output relu(x)\n}\n"


def program(text: str | bytes, **files: str) -> Program:
    """The program `text`, which may import `name.net` for each of `files`."""
    held = {f"{name}.net": content.encode() for name, content in files.items()}
    held["spec.net"] = text if isinstance(text, bytes) else text.encode()

    def read(path: str) -> bytes:
        if path not in held:
            raise FileNotFoundError(2, "No such file or directory")
        return held[path]

    return load("spec.net", read)


def found(text: str | bytes, **files: str) -> list[Diagnostic]:
    """Everything that is wrong with `text`; it can be shown, too."""
    try:
        wrong = check(program(text, **files))
    except Refused as refused:
        wrong = list(refused.diagnostics)
    shown = render_text(wrong)
    assert all(c == "\n" or c.isprintable() for c in shown)
    return wrong


def codes(text: str | bytes, **files: str) -> list[str]:
    return [d.code for d in found(text, **files)]


def body(statements: str) -> str:
    """A net whose body begins with `statements`."""
    return HEAD + statements + "\n" + TAIL


class Clock:
    """The processor time that a block of code takes."""

    def __enter__(self) -> Clock:
        self.start = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.process_time() - self.start


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of Python `work` runs: what its time grows with, on any machine."""
    count, before = 0, sys.gettrace()

    def trace(frame: object, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
