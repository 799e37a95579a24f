"""Writes the lines that start the parameters of a class otherwise than their layers do: calls of nn.init."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from netc.backends.torch_source.layout import STEP, broken
from netc.backends.torch_source.units import parameter
from netc.ir.module import Block, Node, Param, Path
from netc.ops.code import Code

if TYPE_CHECKING:
    from netc.backends.torch_source.render import Writer

TARGET = "\x02"  # stands for the parameter in a statement


def start_lines(writer: Writer) -> list[str]:
    """The lines at the end of a constructor."""
    found: dict[str, dict[str, str]] = {}
    for at, number, path in _said(writer.made.block):
        text = writer.in_constructor(lambda b, at=at, number=number: _code(b, at, number), path[-1])  # type: ignore[misc]
        found.setdefault(text, {})[_access(writer, path)] = path[-1].rpartition(".")[2]
    lines = [line for text, targets in found.items() for line in _calls(writer, text, targets)]
    for path, row in _zero_rows(writer.made.block):
        lines += _broken(f"nn.init.zeros_({_access(writer, path)}[{row}])")
    return lines


def said(block: Block) -> tuple[tuple[Path, str], ...]:
    """What two blocks must share to be one class: which parameters start otherwise, and by what."""
    return tuple((path, _param(block, at, number).init.kind) for at, number, path in _said(block))


def _said(block: Block) -> Iterator[tuple[int, int, Path]]:
    """The parameters whose start the spec says: the step, the place among its parameters, and the path."""
    seen: set[Path] = set()
    for at, step in enumerate(block.body):
        for number, param in enumerate(step.params if isinstance(step, Node) else ()):
            if param.init.by is not None and param.owned and param.path not in seen:
                seen.add(param.path)
                yield at, number, param.path


def _zero_rows(block: Block) -> Iterator[tuple[Path, int]]:
    for at, number, path in _said(block):
        row = _param(block, at, number).init.zero_row
        if row is not None:
            yield path, row


def _param(block: Block, at: int, number: int) -> Param:
    step = block.body[at]
    assert isinstance(step, Node)
    return step.params[number]


def _code(block: Block, at: int, number: int) -> Code:
    by = _param(block, at, number).init.by
    assert by is not None
    return by.torch(TARGET)


def _access(writer: Writer, path: Path) -> str:
    """The expression for a parameter; its own name may have dots."""
    return parameter(writer, tuple(".".join(path).split(".")), True)


def _calls(writer: Writer, text: str, targets: Mapping[str, str]) -> list[str]:
    """One call, or a loop over all that start alike. targets: the names of the parameters by their expressions."""
    if len(targets) == 1:
        return _broken(text.replace(TARGET, next(iter(targets))))
    names = set(targets.values())
    name = names.pop() if len(names) == 1 else "parameter"
    taken = {a.name for a in writer.made.arguments} | {*writer.made.block.parameters}
    while name in taken:
        name += "_"
    head = _broken(f"for {name} in ({', '.join(targets)}):")
    return [*head, *(STEP + line for line in _broken(text.replace(TARGET, name), STEP * 3))]


def _broken(line: str, indent: str = STEP * 2) -> list[str]:
    """The lines that say `line` at a depth, without the indentation itself."""
    return [part.removeprefix(indent) for part in broken(line, indent)]
