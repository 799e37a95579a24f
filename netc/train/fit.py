"""Finds the image and the classes in a net, or says why `netc train` cannot train it."""

from __future__ import annotations

from netc.diagnostics import Refused
from netc.diagnostics import wording_train as say
from netc.dims import AnyDim
from netc.ir.module import Net


def image_shape(net: Net) -> tuple[tuple[int | str, ...], int | None]:
    """The net's one input without the batch, [C, H, W], and how many logits its first output has.

    Raises Refused for a net that is not a classifier of single images with a loss.
    """
    if not net.losses:
        raise Refused(say.no_loss(net.name))
    if len(net.block.inputs) != 1 or len(net.targets) != 1 or len(net.targets[0].type.shape) != 1:
        raise Refused(
            say.not_a_classifier(net.name, len(net.block.inputs), [str(t.type) for t in net.targets])
        )
    if net.targets[0].type.dtype != "int64":
        raise Refused(say.not_a_classifier(net.name, 1, [str(net.targets[0].type)]))
    batch = net.block.inputs[0].type.shape[:1]
    if batch and isinstance(batch[0], int):
        raise Refused(say.fixed_batch(net.name, batch[0]))
    first = net.block.outputs[0].type.shape
    outputs: AnyDim | None = first[1] if len(first) == 2 else None
    shape = tuple(d if isinstance(d, int) else str(d) for d in net.block.inputs[0].type.shape[1:])
    return shape, outputs if isinstance(outputs, int) else None
