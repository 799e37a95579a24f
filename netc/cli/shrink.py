"""Turns a net on large images into the same net on small ones, for verbs that compute much with it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from netc.autodiff.subject import trains_on_enough
from netc.cli.options import axes, elaborated
from netc.diagnostics import Refused
from netc.ir.module import Net
from netc.passes.elaborate import elaborate
from netc.passes.initial import state
from netc.passes.load import Program

AXES = {4: ("H", "W"), 3: ("L",)}  # of inputs of so many axes, those behind samples and channels
SIDES = (32, 64, 128)  # of images; two sides are told apart by half as much again where that works


def shrunk(program: Program, name: str, settings: dict[str, Any], dynamic: str | None = None) -> Net:
    """The net on smaller images than its spec fixes, where it then has the same parameters; else as it is.

    dynamic: the axes that are free whatever the spec says. Their sizes, as all that are free, are chosen where numbers
    are needed, by what the net demands of them.
    """
    net = elaborated(program, name, dict(settings), dynamic)
    large = {
        axis
        for v in net.block.inputs
        for axis, size in zip(AXES.get(len(v.type.shape), ()), v.type.shape[2:], strict=False)
        if isinstance(size, int) and size > SIDES[0]
    }
    least = min((d for v in net.block.inputs for d in v.type.shape[2:] if isinstance(d, int)), default=0)
    for side in SIDES if large else ():
        for wide in (side + side // 2, side):
            with suppress(Refused):
                given = {axis: wide if axis == "W" else side for axis in large}
                small = elaborate(program, name, {**settings, **given}, [*axes(dynamic), *sorted(large)])
                if wide < least and trains_on_enough(small) and _shapes(small) == _shapes(net):
                    return small
    return net


def _shapes(net: Net) -> dict[str, Any]:
    """The shapes of the parameters, by path."""
    return {path: param.type.shape for path, param in state(net).items()}
