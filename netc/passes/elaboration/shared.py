"""Layers applied twice, and parameters read by name: what an instance owns, seen from outside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from netc.diagnostics import Span, wording_names
from netc.dims import AnyDim, decide, substitute
from netc.ir.module import Block, Call, Param, Path, Type, parameters
from netc.passes.elaboration.frame import Frame
from netc.passes.elaboration.values import Instance
from netc.syntax import tree


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
    held = _held(frame)
    if path in held:
        return _read(frame, path, held[path])
    known = [".".join(p[len(instance.path) :]) for p in held if p[: len(instance.path)] == instance.path]
    raise frame.refuse(wording_names.unknown_parameter(span, name, ".".join(tail), known))


def _held(frame: Frame) -> dict[Path, tuple[Param, Call | None]]:
    """Every parameter of the body so far by path, in the order of use, with the call of the block that holds it."""
    held: dict[Path, tuple[Param, Call | None]] = {}
    for step in frame.body:
        if isinstance(step, Call):
            for inner, param in parameters(step.block):
                held.setdefault((*step.path, *inner), (param, step))
        else:
            held |= {param.path: (param, None) for param in step.params if param.path not in held}
    return held | {path: (param, None) for path, param in frame.params.items()}


def _read(frame: Frame, path: Path, found: tuple[Param, Call | None]) -> Param:
    """A parameter as the body sees it: one of a called block is read, and stays the block's."""
    param, call = found
    if call is None:
        return param
    inner = path[len(call.path) :]
    shape = tuple(_in_caller(call.block, inner, d, call.sizes) for d in param.type.shape)
    type_ = Type(param.type.dtype, shape)
    read = Param(".".join(path), type_, path, param.init, param.trainable, owned=False, start=param.start)
    frame.params[path] = read
    return read


def chosen_weights(
    frame: Frame, positional: Sequence[Any], keywords: Mapping[str, Any], node: tree.Call
) -> list[Param]:
    """`weights("layer*.weight")`: the trainable parameters so far whose path fits one of the patterns, in order."""
    if keywords or not positional or not all(isinstance(x, str) for x in positional):
        raise frame.refuse(wording_names.bad_patterns(node.span))
    held = {path: found for path, found in _held(frame).items() if found[0].trainable}
    known = [".".join(path) for path in held]
    for argument, pattern in zip(node.arguments, positional, strict=True):
        if not any(fnmatchcase(name, pattern) for name in known):
            raise frame.refuse(wording_names.no_such_weights(argument.span, pattern, known))
    frame.session.spend(len(known), node.span)
    fitting = (p for p in held if any(fnmatchcase(".".join(p), pattern) for pattern in positional))
    return [_read(frame, path, held[path]) for path in fitting]
