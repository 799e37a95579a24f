"""Turns emitted PyTorch source into what it computes, in a process of its own that cannot import netc."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.diagnostics import Refused
from netc.diagnostics.wording_weights import module_failed

Array: TypeAlias = npt.NDArray[Any]
TIMEOUT = 1800  # seconds

# Runs in the other process: the net as it is evaluated, or in training the sum of its losses (or of its outputs,
# weighed), with its gradients and the running statistics after it. It records, if asked to, what each module and
# every other call of torch gives.
RUNNER = """
import importlib.util, json, sys
from pathlib import Path

sys.modules["netc"] = None
import numpy as np
import torch
from safetensors.torch import load_file
from torch.overrides import TorchFunctionMode

folder, job = Path(sys.argv[1]), json.loads(sys.argv[2])


def made(name):
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    net = getattr(module, job["class"])()
    net.load_state_dict(load_file(folder / "weights.safetensors"), strict=True)
    return module.Training(net) if job["loss"] else net


form = made("emitted").eval()
net = form.net if job["loss"] else form
found = {}


def drawing(given):
    # puts what is given, in turn, in the place of what torch would draw

    def draw(x):
        return torch.from_numpy(given.pop(0)).to(x.dtype)

    torch.randn_like = torch.rand_like = draw


def called(function, data, draws, *arguments):
    # what evaluation makes of arguments and the draws of these names
    given = [data[f"given/{name}"] for name in draws]
    drawing(given)
    y = function(*arguments)
    if given:
        raise RuntimeError(f"{len(given)} draws were left over")
    return y


def tensors(x):
    if isinstance(x, torch.Tensor):
        return [x]
    return [t for part in x for t in tensors(part)] if isinstance(x, (tuple, list)) else []


class Recorder(TorchFunctionMode):
    def __torch_function__(self, function, types, arguments=(), keywords=None):
        given = function(*arguments, **(keywords or {}))
        for t in tensors(given):
            found[f"value/{len(found)}"] = t.detach().numpy().copy()
        return given


def hook(path):
    calls = []

    def record(module, given, made):
        calls.append(0)
        for i, t in enumerate(tensors(made)):
            found[f"out/{path}/{len(calls) - 1}/{i}"] = t.detach().numpy().copy()

    return record


def train(form, kind, data, inputs, targets):
    net = form.net if job["loss"] else form
    masks = [data[f"mask/{i}"] for i in range(job["masks"])]

    def dropout(x, p=0.5, training=True, inplace=False):
        return x * (torch.from_numpy(masks.pop(0)).to(x.dtype) / (1 - p) if p < 1 else 0)

    for name in ("dropout", "dropout1d", "dropout2d", "dropout3d"):
        setattr(torch.nn.functional, name, dropout)
    drawing(masks)
    if job["loss"]:
        losses, _ = form(*inputs, *targets)
        total = sum(losses.values())
    else:
        ys = [y for y in tensors(net(*inputs)) if y.is_floating_point()]
        total = sum((y * torch.from_numpy(data[f"weight/{i}"]).to(y.dtype)).sum() for i, y in enumerate(ys))
    if total.requires_grad:
        total.backward()
    found[f"{kind}/loss"] = total.detach().numpy()
    for name, parameter in net.named_parameters():
        if parameter.grad is not None:
            found[f"{kind}/gradient/{name}"] = parameter.grad.numpy()
    for name, buffer in net.named_buffers():
        found[f"{kind}/buffer/{name}"] = buffer.numpy()
    if masks:
        raise RuntimeError(f"{len(masks)} masks were left over")


for path in job["watch"]:
    try:
        net.get_submodule(path).register_forward_hook(hook(path))
    except AttributeError:
        pass
for run in range(job["runs"]):
    found.clear()
    data = np.load(folder / f"given{run}.npz")
    inputs = [torch.from_numpy(data[f"given/{name}"]) for name in job["inputs"]]
    targets = [torch.from_numpy(data[f"given/{name}"]) for name in job["targets"]]
    with torch.set_grad_enabled(job["train"]):
        if job["train"]:
            train(form.train(), "single", data, inputs, targets)
            wide = ([x.double() if x.is_floating_point() else x for x in xs] for xs in (inputs, targets))
            torch.set_default_dtype(torch.float64)
            twin = made("wide").double().train()
            train(twin, "wide", data, *wide)
            torch.set_default_dtype(torch.float32)
        elif job["watch"]:
            try:
                with Recorder():
                    called(net, data, job["draws"][0], *inputs)
                    if job["loss"]:
                        called(form, data, job["draws"][1], *inputs, *targets)
            except Exception:
                pass  # what was made until then tells where
        else:
            for i, t in enumerate(tensors(called(net, data, job["draws"][0], *inputs))):
                found[f"output/{i}"] = t.numpy()
            if job["loss"]:
                losses, metrics = called(form, data, job["draws"][1], *inputs, *targets)
                found.update({f"loss/{name}": value.numpy() for name, value in losses.items()})
                found.update({f"metric/{name}": m.numpy() for name, m in metrics.items()})
    np.savez(folder / f"found{run}.npz", **found)
"""


@dataclass(frozen=True)
class Emitted:
    """A module's source, the class to make, and how to call it.

    folder: where its files go; weights.safetensors lies there. loss: whether it has one. draws: the names of
    what its forward draws in evaluation, in turn, and of what its loss does.
    """

    source: str
    class_name: str
    folder: Path
    inputs: Sequence[str]
    targets: Sequence[str]
    loss: bool
    draws: tuple[Sequence[str], Sequence[str]] = ((), ())


def run_emitted(
    emitted: Emitted, given: Sequence[Mapping[str, Array]], watch: Sequence[str] = ()
) -> list[dict[str, Array]]:
    """For each set of inputs what the module gives: output/0, ..., loss/NAME and metric/NAME.

    watch: paths of modules; then instead out/PATH/CALL/i of each, and value/k of every call of torch.
    """
    (emitted.folder / "emitted.py").write_text(emitted.source, "utf-8")
    for i, arrays in enumerate(given):
        named: dict[str, Any] = {f"given/{name}": array for name, array in arrays.items()}
        np.savez(emitted.folder / f"given{i}.npz", **named)
    _run(emitted, runs=len(given), watch=list(watch))
    return [_read(emitted.folder / f"found{i}.npz") for i in range(len(given))]


def widened(source: str) -> str:
    """The module where what it makes float32 is made float64; its parameters are widened when it is run."""
    return source.replace("torch.float32", "torch.float64").replace(".float()", ".double()")


def train_emitted(
    emitted: Emitted,
    given: Mapping[str, Array],
    masks: Sequence[Array],
    weights: Sequence[Array],
) -> tuple[dict[str, Array], dict[str, Array]]:
    """What a step of training computes, in float32 and in float64: loss, which is the sum of all, gradient/PATH of
    each parameter, and buffer/PATH as it then is.

    masks: of dropout and other draws, in the order in which the net draws them. weights: of the outputs, where the module has
    no loss.
    """
    (emitted.folder / "emitted.py").write_text(emitted.source, "utf-8")
    (emitted.folder / "wide.py").write_text(widened(emitted.source), "utf-8")
    arrays = {f"given/{name}": array for name, array in given.items()}
    arrays |= {f"mask/{i}": array for i, array in enumerate(masks)}
    arrays |= {f"weight/{i}": array for i, array in enumerate(weights)}
    np.savez(emitted.folder / "given0.npz", **arrays)  # type: ignore[arg-type]
    _run(emitted, train=True, masks=len(masks))
    found = _read(emitted.folder / "found0.npz")
    single, wide = (
        {name.removeprefix(kind): array for name, array in found.items() if name.startswith(kind)}
        for kind in ("single/", "wide/")
    )
    return single, wide


def _run(emitted: Emitted, **settings: Any) -> None:
    job = {
        "class": emitted.class_name, "inputs": list(emitted.inputs), "targets": list(emitted.targets),
        "loss": emitted.loss, "runs": 1, "watch": [], "train": False, "masks": 0,
        "draws": [list(names) for names in emitted.draws], **settings,
    }  # fmt: skip
    command = [sys.executable, "-I", "-c", RUNNER, str(emitted.folder), json.dumps(job)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise Refused(module_failed("be run", f"it took longer than {TIMEOUT} seconds")) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        if missing := re.fullmatch(r"ModuleNotFoundError: (No module named '(\w+)')", lines[-1]):
            raise ModuleNotFoundError(missing[1], name=missing[2])
        raise Refused(module_failed("be run", "\n".join(lines[-12:])[:2000]))


def _read(path: Path) -> dict[str, Array]:
    with np.load(path) as data:
        return {name: data[name] for name in data.files}
