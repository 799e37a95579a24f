"""What notices a mutant: samples of ops, nets run three ways, gradients, wrong specs, and the project's own tests."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import textwrap
import warnings
from functools import cache
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from emitted import RIGHT, loaded, made, training_of, written
from op_driver import facets

from netc.autodiff.differentiable import differentiable
from netc.autodiff.gradcheck import gradcheck, gradients_of
from netc.autodiff.interpret import interpret
from netc.autodiff.subject import subject
from netc.autodiff.trial import chosen_sizes, random_weights, trials
from netc.backends.onnx_file import write_onnx
from netc.backends.to_onnx import to_onnx
from netc.backends.to_torch import to_torch
from netc.backends.weights import Held
from netc.deploy.deviation import relative_error
from netc.diagnostics import Refused
from netc.dims import substitute
from netc.ir.module import Net, Param, results
from netc.ops.contract import OPS, Op
from netc.passes.cost import cost
from netc.passes.initial import draw, state
from netc.passes.inline import inline
from tests.mutants.mutant import Mutant
from tests.mutants.nets import GRADIENTS, NAMES, NETS, ONCE
from tests.mutants.wrong import WRONG

ROOT = Path(__file__).parents[2]
OPSETS = (17, 20, 23)
TOLERANCE = 1e-4
EXACT = 1e-7
PROGRAMS, CHUNK = 200, 20  # that the fuzzer makes, in all and at a time
MANY, FACTOR = 8, 4  # numbers of which means and deviations tell something, and by how much these may be off


def message(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"


# -- samples ------------------------------------------------------------------------------------------


def ops_of(mutant: Mutant) -> list[type[Op]]:
    """The ops that have what a mutant changes: by inheritance, else all of the modules that know of it."""
    ops = sorted(set(OPS.values()), key=lambda op: op.name)
    owner = mutant.owner
    if isinstance(owner, type) and issubclass(owner, Op):
        return [op for op in ops if owner in op.__mro__ and getattr(op, mutant.name, None)]
    using = users_of(mutant.module.__name__)
    own = [op for op in ops if op.__module__ == mutant.module.__name__]
    return own + [op for op in ops if op.__module__ in using and op not in own]


@cache
def users_of(name: str) -> frozenset[str]:
    """The modules of ops that import `name`, themselves or through another."""
    texts = {
        n: Path(m.__file__ or "").read_text() for n, m in sys.modules.items() if n.startswith("netc.ops.")
    }
    found = {name}
    while more := {n for n, text in texts.items() if any(f"from {f} import" in text for f in found)} - found:
        found |= more
    return frozenset(found)


def samples(mutant: Mutant) -> str | None:
    """The first facet of a sample that fails."""
    for op in ops_of(mutant):
        for i, application in enumerate(op.samples):
            for facet, check in facets(application).items():
                if (op.name, i, facet) in unfit_samples():
                    continue
                try:
                    check(op, application)
                except Exception as error:
                    return f"{facet} of {op.name}-{i}: {message(error)}"
    return None


@cache
def unfit_samples() -> frozenset[tuple[str, int, str]]:
    """The facets of samples that fail without any mutant. To be called before one is planted."""
    found = set()
    for op in set(OPS.values()):
        for i, application in enumerate(op.samples):
            for facet, check in facets(application).items():
                try:
                    check(op, application)
                except Exception:
                    found.add((op.name, i, facet))
    return frozenset(found)


# -- nets ---------------------------------------------------------------------------------------------


@cache
def texts() -> dict[str, str]:
    """The nets by name, as they are written."""
    return {name: textwrap.dedent(text) for name, text in NETS.items()} | {
        p.stem: p.read_text() for p in RIGHT
    }


def net_called(name: str) -> Net:
    said = re.search(r"^# net: (\w+)$", texts()[name], re.M)
    return written(texts()[name], said[1] if said else None)


def nets(mutant: Mutant) -> str | None:
    """The first net that is refused, or whose three forms differ."""
    for name in texts():
        if name not in unfit() and (found := _net_fails(name)) is not None:
            return f"{found} in {name}"
    return None


def _net_fails(name: str) -> str | None:
    try:
        net = net_called(name)
        owners = dict.fromkeys(path.rpartition(".")[0] for path in state(net))
        if name in NAMES and list(owners) != NAMES[name].split():
            return "the names of parameters"
        if name in ONCE and to_torch(net).count(ONCE[name]) != 1:
            return f"more than one {ONCE[name]}"
        return counts_differ(net) or three_ways(net)
    except Exception as error:
        return message(error)


@cache
def unfit() -> frozenset[str]:
    """The nets that fail without any mutant, which therefore tell nothing. To be called before one is planted."""
    return frozenset(name for name in texts() if _net_fails(name) is not None)


def three_ways(net: Net) -> str | None:
    """What deviates: numpy in float64, PyTorch and onnxruntime, at two sets of sizes."""
    weights = random_weights(state(net))
    flat = inline(net, tuple(results(net).values()))
    module = loaded(net, weights)
    for trial in trials(net, flat):
        truth = [np.asarray(y) for y in interpret(flat, trial.inputs, weights)]
        given = [torch.tensor(trial.inputs[v.hint]) for v in net.block.inputs]
        with torch.no_grad():
            found = module(*given)
        outputs = list(found) if isinstance(found, tuple) else [found]
        if (wrong := differs(truth[: len(outputs)], [y.numpy() for y in outputs])) is not None:
            return f"PyTorch's {wrong}"
        if net.losses:
            with torch.no_grad():
                losses, metrics = training_of(module)(
                    *given, *(torch.tensor(trial.inputs[v.hint]) for v in net.targets)
                )
            made = [y.numpy() for y in (*losses.values(), *metrics.values())]
            if differs(truth[len(outputs) :], made) is not None:
                return "PyTorch's loss or metric"
    if (wrong := guards_fail(net, module) or starts_differ(net)) is not None:
        return wrong
    with TemporaryDirectory() as folder:
        for opset in OPSETS:
            if (wrong := in_onnx(net, weights, flat, Path(folder) / "model.onnx", opset)) is not None:
                return wrong
    return None


def counts_differ(net: Net) -> str | None:
    """Parameters of a net or of its layers counted otherwise than their arrays would be."""
    sizes = {path: prod(p.type.shape) for path, p in state(net).items() if p.trainable}
    costs = cost(net)
    if costs.params != sum(sizes.values()):
        return "the count of parameters"
    every = [value for step in net.block.body for value in step.outputs]
    if any(isinstance(v, Param) for node in inline(net, every).nodes for v in node.inputs):
        return None  # a parameter that belongs to no layer, or is read of one
    layers = sum(row.params for row in (*costs.rows, *costs.beside))
    return None if layers == sum(sizes.values()) else "the counts of layers"


def guards_fail(net: Net, module: Any) -> str | None:
    """A size that does not meet a constraint, and that the module takes all the same."""
    for constraint in (c for c in net.constraints if not c.training):
        sizes, fact = chosen_sizes(net, 2), constraint.fact
        sizes[fact.name] = (
            sizes[fact.name] + 1
            if fact.multiple > 1
            else fact.minimum - 1
            if fact.maximum is None
            else fact.maximum + 1
        )
        shapes = [
            tuple(sizes.get(str(d), 0) or substitute(d, sizes) for d in v.type.shape)
            for v in net.block.inputs
        ]
        try:
            module(*(torch.zeros(shape) for shape in shapes))
            return f"PyTorch's guard of {constraint}"
        except ValueError as error:
            if not str(error).startswith(f"{constraint.fact.name} must be"):
                return f"PyTorch's guard of {constraint}"
    return None


def starts_differ(net: Net) -> str | None:
    """A parameter that starts otherwise in the emitted module than the spec says."""
    torch.manual_seed(0)
    for name, tensor in made(net).state_dict().items():
        right, other = (draw(name, state(net)[name], seed).astype(float) for seed in (0, 1))
        found = tensor.numpy().astype(float)
        if np.array_equal(right, other):  # nothing is drawn
            differ = not np.array_equal(right, found)
        else:
            low, high = right.std() / FACTOR, right.std() * FACTOR
            far = abs(right.mean() - found.mean()) > FACTOR * right.std()
            differ = right.size >= MANY and (far or not low <= found.std() <= high)
        if differ:
            return f"PyTorch's start of {name}"
    return None


def in_onnx(net: Net, weights: Any, flat: Any, path: Path, opset: int) -> str | None:
    write_onnx(path, to_onnx(net, opset), Held(weights), force=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    for trial in trials(net, flat):
        truth = interpret(flat, trial.inputs, weights)[: len(net.block.outputs)]
        found = session.run(None, {i.name: trial.inputs[i.name] for i in session.get_inputs()})
        if (wrong := differs([np.asarray(y) for y in truth], found)) is not None:
            return f"ONNX's {wrong} at opset {opset}"
    return None


def differs(truth: list[Any], found: list[Any]) -> str | None:
    for i, (right, y) in enumerate(zip(truth, found, strict=True)):
        if right.shape != y.shape or not relative_error(right, y) <= TOLERANCE:
            return f"output {i}"
    return None


# -- what must be refused -----------------------------------------------------------------------------


def refusals(mutant: Mutant) -> str | None:
    """The first spec that is wrong, and is taken or refused for more or other reasons than without the mutant."""
    for name in WRONG:
        if (found := codes(WRONG[name])) != wanted_codes()[name]:
            return f"{', '.join(found) or 'nothing'} for {name}"
    return None


def codes(text: str) -> list[str]:
    """The codes of what is found; `what breaks` where netc itself fails."""
    try:
        written(textwrap.dedent(text))
    except Refused as refused:
        return [d.code for d in refused.diagnostics]
    except Exception as error:
        return [type(error).__name__]
    return []


@cache
def wanted_codes() -> dict[str, list[str]]:
    """Those without any mutant. To be called before one is planted."""
    return {name: codes(text) for name, text in WRONG.items()}


# -- gradients ----------------------------------------------------------------------------------------


def gradients(mutant: Mutant) -> str | None:
    """The first net whose gradient graph differs from slopes or from torch.autograd on the emitted module."""
    for name in GRADIENTS:
        if name not in unfit_gradients() and (found := _gradients_fail(name)) is not None:
            return f"{found} in {name}"
    return None


def _gradients_fail(name: str) -> str | None:
    try:
        net = written(textwrap.dedent(GRADIENTS[name]))
        for trains in (False, True):
            found = against_autograd(net, trains) or against_slopes(net, trains)
            if found is not None:
                return found
    except Exception as error:
        return message(error)
    return None


@cache
def unfit_gradients() -> frozenset[str]:
    """The nets that fail so without any mutant. To be called before one is planted."""
    return frozenset(name for name in GRADIENTS if _gradients_fail(name) is not None)


def against_slopes(net: Net, trains: bool) -> str | None:
    report = gradcheck(subject(net, trains), directions=2)
    worst = max(report.rows, key=lambda row: row.error)
    return None if report.passed else f"the slope along {worst.name}"


def against_autograd(net: Net, trains: bool) -> str | None:
    """Where nothing is drawn."""
    made = subject(net, trains)
    if any(v.hint.startswith("mask") for v in made.fixed):
        return None
    wrt = tuple(differentiable(made))
    found = gradients_of(made, wrt)
    module = loaded(net, dict(made.weights)).double().train(trains)
    held = {k: torch.tensor(v, requires_grad=v.dtype.kind == "f") for k, v in made.inputs.items()}
    given = [held[v.hint] for v in net.block.inputs]
    if net.losses:
        total = sum(training_of(module)(*given, *(held[v.hint] for v in net.targets))[0].values())
    else:
        outputs = module(*given)
        weights = [held[v.hint] for v in made.fixed]
        total = sum(
            (y * w).sum() for y, w in zip(outputs if weights[1:] else [outputs], weights, strict=True)
        )
    total.backward()
    parameters = dict(module.named_parameters())
    scale = 1e-6 * max(float(np.abs(g).max()) for g in found)  # beside which a gradient is none
    for value, gradient in zip(wrt, found, strict=True):
        path = ".".join(value.path) if isinstance(value, Param) else value.hint
        tensor = parameters[path] if isinstance(value, Param) else held[path]
        wanted = np.zeros(gradient.shape) if tensor.grad is None else tensor.grad.numpy()
        off = np.abs(wanted - gradient).max() if wanted.shape == gradient.shape else np.inf
        if not off <= EXACT * max(scale, float(np.abs(wanted).max())):
            return f"the gradient of {path}{' in training' if trains else ''}"
    return None


# -- the fuzzer ---------------------------------------------------------------------------------------


def fuzz(mutant: Mutant) -> str | None:
    """The first of some random programs of which the fuzzer finds something."""
    from netc.fuzz.campaign import chunk
    from netc.fuzz.examine import Examiner

    with Examiner() as examiner:
        for start in range(0, PROGRAMS, CHUNK):
            tally = chunk(0, range(start, start + CHUNK), examiner=examiner)
            for failure in tally.failures:
                return f"{failure.findings[0].oracle} of program {failure.index}"
    return None


# -- the project's tests ------------------------------------------------------------------------------


def suite(mutant: Mutant) -> str | None:
    """The first of the mutant's test files that fails."""
    for name in mutant.tests:
        said = io.StringIO()
        file, _, chosen = name.partition("::")
        arguments = [str(ROOT / "tests" / f"{file}.py"), "-q", "-x", "-p", "no:cacheprovider", "--no-header"]
        arguments += ["-k", chosen] if chosen else []
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = pytest.main(arguments)
        if status == 1:
            failed = [line for line in said.getvalue().split("\n") if line.startswith("FAILED")]
            return failed[0].removeprefix("FAILED ").split(" - ")[0] if failed else name
        assert status == 0, said.getvalue()[-2000:]
    return None


ORACLES = {
    "samples": samples,
    "nets": nets,
    "gradients": gradients,
    "refusals": refusals,
    "fuzz": fuzz,
    "suite": suite,
}


def killed(mutant: Mutant) -> tuple[str, str] | None:
    """The first oracle that notices the mutant, which is planted, and what it says."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for name in (*mutant.oracles, *(("suite",) if mutant.tests else ())):
        if (said := ORACLES[name](mutant)) is not None:
            return name, said
    return None
