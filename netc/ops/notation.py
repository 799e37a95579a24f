"""The operators in which gradient rules are written: they run on numpy arrays and on IR values alike.

An IR value offers numpy's operators (+ - * / ** @ and comparisons), `.shape`, `.reshape(shape)`,
`.transpose(axes)`, `.sum/.max/.mean(axis, keepdims)` and slicing; the functions here take either.
"""

from __future__ import annotations

from typing import Any

import numpy as np

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
    return np.exp(x) if isinstance(x, np.ndarray | np.generic) else function("exp", x)


def log(x: Array) -> Array:
    return np.log(x) if isinstance(x, np.ndarray | np.generic) else function("log", x)


def sqrt(x: Array) -> Array:
    return np.sqrt(x) if isinstance(x, np.ndarray | np.generic) else function("sqrt", x)


def tanh(x: Array) -> Array:
    return np.tanh(x) if isinstance(x, np.ndarray | np.generic) else function("tanh", x)


def where(condition: Array, a: Array, b: Array) -> Array:
    """a where `condition` holds, else b."""
    if isinstance(condition, np.ndarray | np.generic):
        return np.where(condition, a, b)
    return function("where", condition, a, b)


def unbroadcast(g: Array, shape: tuple[Any, ...]) -> Array:
    """Sums `g` over the axes along which an operand of `shape` was broadcast."""
    extra = len(g.shape) - len(shape)
    if extra:
        g = g.sum(tuple(range(extra)))
    axes = tuple(i for i, (n, m) in enumerate(zip(g.shape, shape, strict=True)) if m == 1 and n != 1)
    return g.sum(axes, keepdims=True) if axes else g
