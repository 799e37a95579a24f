"""Writes the lines of a method: one assignment a step or a short nest of them, with the shape beside it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netc.backends.torch_source.annotations import is_typed, untyped
from netc.backends.torch_source.layout import STEP, broken
from netc.backends.torch_source.literal import WIDTH, variable
from netc.backends.torch_source.operands import ATOM, BINDING, needs_brackets
from netc.backends.torch_source.repeats import remarked, renamed, without_repeats
from netc.backends.torch_source.units import MARK, Unit, listed, units_of
from netc.backends.torch_source.variables import RESERVED, Variables
from netc.dims import AnyDim, size
from netc.ir.module import Block, Constant, Step, Value
from netc.ir.walk import needed

if TYPE_CHECKING:
    from netc.backends.torch_source.render import Writer

NEST = 3  # calls within calls
INDENT = STEP * 2


@dataclass(frozen=True)
class Body:
    """The names of the inputs and the lines of a method."""

    inputs: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Waiting:
    """An expression that will stand within another: how tightly its operator binds, how deep calls nest.

    heavy: it holds a layer with a kernel or a matrix.
    """

    text: str
    binding: int
    depth: int
    variables: frozenset[str]
    heavy: bool


@dataclass
class Lines:
    """The lines under way.

    typed: of each variable, whether a type checker knows that it holds a tensor. first: where it is first assigned in
    `out`, how many lines that takes, and what they say, unless it is one of several; None of an input.
    """

    writer: Writer
    variables: Variables
    uses: Mapping[Value, int]
    user: Mapping[Value, Unit]
    ends: Mapping[Value, Value]
    waiting: dict[Value, Waiting] = field(default_factory=dict)
    units: dict[Value, Unit] = field(default_factory=dict)
    out: list[str] = field(default_factory=list)
    typed: dict[str, bool] = field(default_factory=dict)
    first: dict[str, tuple[int, int, tuple[str, str] | None] | None] = field(default_factory=dict)


def forward_body(
    writer: Writer,
    body: Sequence[Step],
    outputs: Sequence[Value],
    guard: Sequence[str] = (),
    inputs: Sequence[Value] | None = None,
    known: Mapping[Value, str] | None = None,
    results: str = "",
) -> Body:
    """The lines that compute `outputs`.

    inputs: what the method is given. known: values with a name already. results: what it returns, as text over the
    markers of `outputs`, unless these in their order; what is computed twice in them is then computed once.
    """
    block = writer.made.block
    inputs = block.inputs if inputs is None else inputs
    steps: Sequence[Step] = needed(body, outputs, known or ())
    same: Mapping[Value, Value] = {}
    if results:
        steps, same = without_repeats(writer, steps)
        outputs = tuple(dict.fromkeys(same.get(v, v) for v in outputs))
    units = [renamed(writer, unit, same) for unit in units_of(writer, steps)]
    text = remarked(writer, results, same) if results else ", ".join(map(writer.mark, outputs))
    units.append(Unit(text, tuple(outputs), ()))
    last = {v: i for i, unit in enumerate(units) for v in unit.operands}
    sizes = frozenset(variable(name) for name in block.sizes if "." not in name)
    uses, user = (
        Counter(v for unit in units for v in unit.operands for _ in range(_mentions(writer, unit, v))),
        {v: u for u in units for v in u.operands},
    )
    lines = Lines(
        writer, Variables(last, RESERVED | sizes | writer.classes.names), uses, user, _ends(units, uses, user)
    )
    for value in inputs:
        lines.variables.bind(value, -1, [value.hint or "x"])
    for value, name in (known or {}).items():
        lines.variables.know(value, name)
    given = tuple(lines.variables.of[v] for v in inputs)
    lines.typed |= dict.fromkeys(given, True)
    lines.first |= dict.fromkeys(given)
    names = dict(zip(inputs, given, strict=True))
    guards = [MARK.sub(lambda m: names[writer.value(int(m[1]))], line) for line in guard]
    for number, unit in enumerate(units):
        _step(lines, unit, number, not results)
    return Body(given, (*guards, *_sizes(block, names, lines.out), *lines.out))


def _mentions(writer: Writer, unit: Unit, value: Value) -> int:
    """How often the text of a unit holds an operand: what it holds twice is not to be computed twice."""
    return max(1, unit.code.count(writer.mark(value)))


def _ends(
    units: Sequence[Unit], uses: Mapping[Value, int], user: Mapping[Value, Unit]
) -> Mapping[Value, Value]:
    """For each value that is on the way to another of its name, and to nothing else, the last of these."""
    ends: dict[Value, Value] = {}
    for unit in reversed(units):
        for value in unit.outputs:
            after = user[value].outputs if uses[value] == 1 else ()
            on_the_way = len(after) == 1 and after[0].hint == value.hint
            ends[value] = ends.get(after[0], after[0]) if on_the_way else value
    return ends


def _step(lines: Lines, unit: Unit, number: int, shown: bool) -> None:
    """One unit: a line, or an expression that waits for the line it stands in."""
    final = not unit.outputs
    text = _settled(lines, unit, number, shown)
    if not final and _waits(lines, unit):
        for value in unit.operands:
            if value in lines.waiting:
                _taken(lines, value)
        lines.waiting[unit.outputs[0]] = text
        lines.units[unit.outputs[0]] = unit
        lines.variables.pinned.update(text.variables)
        return
    for value in list(lines.waiting):
        if value not in unit.operands:
            _flush(lines, value, number)
    text = _settled(lines, unit, number, shown)
    for value in list(lines.waiting):
        _taken(lines, value)
    if not final:
        _assign(lines, unit, text.text, number)
    elif shown and len(unit.operands) == 1:
        _return(lines, unit.operands[0], text.text, number)
    else:
        comment = _comment(lines.writer, unit.operands if shown else ())
        lines.out += broken(f"return {text.text}", INDENT, comment)


def _return(lines: Lines, value: Value, text: str, now: int) -> None:
    """Returns a tensor; what type checkers do not know to be one gets a variable that says so."""
    names = [] if is_typed(text, lines.typed) else untyped(text, lines.typed)
    if not is_typed(text, lines.typed | dict.fromkeys(names, True)):
        _assign(lines, lines.units[value], text, now - 1)
        text = lines.variables.of[value]
        names = [text]
    for name in sorted(
        names, key=lambda n: lines.first[n] or (-1, 0, None), reverse=True
    ):  # lines may be added
        _annotate(lines, name)
    alone = text.isidentifier() and bool(lines.out)  # its shape stands where it is assigned
    lines.out += broken(f"return {text}", INDENT, "" if alone else _comment(lines.writer, [value]))


def _annotate(lines: Lines, name: str) -> None:
    """Says that a variable is a tensor, where it is first assigned."""
    if (place := lines.first[name]) is None:
        return
    start, count, line = place
    if line is None:
        lines.out.insert(start, f"{INDENT}{name}: Tensor")
    else:
        text, comment = line
        lines.out[start : start + count] = broken(f"{name}: Tensor = {text}", INDENT, comment)


def _waits(lines: Lines, unit: Unit) -> bool:
    """Whether a value may stand within the expression that uses it."""
    value = unit.outputs[0]
    if len(unit.outputs) != 1 or lines.uses[value] != 1:
        return False
    user = lines.user[value]
    if user.code.count(lines.writer.mark(value)) > 1:
        return False
    if not user.outputs:
        return True
    if value.hint and user.outputs[0].hint != value.hint:
        return False
    if unit.large and user.large:
        return False
    if unit.large:
        return bool(user.operator)
    return not user.large or value.type == unit.operands[0].type if unit.operands else True


def _settled(lines: Lines, unit: Unit, number: int, shown: bool) -> Waiting:
    """The text of a unit; waiting expressions that make it too long or too deep become lines before it."""
    while True:
        text = _filled(lines, unit)
        mine = [v for v in unit.operands if v in lines.waiting]
        fits = text.depth <= NEST and len(_line(lines, unit, text, shown)) <= WIDTH
        whole = not unit.outputs and len(mine) == 1 and text.text == lines.waiting[mine[0]].text
        if not mine or whole or (fits and not _crowded(lines, unit, text.depth)):
            return text
        _flush(lines, _first_large(lines, mine), number)


def _crowded(lines: Lines, unit: Unit, depth: int) -> bool:
    """Whether a deep nest would hold two layers with kernels or matrices, in the middle of a chain."""
    heavy = unit.heavy and any(lines.waiting[v].heavy for v in unit.operands if v in lines.waiting)
    after = lines.user.get(unit.outputs[0]) if unit.outputs else None
    return heavy and depth >= NEST and after is not None and bool(after.outputs) and not after.operator


def _first_large(lines: Lines, values: Sequence[Value]) -> Value:
    """The first of the waiting expressions that are about as deep and as long as any."""
    deep = [v for v in values if lines.waiting[v].depth >= NEST] or values
    longest = max(len(lines.waiting[v].text) for v in deep)
    return next(v for v in deep if 3 * len(lines.waiting[v].text) >= longest)


def _line(lines: Lines, unit: Unit, text: Waiting, shown: bool) -> str:
    """About the line that a unit would be."""
    name = ", ".join(v.hint or "x" for v in unit.outputs) + " = " if unit.outputs else "return "
    values = unit.outputs or (unit.operands if shown else ())
    return INDENT + name + text.text + _comment(lines.writer, values, unit.operands if unit.outputs else ())


def _flush(lines: Lines, value: Value, now: int) -> None:
    """Gives a waiting expression a line of its own."""
    waiting = _taken(lines, value)
    _assign(lines, lines.units[value], waiting.text, now - 1)


def _taken(lines: Lines, value: Value) -> Waiting:
    waiting = lines.waiting.pop(value)
    lines.variables.pinned.subtract(waiting.variables)
    return waiting


def _assign(lines: Lines, unit: Unit, text: str, now: int) -> None:
    read = [v for v in unit.outputs if lines.uses[v]] or list(unit.outputs)
    names = [lines.variables.bind(v, now, _names(lines, unit, v)) if v in read else "_" for v in unit.outputs]
    if unit.nested and set(names[1:]) == {"_"}:
        names = names[:2]  # a tuple that nothing reads
    comment = _comment(lines.writer, read, unit.operands)
    start = len(lines.out)
    lines.out += broken(f"{listed(names, unit.nested)} = {text}", INDENT, comment)
    iterated = len(names) > 1 and MARK.fullmatch(unit.code) is not None  # of which torch says nothing
    typed = not iterated and is_typed(text, lines.typed)
    place = (start, len(lines.out) - start, (text, comment) if len(names) == 1 else None)
    for name in names:
        lines.first.setdefault(name, place)
        lines.typed[name] = typed or lines.first[name] is None


def _names(lines: Lines, unit: Unit, value: Value) -> list[str]:
    """What a value may be called, best first: by the spec, by the child that makes it, x on the way."""
    user = lines.user.get(value)
    end = lines.ends.get(value, value)
    hint = value.hint or "x"
    child = [unit.child] if unit.child and not unit.child.isdigit() else []
    if value.hint and end.type.shape == value.type.shape:
        return [hint, *child, hint]
    if child and user is not None and sum(not isinstance(v, Constant) for v in user.operands) > 1:
        return [*child, hint]
    return ["x", hint, *child, hint]


def _comment(writer: Writer, values: Sequence[Value], operands: Sequence[Value] = ()) -> str:
    """The shapes of values, once where all are alike; a number needs none."""
    shapes = [writer.shape(v, operands) for v in values]
    if not shapes or set(shapes) == {"[]"}:
        return ""
    return f"  # {', '.join(shapes if len(set(shapes)) > 1 else shapes[:1])}"


def _filled(lines: Lines, unit: Unit) -> Waiting:
    """The text of a unit with names or waiting expressions in the place of markers."""
    depth, heavy = 0, unit.heavy
    used: set[str] = set()

    def name(match: re.Match[str]) -> str:
        nonlocal depth, heavy
        value = lines.writer.value(int(match[1]))
        if value in lines.waiting:
            held = lines.waiting[value]
            depth, heavy = max(depth, held.depth), heavy or held.heavy
            used.update(held.variables)
            return (
                f"({held.text})"
                if needs_brackets(unit.code, unit.operator, match, held.binding)
                else held.text
            )
        if (read := lines.writer.parameter(value)) is not None:
            return read
        used.add(lines.variables.of[value])
        return lines.variables.of[value]

    text = MARK.sub(name, unit.code)
    if unit.operator == "**":
        text = re.sub(r"^(-?[\w.]+) \*\* ([\w.]+)$", r"\1**\2", text)
    if unit.operator in ("+", "-"):
        text = _signed(text)
    call = not unit.operator and bool(unit.outputs)
    binding = BINDING.get(unit.operator, 1) if unit.operator else ATOM
    return Waiting(text, binding, depth + call, frozenset(used), heavy)


def _signed(text: str) -> str:
    """`a + -b` as `a - b`, and `a - -b` as `a + b`; not where b is a quotient rounded down, or a remainder."""
    found = re.search(r" ([+-]) -(?=[\w.(])", text)
    if found is None or re.search(r"//|%", text[found.end() :]):
        return text
    return f"{text[: found.start()]} {'-' if found[1] == '+' else '+'} {text[found.end() :]}"


def _sizes(block: Block, names: Mapping[Value, str], lines: Sequence[str]) -> list[str]:
    """The lines that read the sizes that the lines use from the shapes of the inputs."""
    used = {w for line in lines for w in re.findall(r"[A-Za-z_]\w*", line.split("  # ")[0])}
    wanted = [name for name in block.sizes if "." not in name and variable(name) in used]
    out = []
    for value, given in names.items():
        axes = {axis: n for axis, d in enumerate(value.type.shape) for n in wanted if is_size(d, n)}
        wanted = [n for n in wanted if n not in axes.values()]
        if len(axes) == 1:
            out += [f"{variable(n)} = {given}.shape[{axis}]" for axis, n in axes.items()]
        elif axes:
            targets = (variable(axes[i]) if i in axes else "_" for i in range(len(value.type.shape)))
            out.append(f"{', '.join(targets)} = {given}.shape")
    return [INDENT + line for line in out]


def is_size(dim: AnyDim, name: str) -> bool:
    """Whether a dimension is the named size itself."""
    return not isinstance(dim, int) and str(dim) == name and str(size(name)) == name
