"""Layers applied twice, and parameters read by name: what an instance owns, seen from outside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netc.diagnostics import Span, wording_names
from netc.dims import AnyDim, decide, substitute
from netc.ir.module import Block, Call, Param, Path, Type, parameters
from netc.passes.elaboration.frame import Frame
from netc.passes.elaboration.values import (
    Instance,
)


def difference(first: Any, second: Any) -> str:
    """How two variants of a block that one name stands for differ, in the user's words."""
    if isinstance(first, Block):
        held = {path: p.type.shape for path, p in parameters(first)}
        for path, param in parameters(second):
            if held.get(path) != param.type.shape:
                return f"here its {'.'.join(path)} would differ"
    return "here its sizes make it another layer"


def check_shared(
    frame: Frame,
    block: Block,
    first: Mapping[str, AnyDim],
    second: Mapping[str, AnyDim],
    path: Path,
    span: Span,
) -> None:
    """Refuses a second application whose parameters would have other shapes."""
    for inner, param in parameters(block):
        for dim in param.type.shape:
            a, b = _in_caller(block, inner, dim, first), _in_caller(block, inner, dim, second)
            if decide("zero", a - b) is not True:
                detail = f"here its {'.'.join(inner)} would have a size {b}, not {a}"
                raise frame.refuse(
                    wording_names.shared_differs(span, ".".join(path), detail, frame.owners[path].span)
                )


def _in_caller(block: Block, inner: Path, dim: AnyDim, sizes: Mapping[str, AnyDim]) -> AnyDim:
    """`dim` of the parameter `inner` in the caller's sizes; deeper ones through the calls on the way."""
    for step in block.body:
        if isinstance(step, Call) and inner[: len(step.path)] == step.path:
            deeper = _in_caller(step.block, inner[len(step.path) :], dim, step.sizes)
            return substitute(deeper, sizes)
    return substitute(dim, sizes)


def read_parameter(frame: Frame, instance: Instance, tail: Path, span: Span) -> Param:
    """The parameter `tail` of an instance that was applied."""
    path = (*instance.path, *tail)
    if path in frame.params:
        return frame.params[path]
    name = ".".join(instance.path)
    applied = [s for s in frame.body if s.path is not None and s.path[: len(instance.path)] == instance.path]
    if not applied:
        raise frame.refuse(wording_names.not_applied(span, name))
    known: list[str] = [
        ".".join(p[len(instance.path) :]) for p in frame.params if p[: len(instance.path)] == instance.path
    ]
    for call in applied:
        if isinstance(call, Call):
            for inner, param in parameters(call.block):
                whole = (*call.path, *inner)
                known.append(".".join(whole[len(instance.path) :]))
                if whole == path:
                    shape = tuple(_in_caller(call.block, inner, d, call.sizes) for d in param.type.shape)
                    type_ = Type(param.type.dtype, shape)
                    read = Param(".".join(path), type_, path, param.init, param.trainable, owned=False)
                    frame.params[path] = read
                    return read
    raise frame.refuse(wording_names.unknown_parameter(span, name, ".".join(tail), known))
