"""Turns a disagreement of a target with the interpreter into the path of the first node that causes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

from netc.autodiff.interpret import Array, Arrays, interpret
from netc.autodiff.trial import Trial
from netc.backends.onnx_file import write_onnx
from netc.backends.to_onnx import OnnxModel, with_outputs
from netc.backends.weights import Held
from netc.deploy.deviation import relative_error
from netc.deploy.isolated import Emitted, run_emitted
from netc.deploy.runtime import outputs_of, start
from netc.diagnostics import Refused
from netc.passes.locate import Located

Weights: TypeAlias = Mapping[str, Array]
ALONE = "each node agrees by itself: onnxruntime's optimisation of the graph as a whole deviates"
TOGETHER = "each node agrees by itself: the module puts them together in another way"


@dataclass(frozen=True)
class Blame:
    """The first node at which a target deviates; `path` is "" where no single node does. note: why."""

    path: str
    error: float
    note: str = ""


def blame_onnx(model: OnnxModel, weights: Weights, trial: Trial, folder: Path, tolerance: float) -> Blame:
    """Compares what each node of the graph makes; of a graph that does not run, as far as it does."""
    run = partial(_made, model, weights, trial, folder / "watched.onnx")
    last = Blame("", float("nan"), ALONE)
    found = run(len(model.proto.graph.node))
    if found is None:
        runs = _most(lambda count: run(count) is not None, len(model.proto.graph.node))
        found = (run(runs) or {}) if runs else {}
        last = Blame(model.proto.graph.node[runs].name, float("inf"))
    first: list[Blame] = []

    def watch(index: int, operands: Arrays, outputs: Arrays) -> None:
        for name, truth in zip(model.made[index], outputs, strict=True):
            if not first and name in found and (error := relative_error(truth, found[name])) > tolerance:
                first.append(Blame(model.located.place(index), error))

    interpret(model.located.flat, trial.inputs, weights, watch)
    return first[0] if first else last


def _made(
    model: OnnxModel, weights: Weights, trial: Trial, path: Path, count: int
) -> dict[str, Array] | None:
    """What the first `count` nodes make, by name; None where onnxruntime cannot run them."""
    try:
        write_onnx(path, with_outputs(model, count), Held(weights), force=True)
        session = start(path)
        names = [o.name for o in session.get_outputs()]
        return dict(zip(names, outputs_of(session, path, trial.inputs), strict=True))
    except Refused:
        return None


def _most(works: Callable[[int], bool], fails: int) -> int:
    """The greatest number below `fails`, which does not work, that works; 0 counts as working."""
    low, high = 0, fails
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if works(middle) else (low, middle)
    return low


def blame_torch(
    emitted: Emitted, located: Located, weights: Weights, trial: Trial, tolerance: float
) -> Blame:
    """Compares what each module makes, and of nodes that are no module whether some call of torch made it."""
    watched = dict.fromkeys(".".join(n.path) for n in located.flat.nodes if n.path is not None)
    (found,) = run_emitted(emitted, [trial.inputs], tuple(watched))
    witness = _Witness(located, found, tolerance)
    interpret(located.flat, trial.inputs, weights, witness.watch)
    return witness.blamed[0] if witness.blamed else Blame("", float("nan"), TOGETHER)


@dataclass
class _Witness:
    """What the emitted module was seen to make, and the first node that it contradicts."""

    located: Located
    found: Mapping[str, Array]
    tolerance: float
    blamed: list[Blame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.by_module: dict[tuple[str, str], list[Array]] = {}
        self.by_shape: dict[tuple[int, ...], list[Array]] = {}
        for name, array in self.found.items():
            self.by_shape.setdefault(array.shape, []).append(array)
            if name.startswith("out/"):
                path, _, output = name.removeprefix("out/").rsplit("/", 2)
                self.by_module.setdefault((path, output), []).append(array)

    def watch(self, index: int, operands: Arrays, outputs: Arrays) -> None:
        if self.blamed:
            return
        node = self.located.flat.nodes[index]
        path = ".".join(node.path) if node.path is not None else ""
        for i, truth in enumerate(outputs):
            rivals = self.by_module.get((path, str(i))) or self.by_shape.get(truth.shape, [])
            error = min((relative_error(truth, rival) for rival in rivals), default=float("inf"))
            if error > self.tolerance and not self._unchanged(operands, truth):
                self.blamed.append(Blame(self.located.place(index), error))
                return

    def _unchanged(self, operands: Sequence[Array], truth: Array) -> bool:
        """Whether the node gives what it got, so that the module need not call anything for it."""
        return any(relative_error(o, truth) == 0 for o in operands)
