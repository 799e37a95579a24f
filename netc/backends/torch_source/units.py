"""Turns the steps of a body into units, each an expression over markers that may become a line of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netc.backends.torch_source.draft import Module, leaves, marker
from netc.backends.torch_source.operands import operator_of
from netc.ir.module import Call, Node, Path, Step, Value

if TYPE_CHECKING:
    from netc.backends.torch_source.render import Writer

MARK = re.compile("(?:0)?\x00(\\d+)\x00")


@dataclass(frozen=True, eq=False)
class Unit:
    """An expression over markers; without outputs it is what a method returns.

    operator: the one that it is made of, if any. large: it calls a block or a container.
    child: the name of the child that it calls. heavy: a layer with a kernel or a matrix.
    steps: how many steps it does. nested: what follows the first output comes as one tuple.
    """

    code: str
    operands: tuple[Value, ...]
    outputs: tuple[Value, ...]
    operator: str = ""
    large: bool = False
    child: str = ""
    heavy: bool = False
    steps: int = 1
    nested: bool = False


def units_of(writer: Writer, steps: Sequence[Step]) -> list[Unit]:
    """One unit a step; a run through a whole container is one, and so is the unpacking of a tensor."""
    units: list[Unit] = []
    at = 0
    while at < len(steps):
        step = steps[at]
        if isinstance(step, Node) and step in writer.draft.lines:
            units.append(_unpacking(writer, steps, at) or _function(writer, step))
        else:
            units.append(_child(writer, steps, at))
        at += units[-1].steps
    return units


def _function(writer: Writer, step: Node) -> Unit:
    code = writer.in_forward(step)
    return Unit(code, step.inputs, step.outputs, operator_of(code, writer.draft.lines[step].infix))


def _unpacking(writer: Writer, steps: Sequence[Step], at: int) -> Unit | None:
    """x[0], x[1], ... up to the last of a tensor's first axis are one unpacking, where each gets a name."""
    first = steps[at]
    if len(first.inputs) != 1 or not first.inputs[0].type.shape:
        return None
    source, count = first.inputs[0], first.inputs[0].type.shape[0]
    if not isinstance(count, int) or not 1 < count <= len(steps) - at:
        return None
    run = steps[at : at + count]
    if any(not isinstance(s, Node) or s.inputs != first.inputs or s not in writer.draft.lines for s in run):
        return None
    mark = marker(writer.draft.index[source])
    outputs = tuple(v for s in run for v in s.outputs)
    named = len({v.hint for v in outputs} - {""}) == count == len(outputs)
    if named and all(
        writer.in_forward(s) == f"{mark}[{i}]" for i, s in enumerate(run) if isinstance(s, Node)
    ):
        return Unit(mark, first.inputs, outputs, steps=count)
    return None


def _child(writer: Writer, steps: Sequence[Step], at: int) -> Unit:
    """The call of a child, or of the outermost container that passes a value through from here on."""
    step = steps[at]
    assert step.path is not None
    path, count = _container(writer.draft.children, step.path)
    nested = isinstance(step, Node) and step.op.nested
    inputs = listed([marker(writer.draft.index[v]) for v in step.inputs], nested)
    text = f"{access(writer.draft.children, path, writer.root)}({inputs})"
    outputs = steps[at + count - 1].outputs
    name = path[-1].replace("-", "_")
    heavy = isinstance(step, Node) and any(len(p.type.shape) > 1 for p in step.params)
    large = isinstance(step, Call) or path != step.path
    return Unit(text, step.inputs, outputs, large=large, child=name, heavy=heavy, steps=count, nested=nested)


def listed(names: Sequence[str], nested: bool) -> str:
    """`names` with commas between; where they nest, those behind the first as one tuple."""
    if nested and len(names) > 2:
        return f"{names[0]}, ({', '.join(names[1:])})"
    return ", ".join(names)


def _container(children: Mapping[str, Module], path: Path) -> tuple[Path, int]:
    """The outermost sequential container around `path` and how many steps it holds; else the path itself."""
    level = children
    for depth, segment in enumerate(path):
        module = level[segment]
        if module.children and module.sequential:
            return path[: depth + 1], len(leaves(path[: depth + 1], module.children))
        level = module.children
    return path, 1


def access(children: Mapping[str, Module], path: Path, root: str) -> str:
    """The Python expression for the module at `path` from `root`: an attribute, or an item of a container.

    What stands deeper is asked for by its path: torch does not say that an item of a container is one, too.
    """
    first, *inner = path
    text = f"{root}.{first}" if first.isidentifier() else f'getattr({root}, "{first}")'
    if not inner:
        return text
    container = children[first]
    if len(inner) == 1 and container.numbered:
        return f"{text}[{inner[0]}]"
    if len(inner) == 1 and not container.sequential:
        return f'{text}["{inner[0]}"]'
    return f'{root}.get_submodule("{".".join(path)}")'


def parameter(writer: Writer, path: Path, trainable: bool) -> str:
    """The expression for the parameter or buffer at `path`: attributes, where torch says what these are."""
    children, where = writer.draft.children, path[:-1]
    while where and where[0] in children:
        module, where = children[where[0]], where[1:]
        if module.call is not None:
            children = writer.classes.drafts[module.call.block].children
        else:
            children = module.children
            if children or not trainable or (path[-1] == "bias" and _is_optional(module)):
                where = path
    if not where and all(segment.isidentifier() for segment in path):
        return ".".join((writer.root, *path))
    return f'{writer.root}.get_{"parameter" if trainable else "buffer"}("{".".join(path)}")'


def _is_optional(module: Module) -> bool:
    """Whether torch says of the bias of a layer that it may be None."""
    return module.code is not None and str(module.code.pieces[0]).startswith("nn.Conv")
