"""What statements of the language compute by netc's numpy, by the emitted PyTorch module and by onnxruntime."""

import numpy as np
import onnx
import onnxruntime
import torch
from emitted import loaded, written

from netc.autodiff.interpret import interpret
from netc.autodiff.reverse import reverse
from netc.backends.onnx_file import write_onnx
from netc.backends.to_onnx import to_onnx
from netc.backends.weights import Held
from netc.passes.locate import locate


def net_with(statements, inputs):
    """The net of `statements`, which bind y; its inputs are typed as the arrays given."""
    lines = [f"    input {name}: {x.dtype}{list(x.shape)}" for name, x in inputs.items()]
    body = [f"    {line}" for line in statements.split("\n")]
    return written("net A {\n" + "\n".join([*lines, *body, "    output y"]) + "\n}\n")


def model_of(net, path, weights=None, opset=20):
    """The ONNX file of `net`, written and read again."""
    write_onnx(path, to_onnx(net, opset), Held(dict(weights or {})))
    return onnx.load(path)


def values(statements, path, weights=None, opset=20, **inputs):
    """y by each of the three: "numpy", in float64, "torch" and "onnx"."""
    net = net_with(statements, inputs)
    weights = weights or {}
    with np.errstate(all="ignore"):
        (numpy,) = interpret(locate(net).flat, inputs, weights)
    with torch.no_grad():
        module = loaded(net, weights)
        made = module(*(torch.from_numpy(x) for x in inputs.values()))
    model_of(net, path, weights, opset)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(str(path), options)
    return {"numpy": numpy, "torch": made.numpy(), "onnx": session.run(None, inputs)[0]}


def agree(found, wanted, tolerance=2e-6):
    """That each of the three gives `wanted`; NaN is NaN, -0 is 0."""
    for target, y in found.items():
        np.testing.assert_allclose(y, np.asarray(wanted), tolerance, 1e-30, err_msg=target)


def gradients(statements, weights=None, **inputs):
    """The gradient of the sum of y for each float input: by netc's gradient graph and by torch, in float64."""
    inputs = {n: x.astype("float64") if x.dtype.kind == "f" else x for n, x in inputs.items()}
    net, weights = net_with(statements, inputs), weights or {}
    located = locate(net)
    flat = located.flat
    wrt = [v for v in flat.inputs if v.type.dtype == "float64"]
    with np.errstate(all="ignore"):
        _, *by_netc = interpret(reverse(located, flat.outputs, wrt, {}).flat, inputs, weights)
    tensors = {n: torch.tensor(x, requires_grad=x.dtype.kind == "f") for n, x in inputs.items()}
    loaded(net, weights).double()(*tensors.values()).sum().backward()
    return {v.hint: (d, tensors[v.hint].grad.numpy()) for v, d in zip(wrt, by_netc, strict=True)}
