"""Turns a node that moves elements, applied to boxes of parameters, into the boxes of its outputs."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from netc.backends.onnx_proto import ELEMENTS

Box: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Patch:
    """A box of a parameter, and where it lies in another tensor.

    box: from where to where on each axis of the parameter. axes: for each axis of the tensor that of the
    parameter, None for a new one; an axis that is not named is one element wide in the box. start: the
    place of the box's first element in the tensor.
    """

    parameter: str
    box: Box
    axes: tuple[int | None, ...]
    start: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """How much of the tensor it fills."""
        return tuple(1 if axis is None else self.box[axis][1] - self.box[axis][0] for axis in self.axes)


@dataclass(frozen=True)
class Arrangement:
    """A tensor that is made of boxes of parameters."""

    shape: tuple[int, ...]
    patches: tuple[Patch, ...]


def whole(name: str, shape: tuple[int, ...]) -> Arrangement:
    """A parameter as it stands."""
    rank = range(len(shape))
    return Arrangement(
        shape, (Patch(name, tuple((0, size) for size in shape), tuple(rank), tuple(0 for _ in rank)),)
    )


def moved(
    node: Any, values: Mapping[str, Arrangement], constants: Mapping[str, Any]
) -> list[Arrangement] | None:
    """The outputs of `node`, whose op type is in MOVES; None where more than parameters goes into it, or more
    is done than elements moved. constants: the tensors of whole numbers by name."""
    operands = [values[name] for name in node.input if name in values]
    numbers = [_numbers(constants[name]) for name in node.input if name in constants]
    if not operands or len(operands) + len(numbers) < len(node.input) or None in numbers:
        return None
    attributes = {a.name: a.ints[:] or a.i for a in node.attribute}
    results = MOVES[node.op_type](operands, numbers, attributes)
    if results is None or len(results) != len(node.output) or not all(made.patches for made in results):
        return None
    return results


def _numbers(tensor: Any) -> list[int] | None:
    return array("q", tensor.raw_data).tolist() if tensor.data_type == ELEMENTS["int64"] else None


Numbers: TypeAlias = Sequence[Any]
Attributes: TypeAlias = Mapping[str, Any]


def _transpose(
    operands: Sequence[Arrangement], numbers: Numbers, attributes: Attributes
) -> list[Arrangement]:
    (x,) = operands
    return [_ordered(x, attributes["perm"])]


def _ordered(x: Arrangement, perm: Sequence[int]) -> Arrangement:
    """`x` with the axes `perm`, some of which may be left out."""

    def by(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(values[axis] for axis in perm)

    patches = (replace(p, axes=by(p.axes), start=by(p.start)) for p in x.patches)
    return Arrangement(by(x.shape), tuple(patches))


def _squeeze(operands: Sequence[Arrangement], numbers: Numbers, attributes: Attributes) -> list[Arrangement]:
    (x,), (axes,) = operands, numbers
    gone = {axis % len(x.shape) for axis in axes}
    return [_ordered(x, [axis for axis in range(len(x.shape)) if axis not in gone])]


def _unsqueeze(
    operands: Sequence[Arrangement], numbers: Numbers, attributes: Attributes
) -> list[Arrangement]:
    (x,), (axes,) = operands, numbers
    rank = len(x.shape) + len(axes)
    return [_widened(x, {axis % rank for axis in axes}, rank)]


def _widened(x: Arrangement, new: set[int], rank: int) -> Arrangement:
    """`x` with `rank` axes, of which those in `new` are one element wide."""

    def by(values: Sequence[Any], filler: Any) -> tuple[Any, ...]:
        old = iter(values)
        return tuple(filler if axis in new else next(old) for axis in range(rank))

    patches = (replace(p, axes=by(p.axes, None), start=by(p.start, 0)) for p in x.patches)
    return Arrangement(by(x.shape, 1), tuple(patches))


def _reshape(
    operands: Sequence[Arrangement], numbers: Numbers, attributes: Attributes
) -> list[Arrangement] | None:
    """Only axes of one element may come and go."""
    (x,), (shape,) = operands, numbers
    kept = [axis for axis, size in enumerate(x.shape) if size != 1]
    if [size for size in shape if size != 1] != [x.shape[axis] for axis in kept]:
        return None
    new = {axis for axis, size in enumerate(shape) if size == 1}
    return [_widened(_ordered(x, kept), new, len(shape))]


def _split(
    operands: Sequence[Arrangement], numbers: Numbers, attributes: Attributes
) -> list[Arrangement] | None:
    if len(numbers) != 1:
        return None
    (x,), (sizes,) = operands, numbers
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    axis = attributes.get("axis", 0) % len(x.shape)
    return [_cut(x, axis, end - size, end) for size, end in zip(sizes, ends, strict=True)]


def _slice(
    operands: Sequence[Arrangement], numbers: Numbers, attributes: Attributes
) -> list[Arrangement] | None:
    (x,), (starts, ends, *others) = operands, numbers
    axes = others[0] if others else range(len(starts))
    if len(others) > 1 and any(step != 1 for step in others[1]):
        return None
    for start, end, axis in zip(starts, ends, axes, strict=True):
        place = axis % len(x.shape)
        first, last, _ = slice(start, end).indices(x.shape[place])
        x = _cut(x, place, first, max(first, last))
    return [x]


def _cut(x: Arrangement, axis: int, first: int, last: int) -> Arrangement:
    """What of `x` lies from `first` up to and without `last` on `axis`."""
    patches = (_cut_patch(p, axis, first, last) for p in x.patches)
    shape = (*x.shape[:axis], last - first, *x.shape[axis + 1 :])
    return Arrangement(shape, tuple(p for p in patches if p is not None))


def _cut_patch(patch: Patch, axis: int, first: int, last: int) -> Patch | None:
    begin, width, source = patch.start[axis], patch.shape[axis], patch.axes[axis]
    low, high = max(first, begin), min(last, begin + width)
    if low >= high:
        return None
    start = (*patch.start[:axis], low - first, *patch.start[axis + 1 :])
    if source is None:
        return replace(patch, start=start)
    offset = patch.box[source][0] - begin
    box = (*patch.box[:source], (low + offset, high + offset), *patch.box[source + 1 :])
    return replace(patch, box=box, start=start)


def _concat(
    operands: Sequence[Arrangement], numbers: Numbers, attributes: Attributes
) -> list[Arrangement] | None:
    if numbers:
        return None
    axis = attributes["axis"] % len(operands[0].shape)
    patches: list[Patch] = []
    end = 0
    for x in operands:
        for p in x.patches:
            start = (*p.start[:axis], p.start[axis] + end, *p.start[axis + 1 :])
            patches.append(replace(p, start=start))
        end += x.shape[axis]
    shape = (*operands[0].shape[:axis], end, *operands[0].shape[axis + 1 :])
    return [Arrangement(shape, tuple(patches))]


Move: TypeAlias = Callable[[Sequence[Arrangement], Numbers, Attributes], "list[Arrangement] | None"]
MOVES: dict[str, Move] = {
    "Concat": _concat,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
