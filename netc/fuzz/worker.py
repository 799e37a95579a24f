"""Runs emitted modules and graphs for the fuzzer, in a process of its own that cannot import netc.

It reads pickled lists of jobs from standard input, each behind its length, and answers in the same way. A job
is a dict: source, class, weights, inputs (by name, for each trial), names, targets, loss, model (the bytes of
the ONNX file, or None), weigh (by which each float output is multiplied, for gradients, or None), wrt.
"""

import copy
import pickle
import struct
import sys
import types
from typing import Any

sys.modules["netc"] = None  # type: ignore[assignment]
import numpy as np  # noqa: E402
import onnxruntime as ort  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)
ort.set_default_logger_severity(4)
SINGLE, DOUBLE = ("torch.float32", ".float()"), ("torch.float64", ".double()")


def attempt(work: Any, *given: Any) -> Any:
    """What `work` gives, or what stopped it, as text."""
    try:
        return work(*given)
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:1500]}"


def made(source: str, job: Any) -> Any:
    """The net with its weights, for evaluation; within its form for training, where it has losses."""
    module = types.ModuleType("emitted")
    exec(compile(source, "emitted.py", "exec"), module.__dict__)
    net = getattr(module, job["class"])()
    net.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in job["weights"].items()}, strict=True)
    return (module.Training(net) if job["loss"] else net).eval()


def net_of(model: Any, job: Any) -> Any:
    return model.net if job["loss"] else model


def widened(source: str) -> str:
    """The source with every conversion to float32 one to float64."""
    for single, double in zip(SINGLE, DOUBLE, strict=True):
        source = source.replace(single, double)
    return source


def tensors(made: Any) -> list[Any]:
    return [t for part in made for t in tensors(part)] if isinstance(made, (tuple, list)) else [made]


def given(job: Any, trial: Any, wide: bool) -> list[Any]:
    found = [torch.from_numpy(np.array(trial[name])) for name in (*job["names"], *job["targets"])]
    return [t.double() if wide and t.is_floating_point() else t for t in found]


def run(model: Any, job: Any, inputs: list[Any], wide: bool) -> dict[str, Any]:
    """The outputs by number, the losses and the metrics by name. wide: numbers become float64, too."""
    torch.set_default_dtype(torch.float64 if wide else torch.float32)
    outputs = tensors(net_of(model, job)(*inputs[: len(job["names"])]))
    found = {f"output/{i}": t for i, t in enumerate(outputs)}
    if job["loss"]:
        losses, metrics = model(*inputs)
        found.update({f"loss/{name}": value for name, value in losses.items()})
        found.update({f"metric/{name}": value for name, value in metrics.items()})
    return found


def values(model: Any, job: Any, wide: bool) -> list[dict[str, Any]]:
    with torch.no_grad():
        runs = [run(model, job, given(job, trial, wide), wide) for trial in job["inputs"]]
    return [{name: t.numpy() for name, t in found.items()} for found in runs]


def gradients(model: Any, job: Any) -> dict[str, Any]:
    """The gradient of the weighed sum of the float outputs and the losses, by the name of what it is taken by."""
    inputs = given(job, job["inputs"][0], True)
    names = [*job["names"], *job["targets"]]
    leaves = {n: t.requires_grad_() for n, t in zip(names, inputs, strict=True) if t.is_floating_point()}
    leaves |= dict(net_of(model, job).named_parameters())
    found = run(model, job, inputs, True)
    kept = [t for n, t in found.items() if n.startswith("output/") and t.is_floating_point()]
    kept += [loss for name, loss in found.items() if name.startswith("loss/")]
    total = sum((y * torch.from_numpy(w)).sum() for y, w in zip(kept, job["weigh"], strict=True))
    wanted = [leaves[name] for name in job["wrt"]]
    if not total.requires_grad:
        return {name: torch.zeros_like(leaves[name]).numpy() for name in job["wrt"]}
    try:
        slopes = torch.autograd.grad(total, wanted, allow_unused=True)
    except RuntimeError as error:
        if str(error).startswith("derivative for aten::"):  # torch has none; netc takes it for zero
            return {}
        raise
    pairs = zip(job["wrt"], wanted, slopes, strict=True)
    return {n: (torch.zeros_like(x) if g is None else g).detach().numpy() for n, x, g in pairs}


def graph(job: Any, optimised: bool) -> list[list[Any]]:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    if not optimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(job["model"], options, providers=["CPUExecutionProvider"])
    taken = {i.name for i in session.get_inputs()}
    return [session.run(None, {n: a for n, a in trial.items() if n in taken}) for trial in job["inputs"]]


def answer(job: Any) -> dict[str, Any]:
    torch.set_default_dtype(torch.float32)  # in which a module is made
    found: dict[str, Any] = {}
    model = attempt(made, job["source"], job)
    found["torch"] = model if isinstance(model, str) else attempt(values, model, job, False)
    if not isinstance(model, str):
        source = widened(job["source"])
        same = source == job["source"] and "persistent=False" not in source
        torch.set_default_dtype(torch.float64)  # in which constants are computed
        wide = copy.deepcopy(model) if same else attempt(made, source, job)
        wide = wide if isinstance(wide, str) else wide.double()
        found["torch64"] = wide if isinstance(wide, str) else attempt(values, wide, job, True)
        if job["weigh"] is not None and not isinstance(wide, str):
            found["gradient"] = attempt(gradients, wide, job)
    if job["model"] is not None:
        found["onnx"] = attempt(graph, job, True)
        found["plain onnx"] = attempt(graph, job, False)
    return found


def main() -> None:
    while len(head := sys.stdin.buffer.read(8)) == 8:
        jobs = pickle.loads(sys.stdin.buffer.read(struct.unpack("<Q", head)[0]))
        reply = pickle.dumps([answer(job) for job in jobs])
        sys.stdout.buffer.write(struct.pack("<Q", len(reply)) + reply)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
