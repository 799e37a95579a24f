"""Writes the lines of a forward: one assignment a step or a short nest of them, with the shape beside it."""

from __future__ import annotations

import builtins
import keyword
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netc.backends.torch_source.draft import Module, constructor, leaves, marker
from netc.backends.torch_source.literal import variable
from netc.dims import AnyDim, size
from netc.ir.module import Block, Call, Node, Param, Path, Step, Value
from netc.ir.walk import needed

if TYPE_CHECKING:
    from netc.backends.torch_source.render import Writer

WIDTH = 88
NEST = 3
RESERVED = frozenset({"self", "torch", "nn", "F", "OrderedDict", *keyword.kwlist, *keyword.softkwlist, *dir(builtins)})
MARK = re.compile("\x00(\\d+)\x00")


@dataclass(frozen=True)
class Body:
    """The inputs' names and the lines of a method."""

    inputs: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Unit:
    """One line to be: `code` over markers; infix binds looser than a call; large has a line of its own."""

    code: str
    operands: tuple[Value, ...]
    outputs: tuple[Value, ...]
    infix: bool = False
    large: bool = False


@dataclass
class Names:
    """Which variable holds which value, and the expressions that wait to be used."""

    index: Mapping[int, Value]
    last: Mapping[Value, int]
    reserved: frozenset[str]
    held: dict[str, Value] = field(default_factory=dict)
    of: dict[Value, str] = field(default_factory=dict)
    waiting: dict[Value, tuple[str, bool, int]] = field(default_factory=dict)

    def bind(self, value: Value, now: int, fallback: str = "x") -> str:
        """A variable for `value`: its own name, unless that holds a value still needed."""
        base = value.hint or fallback
        base = f"{base}_" if base in self.reserved else base
        name, n = base, 2
        while name in self.held and self.last.get(self.held[name], -1) > now and self.held[name] is not value:
            name, n = f"{base}{n}", n + 1
        self.held[name] = value
        self.of[value] = name
        return name


def forward_body(writer: Writer, body: Sequence[Step], outputs: Sequence[Value], guard: Sequence[str] = (),
                 inputs: Sequence[Value] | None = None, known: Mapping[Value, str] | None = None,
                 returned: str | None = None) -> Body:
    """The lines that compute `outputs`.

    inputs: what the method is given. known: values with a name already. returned: the text after
    `return`, over the markers of `outputs`; the outputs themselves unless told otherwise.
    """
    block = writer.made.block
    inputs = block.inputs if inputs is None else inputs
    draft = writer.classes.drafts[block]
    units = _units(writer, needed(body, outputs, known or ()))
    text = returned if returned is not None else ", ".join(marker(draft.index[v]) for v in outputs)
    units.append(Unit(text, tuple(outputs), ()))
    names = Names({i: v for v, i in draft.index.items()}, _last_uses(units),
                  RESERVED | set(map(variable, block.sizes)) | set(writer.stored))
    for value in inputs:
        names.bind(value, -1)
    for value, name in (known or {}).items():
        names.of[value] = name
        names.held[name] = value
    lines = _lines(writer, units, names, returned is None)
    sizes = _sizes(block, inputs, names, lines)
    return Body(tuple(names.of[v] for v in inputs), (*guard_lines(guard, names, inputs), *sizes, *lines))


def guard_lines(guard: Sequence[str], names: Names, inputs: Sequence[Value]) -> Sequence[str]:
    return [re.sub(MARK, lambda m: names.of[names.index[int(m[1])]], line) for line in guard]


def _last_uses(units: Sequence[Unit]) -> dict[Value, int]:
    last: dict[Value, int] = {}
    for i, unit in enumerate(units):
        for value in unit.operands:
            last[value] = i
    return last


def _lines(writer: Writer, units: Sequence[Unit], names: Names, returns: bool) -> list[str]:
    uses = Counter(v for unit in units for v in unit.operands)
    lines: list[str] = []
    for i, unit in enumerate(units):
        final = i == len(units) - 1
        text, depth = _fill(unit, names)
        if names.waiting and (unit.large or _too_wide(unit, text, depth, final)):
            _flush(writer, names, lines, i)
            text, depth = _fill(unit, names)
        names.waiting.clear()
        if final:
            lines.append(f"return {text}" + _comment(writer, unit.operands if returns else ()))
            break
        following = units[i + 1]
        single = len(unit.outputs) == 1 and uses[unit.outputs[0]] == 1 and unit.outputs[0] in following.operands
        if single and _joins(unit, following):
            names.waiting[unit.outputs[0]] = (text, unit.infix, depth)
            continue
        _assign(writer, names, lines, unit.outputs, text, i, _fallback(unit, names))
    return lines


def _joins(unit: Unit, following: Unit) -> bool:
    """Whether a value may stand within the expression that uses it: it has no name of its own there."""
    value = unit.outputs[0]
    if not following.outputs:
        return True
    return not unit.large and (not value.hint or following.outputs[0].hint == value.hint)


def _too_wide(unit: Unit, text: str, depth: int, final: bool) -> bool:
    name = "return " if final else f"{unit.outputs[0].hint or 'x'} = "
    return len(name) + len(text) > WIDTH or depth > NEST


def _fallback(unit: Unit, names: Names) -> str:
    for value in unit.operands:
        if value in names.of:
            return re.sub(r"\d+$", "", names.of[value]) or "x"
    return "x"


def _flush(writer: Writer, names: Names, lines: list[str], now: int) -> None:
    for value, (text, _, _) in list(names.waiting.items()):
        _assign(writer, names, lines, (value,), text, now - 1, "x")
    names.waiting.clear()


def _assign(writer: Writer, names: Names, lines: list[str], outputs: tuple[Value, ...], text: str, now: int,
            fallback: str) -> None:
    targets = ", ".join(names.bind(v, now, fallback) for v in outputs)
    lines.append(f"{targets} = {text}{_comment(writer, outputs)}")


def _comment(writer: Writer, values: Sequence[Value]) -> str:
    """The shapes of values, each once; a number needs none."""
    shapes = [s for s in dict.fromkeys(writer.shape(v) for v in values) if s != "[]"]
    return f"  # {', '.join(shapes)}" if shapes else ""


def _fill(unit: Unit, names: Names) -> tuple[str, int]:
    """The text of a unit with names or waiting expressions in the place of markers, and how deep it nests."""
    depth = 1

    def name(match: re.Match[str]) -> str:
        nonlocal depth
        value = names.index[int(match[1])]
        if value in names.waiting:
            text, infix, inner = names.waiting[value]
            depth = max(depth, inner + 1)
            after = match.string[match.end() : match.end() + 1]
            alone = not unit.infix and after not in (".", "[")
            return text if not infix or alone else f"({text})"
        if isinstance(value, Param):
            return attribute(value.path)
        return names.of[value]

    return re.sub(MARK, name, unit.code), depth


def attribute(path: Path, sequential: bool = False) -> str:
    """The Python expression for the child or parameter at `path`."""
    text = "self"
    for segment in path:
        text = f"{text}.{segment}" if segment.isidentifier() else \
            f"{text}[{segment}]" if segment.isdigit() and text != "self" else f'getattr({text}, "{segment}")'
    return text


def _units(writer: Writer, steps: Sequence[Step]) -> list[Unit]:
    draft = writer.classes.drafts[writer.made.block]
    positions = {step: i for i, step in enumerate(writer.made.block.body)}
    units: list[Unit] = []
    skip = 0
    for i, step in enumerate(steps):
        if skip:
            skip -= 1
            continue
        if isinstance(step, Node) and step in draft.lines:
            line = draft.lines[step]
            at = positions[step]
            code = writer.in_forward(lambda b, at=at: writer.classes.drafts[b].lines[b.body[at]].code)  # type: ignore[misc]
            units.append(Unit(code, step.inputs, step.outputs, line.code.infix))
            continue
        assert step.path is not None and (isinstance(step, Call) or constructor(step) is not None)
        path, count = _container(draft.children, step.path)
        run = steps[i : i + count]
        skip = count - 1
        inputs = ", ".join(marker(draft.index[v]) for v in run[0].inputs)
        units.append(Unit(f"{child(draft.children, path)}({inputs})", run[0].inputs, run[-1].outputs,
                          large=isinstance(step, Call) or count > 1))
    return units


def _container(children: Mapping[str, Module], path: Path) -> tuple[Path, int]:
    """The outermost sequential container around `path` and how many steps it holds; else the path itself."""
    level = children
    for depth, segment in enumerate(path):
        module = level[segment]
        if module.children and module.sequential:
            return path[: depth + 1], len(leaves(path[: depth + 1], module.children))
        level = module.children
    return path, 1


def child(children: Mapping[str, Module], path: Path) -> str:
    """The Python expression for a child: attributes, items of lists and of dicts."""
    text, level, inside = "self", children, False
    for segment in path:
        if not inside:
            text = f"{text}.{segment}" if segment.isidentifier() else f'getattr({text}, "{segment}")'
        else:
            listed = list(level) == [str(i) for i in range(len(level))]
            text = f"{text}[{segment}]" if listed else f'{text}["{segment}"]'
        level, inside = level[segment].children, True
    return text


def _sizes(block: Block, inputs: Sequence[Value], names: Names, lines: Sequence[str]) -> list[str]:
    """The line that reads the sizes that the lines use from the shapes of the inputs."""
    used = {w for line in lines for w in re.findall(r"[A-Za-z_]\w*", line.split("  # ")[0])}
    found: list[tuple[str, str]] = []
    for name in block.sizes:
        if variable(name) in used:
            found.append((variable(name), _source(name, inputs, names)))
    if not found:
        return []
    return [f"{', '.join(n for n, _ in found)} = {', '.join(s for _, s in found)}"]


def _source(name: str, inputs: Sequence[Value], names: Names) -> str:
    for value in inputs:
        for axis, dim in enumerate(value.type.shape):
            if is_size(dim, name):
                return f"{names.of[value]}.shape[{axis}]"
    raise AssertionError(f"no input has the size {name}")


def is_size(dim: AnyDim, name: str) -> bool:
    """Whether a dimension is the named size itself."""
    return not isinstance(dim, int) and str(dim) == name and str(size(name)) == name
