"""Layers applied twice, and parameters read by name: what an instance owns, seen from outside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from netc.budget import ITEMS, spend
from netc.diagnostics import Span, wording_names
from netc.dims import AnyDim, Shape, decide, substitute
from netc.ir.module import Block, Call, Param, Path, Type, parameters, parameters_through
from netc.passes.elaboration.frame import Frame
from netc.passes.elaboration.values import Instance
from netc.syntax import tree

SHARED = 10  # the work of comparing a parameter of two applications


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
    pairs = zip(_shapes(block, first), _shapes(block, second), strict=True)
    for (inner, one), (_, other) in pairs:
        spend(SHARED)
        for a, b in zip(one, other, strict=True):
            if decide("zero", a - b) is not True:
                detail = f"here its {'.'.join(inner)} would have a size {b}, not {a}"
                raise frame.refuse(
                    wording_names.shared_differs(span, ".".join(path), detail, frame.owners[path].span)
                )


def _shapes(block: Block, sizes: Mapping[str, AnyDim]) -> Iterator[tuple[Path, Shape]]:
    """Every parameter of an instance of `block` with its shape in the caller's sizes, in the order of `parameters`."""
    for path, param, through in parameters_through(block):
        shape = param.type.shape
        for call in reversed(through):
            shape = tuple(substitute(d, call.sizes) for d in shape)
        yield path, tuple(substitute(d, sizes) for d in shape)


def read_parameter(frame: Frame, instance: Instance, tail: Path, span: Span) -> Param:
    """The parameter `tail` of an instance that was applied."""
    path = (*instance.path, *tail)
    if path in frame.params:
        return frame.params[path]
    name = ".".join(instance.path)
    spend(len(frame.body))
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
    spend(2 * len(frame.body) + len(frame.params))
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
    shape = next(shape for other, shape in _shapes(call.block, call.sizes) if other == inner)
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
        spend(2 * len(known) * (1 + len(pattern) // ITEMS))
        if not any(fnmatchcase(name, pattern) for name in known):
            raise frame.refuse(wording_names.no_such_weights(argument.span, pattern, known))
    fitting = (p for p in held if any(fnmatchcase(".".join(p), pattern) for pattern in positional))
    return [_read(frame, path, held[path]) for path in fitting]
