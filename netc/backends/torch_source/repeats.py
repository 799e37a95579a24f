"""Finds what a loss and its metrics compute alike, such as a matrix that several read, to be written once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netc.backends.torch_source.units import Unit
from netc.ir.module import Node, Step, Value, is_number, operands

if TYPE_CHECKING:
    from netc.backends.torch_source.render import Writer


def without_repeats(writer: Writer, steps: Sequence[Step]) -> tuple[list[Step], dict[Value, Value]]:
    """The steps without functions that an earlier one computes, and for each value what stands for it.

    What goes by several names is called as the function.
    """
    first: dict[Any, Node] = {}
    kept: list[Step] = []
    same: dict[Value, Value] = {}
    for step in steps:
        if not isinstance(step, Node) or step not in writer.draft.lines or not _is_worth(step):
            kept.append(step)
            continue
        key = (step.op, *(_identity(same.get(v, v)) for v in operands(step)))
        if first.setdefault(key, step) is step:
            kept.append(step)
            continue
        for value, other in zip(first[key].outputs, step.outputs, strict=True):
            if value.hint != other.hint and value not in same:
                same[value] = Value(step.op.name, value.type)
            same[other] = same.get(value, value)
    return kept, same


def _is_worth(step: Node) -> bool:
    """Whether a function computes something, and the same at each call."""
    cost = step.op.flops(step.made, *(v.type.shape for v in step.operands))
    return cost != 0 and not step.op.trains


def _identity(value: Value) -> Any:
    return (value.type, repr(value.number)) if is_number(value) else value


def renamed(writer: Writer, unit: Unit, same: Mapping[Value, Value]) -> Unit:
    """The unit on what stands for its values."""
    return replace(
        unit,
        code=remarked(writer, unit.code, same),
        operands=tuple(same.get(v, v) for v in unit.operands),
        outputs=tuple(same.get(v, v) for v in unit.outputs),
    )


def remarked(writer: Writer, text: str, same: Mapping[Value, Value]) -> str:
    """The text with the markers of what stands for its values."""
    for value, other in same.items():
        text = text.replace(writer.mark(value), writer.mark(other))
    return text
