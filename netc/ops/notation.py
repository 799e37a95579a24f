"""The operators in which gradient rules are written: they run on numpy arrays and on IR values alike.

An IR value offers numpy's operators (+ - * / ** @ and comparisons), `.shape`, `.reshape(shape)`,
`.transpose(axes)`, `.sum/.max/.mean(axis, keepdims)`, `.dtype` and slicing; the functions here take either.
A number among the operands stands for a scalar constant of the dtype of the others, an array for a constant.
So that an array on the left leaves the operator to it, an IR value sets `__array_ufunc__ = None`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netc.dims import AnyDim, Dim, Shape, decide
from netc.ops.arrays import np
from netc.ops.contract import OPS, Array, Op


def apply(op: Op, *operands: Array) -> Array:
    """`op` on operands and parameters: a number on arrays, a node of the graph on IR values."""
    for operand in operands:
        if hasattr(operand, "apply_op"):
            return operand.apply_op(op, operands)
    return op.forward(*operands)


def function(name: str, *operands: Array, **attributes: Any) -> Array:
    """The op that the language calls `name`, on operands."""
    return apply(OPS[name](**attributes), *operands)


def exp(x: Array) -> Array:
    return function("exp", x)


def log(x: Array) -> Array:
    return function("log", x)


def sqrt(x: Array) -> Array:
    return function("sqrt", x)


def tanh(x: Array) -> Array:
    return function("tanh", x)


def sigmoid(x: Array) -> Array:
    return function("sigmoid", x)


def erf(x: Array) -> Array:
    return function("erf", x)


def maximum(a: Array, b: Array) -> Array:
    """The greater; one of a and b may be a number."""
    return function("maximum", a, b)


def equal(a: Array, b: Array) -> Array:
    """Where a and b are equal: `==` of values of the graph is Python's own."""
    return function("eq", a, b)


def where(condition: Array, a: Array, b: Array) -> Array:
    """a where `condition` holds, else b; one of a and b may be a number."""
    return function("where", condition, a, b)


def cast(x: Array, like: Array) -> Array:
    """x in the dtype of `like`; true is 1."""
    return function("cast", x, to=str(like.dtype))


def concat(xs: Sequence[Array], axis: int) -> Array:
    return function("concat", *xs, axis=axis)


def expand(x: Array, shape: Shape) -> Array:
    """x broadcast to `shape`."""
    return function("expand", x, sizes=tuple(shape))


def pad(x: Array, before: Sequence[AnyDim], after: Sequence[AnyDim]) -> Array:
    """x with so many zeros before and behind along each axis; a negative number cuts."""
    pairs = zip(reversed(before), reversed(after), strict=True)
    return function("pad", x, padding=tuple(n for pair in pairs for n in pair))


def table(numbers: Any, like: Array) -> Array:
    """Numbers as a constant beside `like`: in its precision on arrays, with all digits on values of a graph."""
    return np.asarray(numbers, "float64" if hasattr(like, "apply_op") else like.dtype)


def extent(n: AnyDim, like: Array) -> Array:
    """The size n as a number to reckon with; one that is free is a scalar value in the dtype of `like`."""
    return function("extent", like, size=n) if isinstance(n, Dim) else n


def unbroadcast(g: Array, shape: Shape) -> Array:
    """Sums `g` over the axes along which an operand of `shape` was broadcast."""
    extra = len(g.shape) - len(shape)
    if extra:
        g = g.sum(tuple(range(extra)))
    pairs = enumerate(zip(g.shape, shape, strict=True))
    axes = tuple(i for i, (n, m) in pairs if n != m and decide("zero", m - 1))
    return g.sum(axes, keepdims=True) if axes else g
