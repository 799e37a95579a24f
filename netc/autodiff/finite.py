"""Turns a graph and a point into the first node whose value is not finite, though what it reads is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.interpret import interpret
from netc.diagnostics import Span
from netc.passes.locate import Located

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class NotFinite:
    """subject: what is not finite for its sake. place: of the node. value: of its elements, how many are what."""

    subject: str
    op: str
    place: str
    value: str
    span: Span


def first_not_finite(
    located: Located, inputs: Mapping[str, Array], weights: Mapping[str, Array], subject: str
) -> NotFinite | None:
    first: list[NotFinite] = []

    def watch(index: int, operands: Sequence[Array], outputs: Sequence[Array]) -> None:
        if not first and not all(map(finite, outputs)) and all(map(finite, operands)):
            node, value = located.flat.nodes[index], next(y for y in outputs if not finite(y))
            first.append(NotFinite(subject, node.op.name, located.place(index), _counted(value), node.span))

    interpret(located.flat, inputs, weights, watch)
    return first[0] if first else None


def finite(array: Array) -> bool:
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def _counted(array: Array) -> str:
    """How many elements are not finite, and what they are."""
    nan, infinite = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    parts = [f"{n} {word}" for n, word in ((nan, "NaN"), (infinite, "infinite")) if n]
    return (
        f"of {array.size} elements {' and '.join(parts)}"
        if array.size > 1
        else "NaN" * (nan > 0) or "infinite"
    )
