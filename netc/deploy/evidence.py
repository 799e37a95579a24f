"""What a pattern of a known difference looks at: a program as it was run, its nodes and the arrays that they were given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.interpret import interpret
from netc.ir.module import Node
from netc.passes.inline import Flat

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Evidence:
    """points: the inputs of each run, by name. nodes: those of the ONNX graph, none where there is no graph."""

    flat: Flat
    weights: Mapping[str, Array]
    points: Sequence[Mapping[str, Array]]
    nodes: Sequence[Any] = ()


def chained(seen: Evidence, *kinds: str) -> bool:
    """Whether nodes of these types follow each other in the ONNX graph, each reading what the one before makes."""
    starts = [name for node in seen.nodes if node.op_type == kinds[0] for name in node.output]
    return any(_follow(seen, name, kinds[1:]) for name in starts)


def _follow(seen: Evidence, name: str, kinds: Sequence[str]) -> bool:
    if not kinds:
        return True
    readers = [node for node in seen.nodes if node.op_type == kinds[0] and name in node.input]
    return any(_follow(seen, out, kinds[1:]) for node in readers for out in node.output)


def called(seen: Evidence, *names: str) -> Iterator[tuple[Node, Sequence[Array]]]:
    """The nodes of these ops, each with its operands in every run."""
    chosen = {i: node for i, node in enumerate(seen.flat.nodes) if node.op.name in names}
    calls: list[tuple[Node, Sequence[Array]]] = []

    def watch(index: int, operands: Sequence[Array], outputs: Sequence[Array]) -> None:
        if index in chosen:
            calls.append((chosen[index], operands))

    with np.errstate(all="ignore"):
        for point in seen.points if chosen else ():
            interpret(seen.flat, point, seen.weights, watch)
    yield from calls


@dataclass(frozen=True)
class Known:
    """A difference of others. oracles: those that see it. versions: where it was measured. says: of an error.

    pattern: how often a program has it. most: the greatest relative error that each explains.
    """

    name: str
    cause: str
    versions: str
    oracles: tuple[str, ...]
    pattern: Callable[[Evidence], int]
    shows: str
    says: str = ""
    most: float = inf
