"""Turns numbers, names and types into onnx's protobuf messages."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from netc.dims import Shape

ELEMENTS = {"float32": 1, "int32": 6, "int64": 7, "bool": 9, "float64": 11}  # TensorProto.DataType
TYPECODES = {"float32": "f", "int32": "i", "int64": "q", "bool": "b", "float64": "d"}  # of Python's array
FLOAT, INT, STRING, TENSOR, FLOATS, INTS, STRINGS = 1, 2, 3, 4, 6, 7, 8  # AttributeProto.AttributeType
RAW_DATA, INITIALIZER, GRAPH = 9, 5, 7  # numbers of fields in TensorProto, GraphProto and ModelProto


@cache
def protobuf() -> Any:
    """Onnx's generated classes; from their file alone, as importing all of onnx takes five times as long."""
    spec = find_spec("onnx")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    path = next((p for f in folders if (p := Path(f, "onnx_ml_pb2.py")).is_file()), None)
    alone = spec_from_file_location("netc._onnx_ml_pb2", path) if path else None
    if "onnx" in sys.modules or alone is None or alone.loader is None:
        import onnx

        return onnx
    module = module_from_spec(alone)
    alone.loader.exec_module(module)
    return module


def add_attribute(node: Any, name: str, value: Any) -> None:
    """Gives a NodeProto an attribute: a number, a string, a sequence of these or an array."""
    attribute = node.attribute.add()
    attribute.name = name
    if isinstance(value, str):
        attribute.type, attribute.s = STRING, value.encode()
    elif isinstance(value, Integral):
        attribute.type, attribute.i = INT, int(value)
    elif isinstance(value, Real):
        attribute.type, attribute.f = FLOAT, float(value)
    elif isinstance(value, list | tuple):
        _add_sequence(attribute, value)
    else:
        attribute.type = TENSOR
        attribute.t.CopyFrom(tensor("", str(value.dtype), *flat(value, str(value.dtype))))


def _add_sequence(attribute: Any, values: Sequence[Any]) -> None:
    if any(isinstance(v, float) for v in values):
        attribute.type = FLOATS
        attribute.floats.extend(values)
    elif any(isinstance(v, str) for v in values):
        attribute.type = STRINGS
        attribute.strings.extend(v.encode() for v in values)
    else:
        attribute.type = INTS
        attribute.ints.extend(values)


def flat(values: Any, dtype: str) -> tuple[tuple[int, ...], array[Any]]:
    """The shape and the elements of a number, a nested list or an array of numpy, which is not loaded."""
    parts = [values.tolist() if hasattr(values, "tolist") else values]
    shape = []
    while parts and isinstance(parts[0], list | tuple):
        shape.append(len(parts[0]))
        parts = [inner for part in parts for inner in part]
    code = TYPECODES[dtype]
    return tuple(shape), array(code, map(float if code in "fd" else int, parts))


def tensor(name: str, dtype: str, shape: Sequence[int], values: array[Any]) -> Any:
    """A TensorProto with its values."""
    proto = tensor_head(name, dtype, shape)
    little = array(values.typecode, values)
    if sys.byteorder == "big":
        little.byteswap()
    proto.raw_data = little.tobytes()
    return proto


def tensor_head(name: str, dtype: str, shape: Sequence[int]) -> Any:
    """A TensorProto without its values."""
    return protobuf().TensorProto(name=name, data_type=ELEMENTS[dtype], dims=shape)


def describe_value(proto: Any, name: str, dtype: str, shape: Shape | None) -> None:
    """Fills a ValueInfoProto. A size that is free stands as its name or formula."""
    proto.name = name
    describe_type(proto.type, dtype, shape)


def describe_type(proto: Any, dtype: str, shape: Shape | None) -> None:
    """Fills a TypeProto."""
    proto.tensor_type.elem_type = ELEMENTS[dtype]
    if shape is None:
        return
    described = proto.tensor_type.shape
    described.SetInParent()
    for size in shape:
        dim = described.dim.add()
        if isinstance(size, int):
            dim.dim_value = size
        else:
            dim.dim_param = str(size)


def frame(field: int, length: int) -> bytes:
    """What stands before `length` bytes that are the value of a protobuf field."""
    return varint(field << 3 | 2) + varint(length)


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes((*out, number))
