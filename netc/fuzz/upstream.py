"""Differences that others are known to make: each with its cause, the versions that show it, and its pattern.

A pattern is of nodes of the ONNX graph, as wide as what shows the difference and no wider. `shows` is a program
that shows it; a test runs it, and fails where the difference is gone, so that the entry goes, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from netc.fuzz.case import Case
from netc.fuzz.judge import Finding


@dataclass(frozen=True)
class Known:
    """A difference of others. oracles: those that see it. versions: where it was measured."""

    name: str
    cause: str
    versions: str
    oracles: tuple[str, ...]
    pattern: Callable[[Case], bool]
    shows: str


KNOWN: tuple[Known, ...] = ()


def known_of(finding: Finding, case: Case) -> Known | None:
    """The difference that explains a finding, if one does."""
    return next((k for k in KNOWN if finding.oracle in k.oracles and k.pattern(case)), None)


def chained(case: Case, *kinds: str) -> bool:
    """Whether nodes of these types follow each other in the graph, each reading what the one before makes."""
    return any(
        _follow(case, name, kinds[1:])
        for node in _nodes(case)
        if node.op_type == kinds[0]
        for name in node.output
    )


def _follow(case: Case, name: str, kinds: Sequence[str]) -> bool:
    if not kinds:
        return True
    readers = [node for node in _nodes(case) if node.op_type == kinds[0] and name in node.input]
    return any(_follow(case, out, kinds[1:]) for node in readers for out in node.output)


def _nodes(case: Case) -> Sequence[Any]:
    return () if case.model is None else case.model.proto.graph.node
