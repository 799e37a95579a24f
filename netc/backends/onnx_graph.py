"""Turns what ops ask for into the nodes and constants of an ONNX graph, with readable names given once."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netc.backends.names import Names
from netc.backends.onnx_proto import add_attribute, flat, protobuf, tensor
from netc.backends.onnx_sizes import RunTimeSizes
from netc.dims import Shape
from netc.ir.module import Value

AXES_ARE_INPUTS = (
    18  # the opset since which reductions but ReduceSum, which did before, take axes as an input
)


@dataclass(eq=False)
class _Draft:
    """A node whose outputs have no names yet, only marks that no name can be."""

    op_type: str
    inputs: tuple[str, ...]
    outputs: list[str]
    attributes: Mapping[str, Any]


@dataclass(eq=False)
class GraphBuilder:
    """The graph under construction: what ops call `graph` (see netc.ops.contract.Graph).

    taken: the names of inputs, outputs and parameters.
    """

    opset: int
    inputs: Sequence[Value]
    taken: Iterable[str]
    graph: Any = field(default_factory=lambda: protobuf().GraphProto())

    def __post_init__(self) -> None:
        self._values, self._nodes = Names(self.taken), Names()
        self._drafts: list[_Draft] = []
        self._marks = 0
        self._makers: dict[str, tuple[str, tuple[str, ...]]] = {}  # the type and inputs of what gives a value
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._sizes = RunTimeSizes(self, self.inputs)

    # -- what ops call ----------------------------------------------------------------------------
    def node(self, op_type: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        if _changes_nothing(op_type, inputs, attributes):
            return str(inputs[0])
        marks = [f"\0{self._marks + i}" for i in range(outputs)]
        self._marks += outputs
        given = tuple(map(str, inputs))
        self._drafts.append(_Draft(op_type, given, marks, attributes))
        self._makers.update(dict.fromkeys(marks, (op_type, given)))
        return marks[0] if outputs == 1 else tuple(marks)

    def free(self, name: str) -> str:
        """A name that no value has: `name`, or that with a number behind it."""
        return self._values.free(name)

    def constant(self, values: Any, dtype: str) -> str:
        shape, elements = flat(values, dtype)
        key = (dtype, shape, elements.tobytes())
        if key not in self._constants:
            name = self._values.free(_constant_name(shape, elements))
            self._constants[key] = name
            self.graph.initializer.append(tensor(name, dtype, shape, elements))
        return self._constants[key]

    def made_by(self, x: str) -> str | None:
        return self._makers[str(x)][0] if str(x) in self._makers else None

    def made_from(self, x: str) -> tuple[str, ...]:
        return self._makers[str(x)][1] if str(x) in self._makers else ()

    def sizes(self, shape: Shape) -> str:
        if all(isinstance(d, int) for d in shape):
            return self.constant(shape, "int64")
        return self._sizes.vector(shape)

    def reduce(self, op_type: str, x: str, axes: Sequence[int], keepdims: bool) -> str:
        if op_type == "ReduceSum" or self.opset >= AXES_ARE_INPUTS:
            return str(self.node(op_type, x, self.constant(axes, "int64"), keepdims=int(keepdims)))
        return str(self.node(op_type, x, axes=list(axes), keepdims=int(keepdims)))

    # -- what the emitter calls -------------------------------------------------------------------
    def close(self, place: str, results: Sequence[tuple[str, str, bool]]) -> list[str]:
        """Enters the nodes made since the last call under names that begin with `place`.

        results: what the op gave for each of its outputs, the name wanted for it, and whether it must have
        that very name. Gives the names that they have.
        """
        chosen: dict[str, str] = {}
        for mark, wanted, exact in results:
            if mark.startswith("\0") and mark not in chosen:
                chosen[mark] = wanted if exact else self._values.free(wanted)
        for draft in self._drafts:
            main = any(mark in chosen for mark in draft.outputs)
            names = [chosen.get(m) or self._values.free(f"{place}/{draft.op_type}") for m in draft.outputs]
            chosen.update(zip(draft.outputs, names, strict=True))
            title = self._nodes.free(place if main else f"{place}/{draft.op_type}")
            inputs = [chosen.get(name, name) for name in draft.inputs]
            self.enter(title, draft.op_type, inputs, names, draft.attributes)
        self._drafts.clear()
        return [self._kept(chosen.get(mark, mark), wanted, exact) for mark, wanted, exact in results]

    def _kept(self, name: str, wanted: str, exact: bool) -> str:
        """An output that must have a name of its own, although its value has another, becomes a copy."""
        if exact and name != wanted:
            self.enter(self._nodes.free(wanted), "Identity", [name], [wanted], {})
            return wanted
        return name

    def enter(
        self,
        title: str,
        op_type: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: Mapping[str, Any],
    ) -> None:
        """Adds a node as it is."""
        node = self.graph.node.add()
        node.name, node.op_type = title, op_type
        node.input.extend(inputs)
        node.output.extend(outputs)
        for name, value in attributes.items():
            if value is not None:
                add_attribute(node, name, value)
        self._makers.update(dict.fromkeys(outputs, (op_type, tuple(inputs))))

    def enter_size(self, text: str, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node that computes a size, ahead of those that are being made."""
        name = self._values.free(f"size/{text}")
        self.enter(self._nodes.free(name), op_type, inputs, [name], attributes)
        return name


def _changes_nothing(op_type: str, inputs: Sequence[str], attributes: Mapping[str, Any]) -> bool:
    """Whether a node would give its first input as it is."""
    if op_type == "Transpose":
        return list(attributes["perm"]) == sorted(attributes["perm"])
    return op_type == "Identity" or (op_type == "Concat" and len(inputs) == 1)


def _constant_name(shape: Sequence[int], elements: array[Any]) -> str:
    shown = ",".join(map(str, elements)) if len(elements) <= 8 else "x".join(map(str, shape))
    return f"constant/{shown}"
