"""Refuses tensors that would be empty or too large, and parameters whose size is not known."""

from __future__ import annotations

from collections.abc import Callable

from netc.diagnostics import Note, Span, wording_shapes
from netc.dims import Dim, Learn, Shape, at_least, decide, names, show, substitute
from netc.ops.contract import Op
from netc.passes.elaboration.frame import Frame

AXES = 32
DIMENSION = 2**31
ELEMENTS = 2**40


def check_size(frame: Frame, op: Op, shape: Shape, span: Span, notes: Callable[[], tuple[Note, ...]]) -> None:
    """Refuses a tensor that is empty along some axis, or passes the limits. notes: where the inputs are from."""
    check_rank(frame, shape, span)
    try:
        for axis, dim in enumerate(shape):
            if not at_least(dim, 1):
                raise frame.refuse(wording_shapes.empty_axis(span, op.name, show(shape), axis, notes()))
    except Learn as fact:
        fact.span = fact.span or span
        raise
    if too_large(tuple(substitute(d, frame.prover.given) for d in shape)):
        raise frame.refuse(wording_shapes.tensor_too_large(span, show(shape), notes()))


def check_rank(frame: Frame, shape: Shape, span: Span) -> None:
    """Refuses a tensor of more axes than numpy and PyTorch compute with."""
    if len(shape) > AXES:
        raise frame.refuse(wording_shapes.too_much(span, "the tensor has too many axes", AXES))


def too_large(shape: Shape) -> bool:
    """Whether a tensor of the known dimensions of `shape` passes the limits."""
    total = 1
    for dim in shape:
        if isinstance(dim, int):
            total *= max(dim, 1)
            if dim >= DIMENSION:
                return True
    return total >= ELEMENTS


def check_known(
    frame: Frame, name: str, shape: Shape, span: Span, notes: Callable[[], tuple[Note, ...]] = tuple
) -> None:
    """Refuses a parameter whose shape depends on a size that is free."""
    check_rank(frame, shape, span)
    open_sizes: set[str] = set()
    for dim in shape:
        if isinstance(dim, Dim) and decide("known", dim) is not True:
            open_sizes |= names(substitute(dim, frame.prover.given))
    if open_sizes:
        raise frame.refuse(
            wording_shapes.unknown_parameter_size(span, name, show(shape), sorted(open_sizes), notes())
        )
    if too_large(tuple(substitute(d, frame.prover.given) for d in shape)):
        raise frame.refuse(wording_shapes.tensor_too_large(span, show(shape), notes()))
