"""Turns a net and an optimizer into an ONNX model of one step of training, which plain onnxruntime runs."""

from __future__ import annotations

from netc.autodiff.step import training_step
from netc.backends.to_onnx import DEFAULT_OPSET, OnnxModel, emit
from netc.ir.module import Net
from netc.passes.recipe import Chosen


def to_onnx_training(net: Net, optimizer: Chosen, opset: int = DEFAULT_OPSET) -> OnnxModel:
    """The model. Its metadata says, under "training", which output becomes which input of the next step
    ("carried"), which of these start at zero, how likely each mask is 1, the distribution of other draws, the
    optimizer with its arguments, and which outputs are losses: the step minimizes their sum.
    """
    step = training_step(net, optimizer)
    training = {
        "optimizer": optimizer.name,
        "arguments": dict(optimizer.arguments),
        "losses": list(net.losses),
        "carried": dict(step.carried),
        "zeros": list(step.zeros),
        "masks": dict(step.masks),
        **({"draws": dict(step.draws)} if step.draws else {}),
    }
    return emit(net, step.located, step.inputs, step.outputs, opset, training=training)
