"""Turns an application of an op into the values that it makes, so that a program stays within what is sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.trial import random_weights
from netc.dims import Prover, proving
from netc.fuzz.fit import Fit, distinct, repeats, shares
from netc.ir.module import Param, Type
from netc.ops.contract import FLOATS, Draw, Mismatch, Op
from netc.passes.initial import numbers
from netc.passes.inline import with_sizes

Array: TypeAlias = npt.NDArray[Any]
UNSOUND = (IndexError, ZeroDivisionError, Mismatch)  # what an op does not compute, and says so
BATCH = 2  # what the free size N is while a program is made
WIDE = 2**31  # whole numbers that are more overflow soon, and each target in its way
HUGE = 1e3  # float32 keeps too little of what is computed from more


class Uncomputed(Exception):
    """An application that the op's rules take and its `forward` cannot compute."""


@dataclass(frozen=True, eq=False)
class Held:
    """A value of a program under construction. sound: finite and modest, so that more may be computed from it."""

    name: str
    type: Type
    array: Array
    sound: bool = True


def parameters(fit: Fit) -> list[Array]:
    """Values for the parameters of an op, such as the program is given later."""
    made = fit.op.params(*(t.shape for t in fit.operands))
    floats = next((t.dtype for t in fit.operands if t.dtype in FLOATS), "float32")
    state = {
        name: Param(name, Type(p.dtype or floats, numbers(p.shape)), (name,), p.init, p.trainable)
        for name, p in made.items()
    }
    return [_wide(array) for array in random_weights(state).values()]


def computed(fit: Fit, arrays: Sequence[Array], params: Sequence[Array]) -> list[Array] | None:
    """What an op makes in float64; None where it is asked for what is not there: an index out of range."""
    op = with_sizes(fit.op, {"N": BATCH})
    try:
        with np.errstate(all="ignore"), proving(Prover()):
            require_sound(op, arrays)
            made = op.forward(*arrays, *params)
    except UNSOUND:
        return None
    except Exception as error:
        raise Uncomputed(f"{fit.op} on {', '.join(map(str, fit.operands))}: {error!r}") from error
    return [_wide(y) for y in (made if isinstance(made, tuple | list) else (made,))]


def _wide(array: Any) -> Array:
    found = np.asarray(array)
    return found.astype(np.float64) if found.dtype.kind == "f" else found


def soundness(array: Array) -> bool | None:
    """Whether to compute on; None where not even the end of a program should hold such a value."""
    if array.dtype.kind != "f" or not array.size:
        return None if array.dtype.kind in "iu" and np.abs(array).max(initial=0) >= WIDE else True
    finite = np.isfinite(array)
    most = np.abs(array[finite]).max(initial=0.0)
    if most > 1e6 or 0 < most < 1e-6:
        return None
    return bool(finite.all() and most <= HUGE)


def require_sound(op: Op, operands: Sequence[Array]) -> None:
    """Raises IndexError where an op is handed what it is not defined for: numpy may go on where torch raises."""
    for name, x in zip(op.operand_names(len(operands)), operands, strict=True):
        if name == "counts" and (x < 0).any():
            raise IndexError(f"{name} of {op.name} are negative")
    limits = op.below(*(x.shape for x in operands))
    for slot, (x, limit) in enumerate(zip(operands, limits, strict=True)):
        if x.dtype.kind == "f" and shares(type(op), slot) and not ((x >= 0) & (x <= 1)).all():
            raise IndexError(f"operand {slot} of {op.name} is not within 0 to 1")
        if distinct(type(op), slot) and repeats(x):
            raise IndexError(f"operand {slot} of {op.name} holds a position twice")
        if limit is not None and x.dtype.kind in "iu" and not ((x >= 0) & (x < limit)).all():
            raise IndexError(f"operand {slot} of {op.name} is not within 0 to {limit}")


def within(op_class: type[Op], slot: int, drawn: Draw, array: Array) -> bool:
    """Whether an operand that is drawn so in a sample may be `array`."""
    if array.dtype.kind == "b" or not array.size:
        return True
    if distinct(op_class, slot) and repeats(array):
        return False
    low, high = array.min(), array.max()
    if drawn.kind == "integers":
        return bool(array.dtype.kind != "f" and low >= 0 and high < drawn.high)
    return not shares(op_class, slot) or bool(low >= 0 and high <= 1)
