"""Turns a net and its emitted source into a comparison of loss and gradients in training, three ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from netc.autodiff.backward import backward
from netc.autodiff.differentiable import differentiable
from netc.autodiff.gradcheck import started
from netc.autodiff.gradients import GradientGraph, gradient_graph
from netc.autodiff.interpret import Array, interpret
from netc.autodiff.row import TOLERANCE as GRADIENT
from netc.autodiff.rules import BrokenRule, broken_rules
from netc.autodiff.subject import Subject, subject
from netc.backends.describe import describe
from netc.backends.onnx_file import write_onnx
from netc.backends.to_onnx import emit
from netc.backends.weights import Held, write_safetensors
from netc.deploy.deviation import relative_error
from netc.deploy.evidence import Evidence, Known
from netc.deploy.isolated import Emitted, train_emitted
from netc.deploy.known_issues import known_of
from netc.deploy.runtime import outputs_of, start
from netc.ir.module import Net, Param, Value, operands, training_values
from netc.ir.walk import needed
from netc.ops.contract import FLOATS
from netc.passes.initial import state
from netc.passes.inline import Flat

Results: TypeAlias = dict[str, Array]

WIDE = 1e-9  # relative error allowed where PyTorch, too, computes in float64
ROUNDING = 1e-4  # of the largest gradient: smaller ones count as so large; that of a bias before a BatchNorm is rounding
POINTS = 3
LEEWAY = 16  # times PyTorch's own error in float32 that onnxruntime's may be


@dataclass(frozen=True)
class TrainingError:
    """A value of a step of training. key: "loss", "gradient/PATH" or "buffer/PATH". allowed: the error it may have.

    known: what others are known to do otherwise, where that explains an error beyond.
    """

    target: str
    key: str
    error: float
    allowed: float
    known: Known | None = None

    @property
    def kind(self) -> str:
        """What it is: loss, gradient or buffer."""
        return self.key.partition("/")[0]


@dataclass(frozen=True)
class TrainingReport:
    """What a step of training gave, against the interpreter in float64. blamed: rules that differences contradict."""

    sizes: Mapping[str, int]
    errors: tuple[TrainingError, ...]
    points: int = 1  # those tried: a unit within rounding of a kink has another slope in float32
    blamed: tuple[BrokenRule, ...] = ()

    @property
    def failures(self) -> tuple[TrainingError, ...]:
        return tuple(e for e in self.errors if not e.error <= e.allowed and e.known is None)

    @property
    def explained(self) -> tuple[TrainingError, ...]:
        return tuple(e for e in self.errors if e.known is not None)

    def worst(self, target: str, kind: str) -> TrainingError | None:
        """The error that comes closest to what is allowed, or passes it furthest."""
        found = [e for e in self.errors if e.target == target and e.key.startswith(kind)]
        return max(found, key=lambda e: e.error / e.allowed, default=None)


def verify_training(
    net: Net, source: str, class_name: str, opset: int, tolerance: float, folder: Path, seed: int = 0
) -> TrainingReport:
    """Compares the loss, the gradient of every parameter and the running statistics after one step.

    net: on images as small as its shapes allow. The emitted module computes in float64, where it must agree to
    1e-9, and in float32, whose error is the measure for onnxruntime's. Where gradients in float32 alone are off,
    a unit of a large net may lie within rounding of a kink: up to two other points are looked at.
    """
    for points in range(1, POINTS + 1):
        report = _at_point(net, source, class_name, opset, tolerance, folder, seed + points - 1)
        if not report.failures or any(e.target != "onnx" or e.kind != "gradient" for e in report.failures):
            break
    return replace(report, points=points)


def _at_point(
    net: Net, source: str, class_name: str, opset: int, tolerance: float, folder: Path, seed: int
) -> TrainingReport:
    chosen = subject(net, True, seed, beside=_beside(net))
    graph = gradient_graph(chosen)
    truth = dict(zip(graph.keys, interpret(graph.located.flat, chosen.inputs, chosen.weights), strict=True))
    inputs, targets = ([v.hint for v in values] for values in (net.block.inputs, net.targets))
    emitted = Emitted(source, class_name, folder, inputs, targets, bool(net.losses))
    table = state(net)
    narrow = {k: w.astype(table[k].type.dtype) for k, w in chosen.weights.items()}
    write_safetensors(folder / "weights.safetensors", table, Held(narrow), describe(net), True)
    single, wide = _torch(chosen, emitted)
    found = _onnx(chosen, graph, narrow, opset, folder / "training.onnx")
    errors = _errors(truth, wide, single, found, tolerance)
    report = TrainingReport(chosen.sizes, tuple(_explained(chosen, e) for e in errors))
    return replace(report, blamed=broken_rules(chosen, GRADIENT)) if report.failures else report


def _explained(chosen: Subject, error: TrainingError) -> TrainingError:
    """With what explains an error of PyTorch's gradient, which is looked for only where slopes say that netc's is right."""
    if error.error <= error.allowed or error.target != "torch" or error.kind != "gradient":
        return error
    known = known_of(
        "gradient", error.error, "", Evidence(chosen.located.flat, chosen.weights, [chosen.inputs])
    )
    wrt = [v for v in differentiable(chosen) if isinstance(v, Param) and ".".join(v.path) == error.key[9:]]
    if known is None or not wrt:
        return error
    gradients = backward(chosen, wrt)
    check = started(chosen, gradients, GRADIENT, 0)
    right = not any(check.row(v, g, 1).too_large for v, g in zip(wrt, gradients.arrays, strict=True))
    return replace(error, known=known if right else None)


def _errors(
    truth: Results, wide: Results, single: Results, found: Results, tolerance: float
) -> Iterator[TrainingError]:
    gradients = [v for key, v in truth.items() if key.startswith("gradient/")]
    small = ROUNDING * max((float(np.abs(v).max(initial=0.0)) for v in gradients), default=0.0)
    for key, value in truth.items():
        least = small if key.startswith("gradient/") else 0.0
        torch, own, onnx = (_error(value, results, key, least) for results in (wide, single, found))
        yield TrainingError("torch", key, torch, WIDE)
        yield TrainingError("onnx", key, onnx, max(tolerance, LEEWAY * own))
    for key in wide.keys() - truth.keys():
        if key.startswith("gradient/"):
            yield TrainingError("torch", key, float("inf") if np.any(wide[key]) else 0.0, WIDE)


def _error(truth: Array, results: Results, key: str, least: float) -> float:
    return relative_error(truth, results[key], least) if key in results else float("inf")


def trunk_of(net: Net) -> tuple[Value, ...]:
    """The outputs, where the emitted `loss` begins with them, as it reads some of what they need."""
    wanted = training_values(net)
    inside = {v for step in needed(net.block.body, net.block.outputs) for v in step.outputs}
    read = {v for step in needed(net.block.body, wanted, inside) for v in step.inputs}
    return net.block.outputs if net.losses and inside & (read | set(wanted)) else ()


def _beside(net: Net) -> tuple[Value, ...]:
    """What the emitted module computes besides what is differentiated."""
    if not net.losses:
        return tuple(v for v in net.block.outputs if v.type.dtype not in FLOATS)
    return (*trunk_of(net), *net.metrics.values())


def _masks(chosen: Subject) -> list[Array]:
    """What is drawn in the order in which the emitted module draws it: what only losses read comes last."""
    flat, trunk = chosen.located.flat, len(trunk_of(chosen.net))
    first = 1 + len(chosen.net.losses)
    forward, rest = drawn_by(flat, chosen.masks, flat.outputs[first : first + trunk])
    return [chosen.inputs[mask.hint] for mask in (*forward, *rest)]


def drawn_by(flat: Flat, masks: Sequence[Value], outputs: Sequence[Value]) -> tuple[list[Value], list[Value]]:
    """Those of `masks` that are drawn on the way to `outputs`, and those that the rest of the graph alone reads."""
    before, read = (
        {v for node in needed(flat.nodes, values) for v in operands(node)} | set(values)
        for values in (outputs, flat.outputs)
    )
    rest = [mask for mask in masks if mask in read - before]
    return [mask for mask in masks if mask not in rest], rest


def _torch(chosen: Subject, emitted: Emitted) -> tuple[Results, Results]:
    masks = _masks(chosen)
    weights = [chosen.inputs[v.hint] for v in chosen.weighing]
    values = (*chosen.net.block.inputs, *chosen.net.targets)
    given = {v.hint: chosen.inputs[v.hint].astype(v.type.dtype) for v in values}
    return train_emitted(emitted, given, masks, weights)


def _onnx(chosen: Subject, graph: GradientGraph, weights: Results, opset: int, path: Path) -> Results:
    flat = graph.located.flat
    outputs = list(zip(graph.keys, flat.outputs, strict=True))
    model = emit(chosen.net, graph.located, flat.inputs, outputs, opset)
    write_onnx(path, model, Held(weights), True)
    given = {
        v.hint: chosen.inputs[v.hint].astype(v.type.dtype) for v in flat.inputs if v.hint in chosen.inputs
    }
    session = start(path)
    names = [o.name for o in session.get_outputs()]
    made = dict(zip(names, outputs_of(session, path, given), strict=True))
    return {key: made[name] for key, name in zip(graph.keys, names, strict=True)}
