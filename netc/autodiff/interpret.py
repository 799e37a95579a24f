"""Turns a flat graph, inputs and weights into its outputs, in numpy and float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.diagnostics import Refused
from netc.diagnostics.wording_gradient import no_such_position
from netc.diagnostics.wording_weights import misfit_input
from netc.dims import Dim, Size, substitute
from netc.ir.module import Constant, Node, Param, Value
from netc.passes.inline import Flat, in_float64, with_sizes

Array: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = tuple[Array, ...]
Watch: TypeAlias = Callable[[int, Arrays, Arrays], None]


def interpret(
    flat: Flat, inputs: Mapping[str, Array], weights: Mapping[str, Array], watch: Watch | None = None
) -> Arrays:
    """The outputs of `flat`; `inputs` by name, `weights` by dotted path.

    watch: is told of each node, by its index, what it read and what it made.
    """
    values = bound(flat, inputs, weights)
    given = [value for value in flat.inputs if value in values]
    sizes = free_sizes(given, inputs)
    last = {value: i for i, node in enumerate(flat.nodes) for value in node.operands}
    last |= dict.fromkeys(flat.outputs, len(flat.nodes))
    for i, node in enumerate(flat.nodes):
        operands = tuple(values[v] for v in node.operands)
        outputs = computed(replace(node, op=in_float64(with_sizes(node.op, sizes))), operands)
        if watch is not None:
            watch(i, operands, outputs)
        values.update(zip(node.outputs, outputs, strict=True))
        for value in (*node.operands, *node.outputs):
            if last.get(value, i) <= i:
                values.pop(value, None)
    return tuple(values[v] for v in flat.outputs)


def bound(flat: Flat, inputs: Mapping[str, Array], weights: Mapping[str, Array]) -> dict[Value, Array]:
    """The values that `flat` starts from: its inputs, parameters and constants, floats in float64."""
    read = {value for node in flat.nodes for value in node.operands} | set(flat.outputs)
    values = {v: widen(inputs[v.hint]) for v in flat.inputs if v in read or v.hint in inputs}
    for value in read:
        if isinstance(value, Constant):
            values[value] = _number(value)
        elif isinstance(value, Param):
            values[value] = widen(weights[".".join(value.path)])
    return values


def _number(constant: Constant) -> Array:
    """What the spec says, unrounded, as no target has it."""
    floating = constant.type.dtype.startswith("float")
    return np.asarray(constant.number, np.float64 if floating else constant.type.dtype)


def widen(values: Array) -> Array:
    """`values` in float64 where they are floats."""
    array = np.asarray(values)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def computed(node: Node, operands: Sequence[Array]) -> Arrays:
    """What `node` makes of numbers; Refused where one of them points to what is not there."""
    try:
        with np.errstate(all="ignore"):  # what is not finite is told by the values
            made = node.op.forward(*operands)
    except IndexError as error:
        raise Refused(no_such_position(node.span, node.op.name, str(error))) from None
    return tuple(map(widen, made if isinstance(made, tuple | list) else (made,)))


def free_sizes(values: list[Value], arrays: Mapping[str, Array]) -> dict[str, int]:
    """What each free size is, read off the arrays given for `values`, which must fit."""
    sizes: dict[str, int] = {}
    for value in values:
        for dim, number in zip(value.type.shape, arrays[value.hint].shape, strict=False):
            if isinstance(dim, Dim) and (name := _alone(dim)) is not None:
                sizes.setdefault(name, number)
    for value in values:
        found = arrays[value.hint].shape
        if found != tuple(substitute(d, sizes) for d in value.type.shape):
            raise Refused(misfit_input(value.hint, found, value.type.shape))
    return sizes


def _alone(dim: Dim) -> str | None:
    """The name of the size that `dim` is, where it is one."""
    (monomial, coefficient), *others = dim.terms
    atom = monomial[0] if len(monomial) == 1 else None
    return atom.name if isinstance(atom, Size) and not others and coefficient == atom.multiple else None
