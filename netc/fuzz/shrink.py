"""Turns a failing program into a small one that fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from netc.diagnostics import Refused, Source
from netc.fuzz.case import FILE, elaborated, read
from netc.fuzz.examine import Examiner, Task
from netc.fuzz.judge import signature
from netc.fuzz.reduce import reductions
from netc.ir.module import Type
from netc.syntax.parse import parse
from netc.syntax.write import write

ATTEMPTS = 600
BATCH = 8  # reductions that are examined at once
Fails = Callable[[list[str]], list[bool]]


def failing(examiner: Examiner, opset: int, wanted: tuple[str, str], again: bool) -> Fails:
    """The test that a shrunk program must meet: an oracle fails as it failed before."""

    def fails(texts: list[str]) -> list[bool]:
        outcomes = examiner.examine([Task(text, opset, again) for text in texts])
        return [any(signature(f) == wanted for f in o.findings) for o in outcomes]

    return fails


def shrink(text: str, fails: Fails, attempts: int = ATTEMPTS) -> str:
    """The smallest program found that fails, by steps each of which fails, too."""
    left, tried = attempts, {text}
    while left > 0:
        found = None
        for batch in _batches(candidates(text), tried):
            left -= len(batch)
            found = next((t for t, bad in zip(batch, fails(batch), strict=True) if bad), None)
            if found is not None or left <= 0:
                break
        if found is None:
            return text
        text = found
    return text


def _batches(texts: Iterator[str], tried: set[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        if text not in tried:
            tried.add(text)
            batch.append(text)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def candidates(text: str) -> Iterator[str]:
    """Programs one step simpler."""
    file, found = parse(Source(FILE, text))
    if found:
        return
    yield from map(write, reductions(file, _types(text)))


def _types(text: str) -> Mapping[str, Type]:
    """The types of the values of the net, by name."""
    try:
        net = elaborated(read(text))
    except (Refused, Exception):
        return {}
    return {v.hint: v.type for step in net.block.body for v in step.outputs if v.hint}
