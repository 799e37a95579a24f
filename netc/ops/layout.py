"""What the ops that only lay values out anew share: exact division of sizes, and the reshapes they emit."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import AnyDim, Dim, Shape, at_least, divides, same, show, value
from netc.ops.code import Argument, Hole
from netc.ops.contract import Graph, Operand, require


def fill(sizes: Shape, total: AnyDim, at: str, what: str) -> Shape:
    """`sizes` with the one -1 among them worked out, so that they hold `total` elements."""
    for n in sizes:
        require(n == -1 or at_least(n, 1), at, f"{at} holds {n}; a size is at least 1, or once -1")
    require(sizes.count(-1) <= 1, at, f"{at} holds -1 more than once")
    rest = prod(n for n in sizes if n != -1)
    if -1 not in sizes:
        require(same(rest, total), at, f"{what} has {total} elements, which do not fill {show(sizes)}")
        return sizes
    left = quotient(total, rest)
    require(left is not None, at, f"{what} has {total} elements, which are not a multiple of {rest}")
    return tuple(left if left is not None and n == -1 else n for n in sizes)


def quotient(total: AnyDim, part: AnyDim) -> AnyDim | None:
    """total / part where it must be whole; None where it need not be."""
    if isinstance(part, Dim) and not _divisible_by_symbol(total, part):
        known = value(part)
        if known is None:
            return None
        part = known
    return total // part if divides(part, total) else None


def _divisible_by_symbol(total: AnyDim, part: Dim) -> bool:
    return isinstance(total, Dim) and total % part == 0


def reshape_node(graph: Graph, x: str, shape: Shape) -> Any:
    """x in another shape; one size that is free need not be computed."""
    if isinstance(x, Operand) and x.shape == shape:
        return x
    free = [i for i, n in enumerate(shape) if isinstance(n, Dim)]
    if len(free) == 1:
        shape = tuple(-1 if i in free else n for i, n in enumerate(shape))
    return graph.node("Reshape", x, graph.sizes(shape))


def each(sizes: Shape, name: str) -> tuple[Argument, ...]:
    """Sizes as arguments of a torch method, `x.reshape(2, 3)`, which must be told of none, `x.reshape(())`."""
    return tuple(Hole(n, f"{name}{i}") for i, n in enumerate(sizes)) or ("()",)
