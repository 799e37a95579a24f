"""Turns a net into an ONNX model: the graph as protobuf, and the parameters that it takes from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from netc import __version__
from netc.backends.describe import describe
from netc.backends.names import Names
from netc.backends.onnx_graph import GraphBuilder
from netc.backends.onnx_layout import Initializer, drop_unread, lay_out_parameters, layouts
from netc.backends.onnx_proto import describe_type, describe_value, protobuf
from netc.diagnostics import Refused
from netc.diagnostics.wording_shapes import mismatch
from netc.diagnostics.wording_weights import unsupported_opset
from netc.dims import Facts, Prover, proving
from netc.ir.module import Constant, Net, Param, Type, Value
from netc.ops.contract import Mismatch, Operand
from netc.passes.locate import Located, locate

DEFAULT_OPSET = 20
IR_VERSIONS = {17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11}  # by opset: what came with it


@dataclass(frozen=True)
class OnnxModel:
    """proto: the ModelProto without the values of its parameters.

    parameters: by path, those that are no inputs.
    initializers: by name, what is stored of them, each laid out as the graph reads it.
    made: for each node of `located`, the names of its outputs.
    """

    proto: Any
    parameters: Mapping[str, Param]
    initializers: Mapping[str, Initializer]
    located: Located
    made: tuple[tuple[str, ...], ...]


def to_onnx(
    net: Net,
    opset: int = DEFAULT_OPSET,
    preprocess: Mapping[str, Any] | None = None,
    classes: Sequence[str] | None = None,
) -> OnnxModel:
    """The model that gives the outputs of `net`; `preprocess` and `classes` go to its metadata."""
    located = locate(net)
    outputs = [(value.hint or "output", value) for value in located.flat.outputs]
    described = {"preprocess": preprocess, "classes": classes}
    return emit(net, located, net.block.inputs, outputs, opset, net.facts, **described)


def emit(
    net: Net,
    located: Located,
    inputs: Sequence[Value],
    outputs: Sequence[tuple[str, Value]],
    opset: int,
    facts: Facts | None = None,
    **described: Any,
) -> OnnxModel:
    """A graph made from `net` as a model. inputs: named by their hints; parameters among them are not stored.

    outputs: with the names wanted for them. facts: of free sizes, those of training unless told otherwise.
    described: what else `describe` takes for its metadata.
    """
    if opset not in IR_VERSIONS:
        raise Refused(unsupported_opset(opset, min(IR_VERSIONS), max(IR_VERSIONS)))
    emitter = _Emitter(net, opset, located, inputs, outputs)
    with proving(Prover(facts=net.training_facts if facts is None else facts)):
        made = tuple(emitter.node(i) for i in range(len(located.flat.nodes)))
    proto = _envelope(opset)
    proto.graph.CopyFrom(emitter.finish())
    parameters = emitter.parameters()
    initializers = lay_out_parameters(proto.graph, parameters, emitter.builder.free)
    drop_unread(proto.graph)
    emitter.describe_values(proto.graph)
    text = describe(net, layouts=layouts(initializers, parameters), **described)
    proto.metadata_props.add(key="netc", value=text)
    return OnnxModel(proto, parameters, initializers, located, made)


def _envelope(opset: int) -> Any:
    """A ModelProto without a graph."""
    model = protobuf().ModelProto(
        ir_version=IR_VERSIONS[opset], producer_name="netc", producer_version=__version__
    )
    model.opset_import.add(domain="", version=opset)
    return model


@dataclass(eq=False)
class _Emitter:
    """A graph being emitted: the names of its values, and the names that its outputs must have."""

    net: Net
    opset: int
    located: Located
    inputs: Sequence[Value]
    results: Sequence[tuple[str, Value]]
    names: dict[Value, str] = field(default_factory=dict)
    wanted: dict[Value, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        flat = self.located.flat
        self.names |= {param: ".".join(path) for path, param in flat.params.items()}
        self.names |= {value: value.hint for value in self.inputs if not isinstance(value, Param)}
        taken = Names(self.names.values())
        self.outputs = [taken.free(name) for name, _ in self.results]
        for (_, value), name in zip(self.results, self.outputs, strict=True):
            self.wanted.setdefault(value, name)
        self.builder = GraphBuilder(self.opset, self.inputs, [*self.names.values(), *self.outputs])

    def node(self, index: int) -> tuple[str, ...]:
        """Adds node `index`; gives the names of its outputs."""
        node, place = self.located.flat.nodes[index], self.located.place(index)
        operands = [self.operand(v) for v in node.operands]
        try:
            given = node.op.onnx(self.builder, *operands)
        except Mismatch as error:
            raise Refused(mismatch(node.span, node.op.name, error.message, {}, ())) from None
        marks = (given,) if isinstance(given, str) else tuple(given)
        results = [
            (str(mark), self.wanted.get(v, place), v in self.wanted)
            for mark, v in zip(marks, node.outputs, strict=True)
        ]
        names = self.builder.close(place, results)
        self.names.update(zip(node.outputs, names, strict=True))
        return tuple(names)

    def operand(self, value: Value) -> Operand:
        name = self.names.get(value)
        if name is None and isinstance(value, Constant):
            name = self.builder.constant(value.number, value.type.dtype)
        if name is None:
            raise ValueError(f"{value.hint} of type {value.type} is read before anything gives it")
        return Operand.of(name, value.type.shape, value.type.dtype)

    def finish(self) -> Any:
        """The GraphProto, with its inputs and outputs."""
        for (_, value), name in zip(self.results, self.outputs, strict=True):
            if (made := str(self.operand(value))) != name:
                self.builder.enter(name, "Identity", [made], [name], {})
        graph = self.builder.graph
        graph.name = self.net.name
        graph.doc_string = self.net.block.doc or ""
        for value in self.inputs:
            describe_value(graph.input.add(), self.names[value], value.type.dtype, value.type.shape)
        for (_, value), name in zip(self.results, self.outputs, strict=True):
            describe_value(graph.output.add(), name, value.type.dtype, value.type.shape)
        return graph

    def describe_values(self, graph: Any) -> None:
        """Enters the dtype and shape of what the nodes of the spec give, as far as it is in `graph`."""
        outputs = {value.name for value in graph.output}
        types = {name: value.type for value, name in self.names.items()}
        protos: dict[Type, Any] = {}  # a net has few types
        for node in graph.node:
            for name in node.output:
                if name in types and name not in outputs:
                    if (type_ := types[name]) not in protos:
                        protos[type_] = protobuf().TypeProto()
                        describe_type(protos[type_], type_.dtype, type_.shape)
                    graph.value_info.add(name=name, type=protos[type_])

    def parameters(self) -> dict[str, Param]:
        """The parameters that are no inputs."""
        given = set(self.inputs)
        params = self.located.flat.params.items()
        return {".".join(path): param for path, param in params if param not in given}


def with_outputs(model: OnnxModel, count: int | None = None) -> OnnxModel:
    """The first `count` nodes of `model` (all unless told otherwise), where what each makes is an output."""
    proto = protobuf().ModelProto()
    proto.CopyFrom(model.proto)
    del proto.graph.output[:]
    if count is not None:
        del proto.graph.node[count:]
    there = {name for node in proto.graph.node for name in node.output}
    for node, names in zip(model.located.flat.nodes, model.made, strict=True):
        for value, name in zip(node.outputs, names, strict=True):
            if name in there:
                there.remove(name)
                describe_value(proto.graph.output.add(), name, value.type.dtype, None)
    return replace(model, proto=proto)
