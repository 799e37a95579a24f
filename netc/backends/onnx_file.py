"""Turns an ONNX model and a source of weights into a file, tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from netc.backends.onnx_parameters import values_of
from netc.backends.onnx_proto import GRAPH, INITIALIZER, RAW_DATA, frame, tensor_head
from netc.backends.output import Piece, Sink, Writer, write_outputs
from netc.backends.to_onnx import OnnxModel
from netc.backends.weights import Layout, Weights, lay_out, write_tensors
from netc.passes.initial import Typed, bytes_of, numbers

LIMIT = 2**31 - 1  # bytes that a protobuf message may have
EXTERNAL = 1  # TensorProto.DataLocation


def onnx_files(path: Path, model: OnnxModel, weights: Weights, limit: int = LIMIT) -> dict[Path, Writer]:
    """What is to be written of `model`: `path`, and `path`.data where one file may not hold all its weights."""
    message = _Message.of(model)
    if message.length <= limit:
        return {path: lambda sink: message.write(sink, values_of(model, weights, list(model.initializers)))}
    beside = path.with_name(path.name + ".data")
    layout = lay_out(model.initializers, model.proto.metadata_props[0].value)
    proto = type(model.proto)()
    proto.CopyFrom(model.proto)
    for name, tensor in model.initializers.items():
        _refer(proto.graph.initializer.add(), name, tensor, beside.name, layout)
    return {
        beside: lambda sink: write_tensors(sink, layout, values_of(model, weights, list(layout.offsets))),
        path: lambda sink: sink.write(proto.SerializeToString(deterministic=True)),
    }


def write_onnx(
    path: Path, model: OnnxModel, weights: Weights, force: bool = False, limit: int = LIMIT
) -> None:
    """Writes `model` with its weights."""
    write_outputs(onnx_files(path, model, weights, limit), force)


class _Message:
    """The bytes of a model around those of its weights: its one graph ends with the initializers."""

    def __init__(self, envelope: bytes, graph: bytes, tensors: Mapping[str, Typed]) -> None:
        self.graph = graph
        self.heads = [_head(name, tensor) for name, tensor in tensors.items()]
        size = len(graph) + sum(map(len, self.heads)) + sum(map(bytes_of, tensors.values()))
        self.start = envelope + frame(GRAPH, size)
        self.length = len(self.start) + size

    @staticmethod
    def of(model: OnnxModel) -> _Message:
        envelope = type(model.proto)()
        envelope.CopyFrom(model.proto)
        envelope.ClearField("graph")
        graph = model.proto.graph.SerializeToString(deterministic=True)
        return _Message(envelope.SerializeToString(deterministic=True), graph, model.initializers)

    def write(self, sink: Sink, values: Iterable[Piece]) -> None:
        sink.write(self.start)
        sink.write(self.graph)
        for head, piece in zip(self.heads, values, strict=True):
            sink.write(head)
            sink.piece(piece)


def _head(name: str, tensor: Typed) -> bytes:
    """The bytes of a tensor up to its values: its frame in the graph, its fields, the values' frame."""
    size = bytes_of(tensor)
    proto = tensor_head(name, tensor.type.dtype, numbers(tensor.type.shape))
    head = proto.SerializeToString(deterministic=True) + frame(RAW_DATA, size)
    return frame(INITIALIZER, len(head) + size) + bytes(head)


def _refer(proto: Any, name: str, tensor: Typed, location: str, layout: Layout) -> None:
    """Fills a TensorProto whose values lie in another file."""
    proto.CopyFrom(tensor_head(name, tensor.type.dtype, numbers(tensor.type.shape)))
    proto.data_location = EXTERNAL
    where = {"location": location, "offset": layout.offsets[name], "length": bytes_of(tensor)}
    for key, value in where.items():
        proto.external_data.add(key=key, value=str(value))
