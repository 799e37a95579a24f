"""Turns the text of a program into everything that is compared: its net, its targets, its true values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.objective import objective
from netc.autodiff.reverse import reverse
from netc.autodiff.trial import random_weights
from netc.backends.onnx_parameters import values_of
from netc.backends.onnx_proto import tensor_head
from netc.backends.to_onnx import OnnxModel, to_onnx
from netc.backends.to_torch import to_torch
from netc.backends.weights import Held
from netc.deploy.evidence import Evidence
from netc.diagnostics import Refused, Span
from netc.fuzz.draws import Drawn, inputs_of
from netc.fuzz.truth import Truth, truth
from netc.ir.module import Net, Value, results
from netc.ops.contract import FLOATS
from netc.passes.elaborate import elaborate
from netc.passes.initial import numbers, state
from netc.passes.load import Program, load
from netc.passes.locate import Located, locate
from netc.syntax import tree
from netc.syntax.write import write

Array: TypeAlias = npt.NDArray[Any]
OPSETS = (20, 17, 23)
FILE = "fuzz.net"
CASTS = (".float()", "torch.float32")  # what rounds in an emitted source, whatever its weights are


@dataclass(frozen=True)
class Slopes:
    """A net differentiated: its weighed sum, what it is differentiated by, and the graph that gives these slopes."""

    located: Located
    gradients: Located
    weights: tuple[Value, ...]
    wrt: tuple[Value, ...]


@dataclass(eq=False)
class Case:
    """A program, compiled. model: None where the target refuses it, with the reason in `refused`."""

    program: Program
    net: Net
    source: str
    opset: int
    located: Located
    weights: Mapping[str, Array]
    model: OnnxModel | None
    refused: str = ""

    @property
    def text(self) -> str:
        return self.program.source.text

    @cached_property
    def drawn(self) -> tuple[Drawn, ...]:
        return inputs_of(self.net)

    @cached_property
    def truths(self) -> tuple[Truth, ...]:
        """The true values for each set of inputs; numpy's errors are those of a program that is not sound."""
        return tuple(truth(self.located.flat, drawn.arrays, self.weights) for drawn in self.drawn)

    @property
    def evidence(self) -> Evidence:
        """What tells whether a known difference of others is met."""
        nodes = () if self.model is None else self.model.proto.graph.node
        return Evidence(self.located.flat, self.weights, [d.arrays for d in self.drawn], nodes)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The names of what is compared, as the other process gives them."""
        return tuple(results(self.net))

    @cached_property
    def rounds(self) -> bool:
        """Whether some op makes float32 of another dtype, so that float64 is not kept where the net is widened."""
        single = "float32"
        return any(text in self.source for text in CASTS) or any(
            any(v.type.dtype == single for v in node.outputs)
            and all(v.type.dtype != single for v in node.operands)
            for node in self.located.flat.nodes
        )

    @cached_property
    def slopes(self) -> Slopes | None:
        """None where nothing is differentiable. Refused where a gradient's shape cannot be told."""
        if not any(v.type.dtype in FLOATS for v in self.net.block.outputs):
            return None
        made = objective(self.net, weighed=True)
        flat = made.located.flat
        read = {v for node in flat.nodes for v in node.operands}
        wrt: list[Value] = [p for p in flat.params.values() if p.trainable and p in read]
        wrt += [v for v in flat.inputs if v.type.dtype in FLOATS and v in read and v not in made.weights]
        if not wrt:
            return None
        return Slopes(
            made.located,
            reverse(made.located, flat.outputs[:1], wrt, self.net.training_facts),
            made.weights,
            tuple(wrt),
        )

    @cached_property
    def weighing(self) -> dict[str, Array]:
        """By what each output is multiplied in the sum that is differentiated."""
        assert self.slopes is not None
        rng, sizes = np.random.default_rng(7), self.drawn[0].sizes
        return {w.hint: rng.standard_normal(_at(w, sizes)) for w in self.slopes.weights}

    def job(self) -> dict[str, Any]:
        """What the other process is asked."""
        sloped = self.differentiated
        slopes = self.slopes if sloped else None
        return {
            "source": self.source, "class": self.net.name, "weights": dict(self.weights),
            "inputs": [dict(d.arrays) for d in self.drawn],
            "names": [v.hint for v in self.net.block.inputs], "targets": [v.hint for v in self.net.targets],
            "loss": bool(self.net.losses), "model": self.bytes,
            "weigh": list(self.weighing.values()) if slopes else None,
            "wrt": [spelled(v) for v in slopes.wrt] if slopes else [],
        }  # fmt: skip

    @property
    def differentiated(self) -> bool:
        """Whether gradients are compared."""
        return not self.no_gradient

    @cached_property
    def no_gradient(self) -> str:
        """Why gradients are not compared, if so: what is differentiated must be finite, and its sum must be told."""
        if not all(np.isfinite(y).all() for y in self.truths[0].values):
            return "a value is not finite"
        try:
            return "" if self.slopes is not None else "nothing is differentiable"
        except Refused as refused:
            return refused.diagnostics[0].message

    @cached_property
    def bytes(self) -> bytes | None:
        """The ONNX file, weights and all."""
        return None if self.model is None else serialised(self.model, self.weights)


def _at(value: Value, sizes: Mapping[str, int]) -> tuple[int, ...]:
    from netc.dims import substitute

    return numbers(tuple(substitute(d, sizes) for d in value.type.shape))


def spelled(value: Value) -> str:
    """The name of an input, or the path of a parameter."""
    path: Sequence[str] = getattr(value, "path", ())
    return ".".join(path) if path else value.hint


def serialised(model: OnnxModel, weights: Mapping[str, Array]) -> bytes:
    """The bytes of the model with its weights in it."""
    proto = type(model.proto)()
    proto.CopyFrom(model.proto)
    values = values_of(model, Held(weights), list(model.initializers))
    for (name, stored), value in zip(model.initializers.items(), values, strict=True):
        tensor = proto.graph.initializer.add()
        tensor.CopyFrom(tensor_head(name, stored.type.dtype, numbers(stored.type.shape)))
        tensor.raw_data = np.ascontiguousarray(value).tobytes()
    made: bytes = proto.SerializeToString(deterministic=True)
    return made


def read(text: str) -> Program:
    """A program by its text."""
    return load(FILE, lambda _: text.encode())


def elaborated(program: Program) -> Net:
    """The one net of a program."""
    return elaborate(program, next(iter(program.nets)))


def written(program: Program) -> str:
    """The text that is written from the trees of a program."""
    made = [d.tree for d in program.scope.values() if d.tree.span.source is program.source]
    items = tuple(sorted(made, key=lambda item: int(item.span.start)))
    version = 1 if program.source.text.startswith("netc 1") else None
    whole = Span(program.source, 0, len(program.source.text))
    return write(tree.File(whole, version, program.doc, items))


def case_of(text: str, opset: int = OPSETS[0]) -> Case:
    """The program compiled. Raises Refused where netc refuses it."""
    program = read(text)
    net = elaborated(program)
    located = locate(net, tuple(results(net).values()))
    source, weights = to_torch(net), random_weights(state(net))
    try:
        model, refused = to_onnx(net, opset), ""
    except Refused as error:
        model, refused = None, error.diagnostics[0].message
    return Case(program, net, source, opset, located, weights, model, refused)
