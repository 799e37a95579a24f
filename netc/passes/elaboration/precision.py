"""Tells which numbers a dtype holds, and refuses attributes of ops that would be infinite or zero in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from math import isinf
from typing import Any

from netc.diagnostics import Span, wording_shapes
from netc.ir.module import Value
from netc.ops.contract import FLOATS, Op
from netc.passes.elaboration.frame import Frame
from netc.passes.elaboration.values import OpLayer

LARGEST = {
    "int32": 2**31 - 1,
    "int64": 2**63 - 1,
    "float32": (2 - 2**-24) * 2.0**127,
    "float64": sys.float_info.max,
}
SMALLEST = {"float32": 2.0**-150}


def representable(number: int | float, dtype: str) -> bool:
    """Whether `number` stays finite in `dtype`, and other than zero where it is."""
    return abs(number) <= LARGEST[dtype] and (number == 0 or abs(number) > SMALLEST.get(dtype, 0))


def check_attributes(
    frame: Frame, op: Op, inputs: Sequence[Value], layer: OpLayer | None, span: Span
) -> None:
    """Refuses an attribute of `op` that the dtype in which it computes does not hold; a default may be infinite."""
    dtype = float_dtype(inputs)
    for name, attribute in vars(op).items():
        for number in _floats(attribute):
            if not isinf(number) and not representable(number, dtype):
                at = layer.places.get(name, span) if layer is not None else span
                raise frame.refuse(wording_shapes.number_out_of_range(at, op.name, str(number), dtype))


def float_dtype(inputs: Sequence[Value]) -> str:
    """The dtype in which an op on `inputs` has its parameters."""
    return next((v.type.dtype for v in inputs if v.type.dtype in FLOATS), "float32")


def _floats(attribute: Any) -> Iterator[float]:
    if isinstance(attribute, float):
        yield attribute
    elif isinstance(attribute, tuple):
        for part in attribute:
            yield from _floats(part)
