"""Turns a net and its emitted source into a comparison of loss and gradients in training, three ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from netc.autodiff.gradients import GradientGraph, gradient_graph
from netc.autodiff.interpret import Array, interpret
from netc.autodiff.rules import BrokenRule, broken_rules
from netc.autodiff.subject import Subject, subject
from netc.backends.describe import describe
from netc.backends.onnx_file import write_onnx
from netc.backends.to_onnx import emit
from netc.backends.weights import Held, write_safetensors
from netc.deploy.deviation import relative_error
from netc.deploy.isolated import Emitted, train_emitted
from netc.deploy.runtime import outputs_of, start
from netc.ir.module import Net
from netc.passes.initial import state

Results: TypeAlias = dict[str, Array]

WIDE = 1e-9  # relative error allowed where PyTorch, too, computes in float64
LEEWAY = 16  # times PyTorch's own error in float32 that onnxruntime's may be


@dataclass(frozen=True)
class TrainingError:
    """A value of a step of training. key: "loss", "gradient/PATH" or "buffer/PATH". allowed: the error it may have."""

    target: str
    key: str
    error: float
    allowed: float


@dataclass(frozen=True)
class TrainingReport:
    """What a step of training gave, against the interpreter in float64. blamed: rules that differences contradict."""

    sizes: Mapping[str, int]
    errors: tuple[TrainingError, ...]
    blamed: tuple[BrokenRule, ...] = ()

    @property
    def failures(self) -> tuple[TrainingError, ...]:
        return tuple(e for e in self.errors if not e.error <= e.allowed)

    def worst(self, target: str, kind: str) -> TrainingError | None:
        """The error that comes closest to what is allowed, or passes it furthest."""
        found = [e for e in self.errors if e.target == target and e.key.startswith(kind)]
        return max(found, key=lambda e: e.error / e.allowed, default=None)


def verify_training(
    net: Net, source: str, class_name: str, opset: int, tolerance: float, folder: Path, seed: int = 0
) -> TrainingReport:
    """Compares the loss, the gradient of every parameter and the running statistics after one step.

    net: with as many free sizes as its shapes allow, so that they may be small. The emitted module computes in
    float64, where it must agree to 1e-9, and in float32, whose error is the measure for onnxruntime's.
    """
    chosen = subject(net, True, seed)
    graph = gradient_graph(chosen)
    truth = dict(zip(graph.keys, interpret(graph.located.flat, chosen.inputs, chosen.weights), strict=True))
    inputs, targets = ([v.hint for v in values] for values in (net.block.inputs, net.targets))
    emitted = Emitted(source, class_name, folder, inputs, targets, bool(net.losses))
    table = state(net)
    narrow = {k: w.astype(table[k].type.dtype) for k, w in chosen.weights.items()}
    write_safetensors(folder / "weights.safetensors", table, Held(narrow), describe(net), True)
    single, wide = _torch(chosen, emitted)
    found = _onnx(chosen, graph, narrow, opset, folder / "training.onnx")
    report = TrainingReport(chosen.sizes, tuple(_errors(truth, wide, single, found, tolerance)))
    return replace(report, blamed=broken_rules(chosen, tolerance)) if report.failures else report


def _errors(
    truth: Results, wide: Results, single: Results, found: Results, tolerance: float
) -> Iterator[TrainingError]:
    for key, value in truth.items():
        yield TrainingError("torch", key, _error(value, wide, key), WIDE)
        own = _error(value, single, key)
        yield TrainingError("onnx", key, _error(value, found, key), max(tolerance, LEEWAY * own))
    for key in wide.keys() - truth.keys():
        if key.startswith("gradient/"):
            yield TrainingError("torch", key, float("inf") if np.any(wide[key]) else 0.0, WIDE)


def _error(truth: Array, results: Results, key: str) -> float:
    return relative_error(truth, results[key]) if key in results else float("inf")


def _torch(chosen: Subject, emitted: Emitted) -> tuple[Results, Results]:
    masks = [chosen.inputs[v.hint] for v in chosen.masks]
    weights = [chosen.inputs[v.hint] for v in chosen.weighing]
    values = (*chosen.net.block.inputs, *chosen.net.targets)
    given = {v.hint: chosen.inputs[v.hint].astype(v.type.dtype) for v in values}
    return train_emitted(emitted, given, masks, weights)


def _onnx(chosen: Subject, graph: GradientGraph, weights: Results, opset: int, path: Path) -> Results:
    flat = graph.located.flat
    outputs = list(zip(graph.keys, flat.outputs, strict=True))
    model = emit(chosen.net, graph.located, flat.inputs, outputs, opset, describe(chosen.net))
    write_onnx(path, model, Held(weights), True)
    given = {
        v.hint: chosen.inputs[v.hint].astype(v.type.dtype) for v in flat.inputs if v.hint in chosen.inputs
    }
    session = start(path)
    names = [o.name for o in session.get_outputs()]
    made = dict(zip(names, outputs_of(session, path, given), strict=True))
    return {key: made[name] for key, name in zip(graph.keys, names, strict=True)}
