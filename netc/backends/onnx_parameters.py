"""Turns the values of parameters into those of the initializers that are made of them, and a file's back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from netc.backends.onnx_layout import LaidOut
from netc.backends.onnx_moves import Patch
from netc.backends.output import Piece
from netc.backends.to_onnx import OnnxModel
from netc.backends.weights import Array, Weights, array_of
from netc.ops.arrays import np
from netc.passes.initial import numbers


def values_of(model: OnnxModel, weights: Weights, names: Sequence[str]) -> Iterator[Piece]:
    """The values of the initializers called `names`, in this order; a parameter is held while one needs it."""
    wanted = [model.initializers[name] for name in names]
    paths = [
        dict.fromkeys(p.parameter for p in tensor.patches) if isinstance(tensor, LaidOut) else {name: None}
        for name, tensor in zip(names, wanted, strict=True)
    ]
    left = Counter(path for each in paths for path in each)
    pieces = zip(left, weights.pieces(list(left)), strict=True)
    held: dict[str, Piece] = {}
    for tensor, each in zip(wanted, paths, strict=True):
        while not each.keys() <= held.keys():
            path, piece = next(pieces)
            held[path] = piece
        yield _value(model, tensor, held) if isinstance(tensor, LaidOut) else held[path]
        for path in each:
            left[path] -= 1
            if not left[path]:
                del held[path]


def _value(model: OnnxModel, tensor: LaidOut, held: Mapping[str, Piece]) -> Array:
    boxes = [
        (patch, _cut_out(array_of(held[patch.parameter], model.parameters[patch.parameter]), patch))
        for patch in tensor.patches
    ]
    if len(boxes) == 1:
        return boxes[0][1]
    value = np.empty(numbers(tensor.type.shape), tensor.type.dtype)
    for patch, box in boxes:
        value[_place(patch)] = box
    return value


def _cut_out(values: Array, patch: Patch) -> Array:
    """The box of a parameter, turned as it lies in the initializer."""
    box = values[tuple(slice(*ends) for ends in patch.box)]
    order = [axis for axis in patch.axes if axis is not None]
    rest = [axis for axis in range(box.ndim) if axis not in order]
    turned = box.transpose(order + rest)
    return turned if turned.shape == patch.shape else turned.reshape(patch.shape)


def _place(patch: Patch) -> tuple[slice, ...]:
    """Where the box lies in the initializer."""
    return tuple(slice(a, a + size) for a, size in zip(patch.start, patch.shape, strict=True))


def read_parameters(path: Path, names: Iterable[str]) -> dict[str, Array]:
    """The parameters called `names`, as the spec has them, from the ONNX file at `path` that netc wrote.

    Those that its graph does not read, as only a loss needs them, are not in it.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    (text,) = (entry.value for entry in model.metadata_props if entry.key == "netc")
    layouts = json.loads(text).get("layouts", {})
    found: dict[str, Array] = {}
    for name in names:
        if name in layouts:
            parts = [
                (part, numpy_helper.to_array(stored[part["initializer"]])) for part in layouts[name]["parts"]
            ]
            found[name] = _put_together(tuple(layouts[name]["shape"]), parts)
        elif name in stored:
            found[name] = numpy_helper.to_array(stored[name])
    return found


def _put_together(shape: tuple[int, ...], parts: Sequence[tuple[Mapping[str, Any], Array]]) -> Array:
    """A parameter from the initializers that hold its parts."""
    values = np.empty(shape, parts[0][1].dtype)
    for part, stored in parts:
        patch = Patch("", tuple((a, b) for a, b in part["box"]), tuple(part["axes"]), tuple(part["start"]))
        # a view, through which the box is filled
        _cut_out(values, patch)[...] = stored[_place(patch)]
    return values
