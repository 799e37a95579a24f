"""Turns a net and its emitted source into a report on whether interpreter, PyTorch and onnxruntime agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import numpy as np

from netc.autodiff.interpret import Array, interpret
from netc.autodiff.reverse import pruned
from netc.autodiff.tape import Tape
from netc.autodiff.training import Training, drawing
from netc.autodiff.trial import Trial, random_weights, trials
from netc.backends.describe import describe
from netc.backends.onnx_file import write_onnx
from netc.backends.to_onnx import DEFAULT_OPSET, OnnxModel, emit, to_onnx
from netc.backends.to_torch import to_torch
from netc.backends.weights import Held, write_safetensors
from netc.deploy.blame import Blame, blame_onnx, blame_torch
from netc.deploy.deviation import relative_error
from netc.deploy.evidence import Evidence, Known
from netc.deploy.isolated import Emitted, run_emitted
from netc.deploy.known_issues import known_of
from netc.deploy.runtime import outputs_of, start
from netc.deploy.verify_training import TrainingReport, drawn_by, trunk_of, verify_training
from netc.diagnostics import Refused
from netc.dims import substitute
from netc.ir.module import LOSS, Net, results
from netc.passes.initial import numbers, state
from netc.passes.locate import Located, locate

TOLERANCE = 1e-5  # relative, in float32
Results: TypeAlias = Mapping[str, Array]


@dataclass(frozen=True)
class Compared:
    """One value under one target: `error` is its relative error against the interpreter in float64.

    value: "output NAME", "loss", "loss NAME" or "metric NAME". sizes: the free sizes that it was computed at. known:
    what others are known to do otherwise, where that explains too large an error.
    """

    target: str
    value: str
    sizes: Mapping[str, int]
    error: float
    known: Known | None = None


@dataclass(frozen=True)
class Report:
    """compared: all values at all sizes. blames: by target, where one of its values deviates.

    training: loss and gradients, where they were asked for.
    """

    net: str
    tolerance: float
    compared: tuple[Compared, ...]
    blames: Mapping[str, Blame]
    training: TrainingReport | None = None

    @property
    def passed(self) -> bool:
        return not self.blames and not (self.training and self.training.failures)

    def worst(self, target: str) -> float:
        """The largest error of a target."""
        return max((c.error for c in self.compared if c.target == target), default=0.0)


@dataclass(frozen=True)
class _Bench:
    """A net set up for comparison: its three forms, and what they are run on."""

    net: Net
    located: Located
    model: OnnxModel
    emitted: Emitted
    weights: Mapping[str, Array]
    trials: Sequence[Trial]
    tolerance: float

    @property
    def onnx(self) -> Path:
        return self.emitted.folder / "model.onnx"


def verify(
    net: Net,
    source: str,
    class_name: str,
    opset: int = DEFAULT_OPSET,
    tolerance: float = TOLERANCE,
    seed: int = 0,
    weights: Mapping[str, Array] | None = None,
    small: Net | None = None,
) -> Report:
    """Runs `net` in three ways at two batch sizes, on random weights unless some are given.

    source, class_name: the emitted PyTorch module and the class of the net in it. small: the net on small images, to
    compare loss and gradients in training on, by a module that is emitted for their sizes; left out without it.
    """
    table = state(net)
    held = random_weights(table, seed) if weights is None else weights
    mode = drawing(locate(net, tuple(results(net).values())), net.training_facts)
    with TemporaryDirectory(prefix="netc-verify-") as name:
        folder = Path(name)
        inputs, targets = ([v.hint for v in values] for values in (net.block.inputs, net.targets))
        emitted = Emitted(source, class_name, folder, inputs, targets, bool(net.losses), _draws(net, mode))
        model = _model(net, mode, opset)
        write_safetensors(folder / "weights.safetensors", table, Held(held), describe(net))
        tried = [_with_draws(trial, mode, seed) for trial in trials(net, mode.located.flat, seed)]
        bench = _Bench(net, mode.located, model, emitted, held, tried, tolerance)
        write_onnx(bench.onnx, model, Held(held))
        report = _report(bench)
        if small is None:
            return report
        training = verify_training(small, to_torch(small), small.name, opset, tolerance, folder, seed)
        return replace(report, training=training)


def _model(net: Net, mode: Training, opset: int) -> OnnxModel:
    """The graph; what it draws is an input of it, so that the other targets can be given the same."""
    if not mode.masks:
        return to_onnx(net, opset)
    values = mode.located.flat.outputs[: len(net.block.outputs)]
    tape = Tape(list(mode.located.flat.nodes), list(mode.located.scopes))
    located = pruned(mode.located, tape, values)
    read = {v for node in located.flat.nodes for v in node.operands} | set(values)
    inputs = (*net.block.inputs, *(m.value for m in mode.masks if m.value in read))
    names = [value.hint or "output" for value in net.block.outputs]
    return emit(net, located, inputs, list(zip(names, values, strict=True)), opset, net.facts)


def _draws(net: Net, mode: Training) -> tuple[list[str], list[str]]:
    """The names of what the emitted forward draws in evaluation, in turn, and of what its loss does."""
    outputs = mode.located.flat.outputs[: len(net.block.outputs)]
    forward, rest = drawn_by(mode.located.flat, [m.value for m in mode.masks], outputs)
    loss = [*(forward if trunk_of(net) else ()), *rest] if net.losses else []
    return [v.hint for v in forward], [v.hint for v in loss]


def _with_draws(trial: Trial, mode: Training, seed: int) -> Trial:
    random = np.random.default_rng([seed, 3])
    shapes = {m: numbers(tuple(substitute(d, trial.sizes) for d in m.value.type.shape)) for m in mode.masks}
    drawn = {
        m.value.hint: m.noise.drawn(random, shape).astype(m.value.type.dtype) for m, shape in shapes.items()
    }
    return replace(trial, inputs={**trial.inputs, **drawn})


def _report(bench: _Bench) -> Report:
    truths = [_interpreted(bench, trial) for trial in bench.trials]
    found: dict[str, Sequence[Results]] = {}
    failures: dict[str, Refused] = {}
    for target, run in (("torch", _run_torch), ("onnx", _run_onnx)):
        try:
            found[target] = run(bench)
        except Refused as refused:
            found[target], failures[target] = [{}] * len(bench.trials), refused
    compared = tuple(
        _compared(bench, target, key, trial, truth[key], run.get(key))
        for target, runs in found.items()
        for trial, truth, run in zip(bench.trials, truths, runs, strict=True)
        for key in truth
        if target == "torch" or key.startswith("output/")
    )
    deviating = dict.fromkeys(
        c.target for c in compared if c.known is None and not c.error <= bench.tolerance
    )
    blames = {target: _blame(bench, target, failures.get(target)) for target in deviating}
    return Report(bench.net.name, bench.tolerance, compared, blames)


def _compared(
    bench: _Bench, target: str, key: str, trial: Trial, truth: Array, value: Array | None
) -> Compared:
    """One value, with what explains too large an error, if something does: not that it is missing or of another shape."""
    error = float("inf") if value is None else relative_error(truth, value)
    known = None
    if not error <= bench.tolerance and value is not None and value.shape == truth.shape:
        nodes = bench.model.proto.graph.node
        seen = Evidence(bench.located.flat, bench.weights, [trial.inputs], nodes)
        known = known_of(target, error, "", seen)
    return Compared(target, _shown(bench.net, key), trial.sizes, error, known)


def _interpreted(bench: _Bench, trial: Trial) -> dict[str, Array]:
    """The true values, under the names that the other process gives them."""
    values = interpret(bench.located.flat, trial.inputs, bench.weights)
    return dict(zip(results(bench.net), values, strict=True))


def _run_torch(bench: _Bench) -> list[dict[str, Array]]:
    return run_emitted(bench.emitted, [trial.inputs for trial in bench.trials])


def _run_onnx(bench: _Bench) -> list[dict[str, Array]]:
    session = start(bench.onnx)
    runs = [outputs_of(session, bench.onnx, trial.inputs) for trial in bench.trials]
    return [{f"output/{i}": array for i, array in enumerate(run)} for run in runs]


def _shown(net: Net, key: str) -> str:
    kind, _, name = key.partition("/")
    if kind != "output":
        return kind if (kind, name) == ("loss", LOSS) else f"{kind} {name}"
    return f"output {net.block.outputs[int(name)].hint or int(name) + 1}"


def _blame(bench: _Bench, target: str, failure: Refused | None) -> Blame:
    """Where a target deviates. failure: why it did not run; raised again where no node is to blame."""
    trial = bench.trials[0]
    if target == "torch":
        blame = blame_torch(bench.emitted, bench.located, bench.weights, trial, bench.tolerance)
    else:
        blame = blame_onnx(bench.model, bench.weights, trial, bench.emitted.folder, bench.tolerance)
    if failure is None:
        return blame
    if not blame.path:
        raise failure
    return replace(blame, note=failure.diagnostics[0].message)
