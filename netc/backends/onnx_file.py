"""Turns an ONNX model and a source of weights into a file, tensor by tensor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from netc.backends.onnx_proto import GRAPH, INITIALIZER, RAW_DATA, frame, tensor_head
from netc.backends.output import Sink, Writer, write_outputs
from netc.backends.to_onnx import OnnxModel
from netc.backends.weights import Layout, Weights, lay_out, write_tensors
from netc.ir.module import Param
from netc.passes.initial import bytes_of, numbers

LIMIT = 2**31 - 1  # bytes that a protobuf message may have
EXTERNAL = 1  # TensorProto.DataLocation


def onnx_files(path: Path, model: OnnxModel, weights: Weights, limit: int = LIMIT) -> dict[Path, Writer]:
    """What is to be written of `model`: `path`, and `path`.data where one file may not hold all its weights."""
    message = _Message.of(model)
    if message.length <= limit:
        return {path: lambda sink: message.write(sink, weights)}
    beside = path.with_name(path.name + ".data")
    layout = lay_out(model.parameters, model.proto.metadata_props[0].value)
    proto = type(model.proto)()
    proto.CopyFrom(model.proto)
    for name, param in model.parameters.items():
        _refer(proto.graph.initializer.add(), name, param, beside.name, layout)
    return {
        beside: lambda sink: write_tensors(sink, layout, weights),
        path: lambda sink: sink.write(proto.SerializeToString(deterministic=True)),
    }


def write_onnx(
    path: Path, model: OnnxModel, weights: Weights, force: bool = False, limit: int = LIMIT
) -> None:
    """Writes `model` with its weights."""
    write_outputs(onnx_files(path, model, weights, limit), force)


class _Message:
    """The bytes of a model around those of its weights: its one graph ends with the parameters."""

    def __init__(
        self, envelope: bytes, graph: bytes, heads: dict[str, bytes], parameters: dict[str, Param]
    ) -> None:
        self.heads, self.graph, self.parameters = heads, graph, parameters
        tensors = sum(len(head) + bytes_of(parameters[name]) for name, head in heads.items())
        self.start = envelope + frame(GRAPH, len(graph) + tensors)
        self.length = len(self.start) + len(graph) + tensors

    @staticmethod
    def of(model: OnnxModel) -> _Message:
        envelope = type(model.proto)()
        envelope.CopyFrom(model.proto)
        envelope.ClearField("graph")
        heads = {name: _head(name, param) for name, param in model.parameters.items()}
        graph = model.proto.graph.SerializeToString(deterministic=True)
        return _Message(envelope.SerializeToString(deterministic=True), graph, heads, dict(model.parameters))

    def write(self, sink: Sink, weights: Weights) -> None:
        sink.write(self.start)
        sink.write(self.graph)
        pieces = weights.pieces(list(self.heads))
        for head, piece in zip(self.heads.values(), pieces, strict=True):
            sink.write(head)
            sink.piece(piece)


def _head(name: str, param: Param) -> bytes:
    """The bytes of a parameter up to its values: its frame in the graph, its fields, the values' frame."""
    size = bytes_of(param)
    proto = tensor_head(name, param.type.dtype, numbers(param.type.shape))
    head = proto.SerializeToString(deterministic=True) + frame(RAW_DATA, size)
    return frame(INITIALIZER, len(head) + size) + bytes(head)


def _refer(proto: Any, name: str, param: Param, location: str, layout: Layout) -> None:
    """Fills a TensorProto whose values lie in another file."""
    proto.CopyFrom(tensor_head(name, param.type.dtype, numbers(param.type.shape)))
    proto.data_location = EXTERNAL
    where = {"location": location, "offset": layout.offsets[name], "length": bytes_of(param)}
    for key, value in where.items():
        proto.external_data.add(key=key, value=str(value))
