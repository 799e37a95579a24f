"""Turns an op into a description of all that its definition says of it: for `netc ops` and the reference."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from netc.dims import AnyDim, Dim, show
from netc.ops.attributes import BadArgument, bind, parameters_of
from netc.ops.contract import DTYPES, FLOATS, OPS, Init, Mismatch, Op, Parameter, Sample
from netc.ops.initialiser import INITIALISERS
from netc.ops.prose import Prose, prose
from netc.ops.rule import Rule, rule, shape_of

RULES = 3  # applications shown at most


@dataclass(frozen=True)
class Attribute:
    """default: as the language writes it; None where the attribute is required."""

    name: str
    takes: str
    default: str | None


@dataclass(frozen=True)
class Holding:
    """A parameter or, not trainable, a buffer."""

    name: str
    shape: str
    start: str
    trainable: bool


@dataclass(frozen=True)
class Application:
    """A call with the shapes that it takes and gives, and what its named sizes must meet."""

    call: str
    operands: tuple[str, ...]
    results: tuple[str, ...]
    where: tuple[str, ...]
    holds: tuple[Holding, ...]

    def __str__(self) -> str:
        given, made = ", ".join(self.operands), ", ".join(self.results)
        return f"{self.call}: {given} -> {made}" + (
            f", where {' and '.join(self.where)}" if self.where else ""
        )


@dataclass(frozen=True)
class Cost:
    """Operations of an application to sizes in numbers."""

    call: str
    operands: tuple[str, ...]
    results: tuple[str, ...]
    parameters: int
    flops: int
    macs: int

    def __str__(self) -> str:
        counts = [_counted(self.flops, "operation")]
        counts += [_counted(self.macs, "multiply-add")] if self.macs else []
        counts += [_counted(self.parameters, "parameter")] if self.parameters else []
        return f"{self.call} on {', '.join(self.operands)}: {', '.join(counts)}"


@dataclass(frozen=True)
class Typing:
    """Dtypes of operands that an op takes, and of what it then gives."""

    operands: tuple[str, ...]
    results: tuple[str, ...]

    @property
    def kept(self) -> bool:
        """Whether all are the same."""
        return len({*self.operands, *self.results}) == 1

    def __str__(self) -> str:
        return f"{', '.join(self.operands)} -> {', '.join(self.results)}"


@dataclass(frozen=True)
class Description:
    """All that is told of an op. family: the title of its file. operator: how it is spelled, where by a sign."""

    name: str
    family: str
    signature: str
    aliases: tuple[str, ...]
    operator: str
    short: str
    prose: Prose
    attributes: tuple[Attribute, ...]
    rules: tuple[Application, ...]
    dtypes: tuple[Typing, ...]
    cost: Cost
    differentiable: bool

    @property
    def dtype_lines(self) -> tuple[str, ...]:
        """The dtypes in words: in one line where the outputs keep all of them, else one line each."""
        if all(t.kept for t in self.dtypes):
            kept = dict.fromkeys(t.operands[0] for t in self.dtypes)
            return (f"{' or '.join(kept)}, which the result keeps",)
        return tuple(dict.fromkeys(map(str, self.dtypes)))


def describe(op: type[Op]) -> Description:
    """The description of an op, its rules run on its own samples."""
    good = [s for s in op.samples if not s.rejects]
    return Description(
        name=op.name,
        family=title(op.__module__),
        signature=signature(op),
        aliases=op.aliases,
        operator=_operator(op),
        short=op.short,
        prose=prose(op.__doc__),
        attributes=tuple(Attribute(n, takes, _default(d)) for n, takes, d in parameters_of(op)),
        rules=_rules(op, good),
        dtypes=_dtypes(op, good),
        cost=_cost(op, good),
        differentiable=op.differentiable,
    )


def families() -> dict[str, list[type[Op]]]:
    """The ops by the title of their family, both in the order of the alphabet of titles and of definition."""
    found: dict[str, list[type[Op]]] = {}
    for name, op in OPS.items():
        if name == op.name:
            found.setdefault(title(op.__module__), []).append(op)
    return dict(sorted(found.items()))


def initialisers() -> list[tuple[str, str]]:
    """Each initialiser: its signature, and what it draws."""
    found = []
    for name, kind in INITIALISERS.items():
        given = [(f.name, "" if f.default is MISSING else f"={shown(f.default)}") for f in fields(kind)]
        signature = f"{name}({', '.join(n + d for n, d in given)})" if given else name
        found.append((signature, prose(kind.__doc__).headline))
    return found


def title(module: str) -> str:
    """What a family's file says it holds."""
    first = (sys.modules[module].__doc__ or module).strip().split("\n")[0]
    return first.split(":")[0].rstrip(".")


def signature(op: type[Op]) -> str:
    """As in a call: the operands, then the attributes with their defaults."""
    attributes = []
    for name, _, default in parameters_of(op):
        star = "*" if name == op.variadic else "**" if name == op.extra else ""
        attributes.append(star + name + ("" if star or default is MISSING else f"={shown(default)}"))
    return f"{op.name}({', '.join([*op.operands, *attributes])})"


def shown(value: Any) -> str:
    """A value as the language writes it; a list of equal numbers is one number."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        alone = len(set(map(repr, value))) == 1 and not isinstance(value[0], tuple | list)
        return shown(value[0]) if alone else f"[{', '.join(map(shown, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _default(default: Any) -> str | None:
    return None if default is MISSING else shown(default)


def _operator(op: type[Op]) -> str:
    if not op.operator:
        return ""
    return {"[]": "x[...]", "-x": "-x"}.get(op.operator, f"a {op.operator} b")


# -- applications -------------------------------------------------------------------------------------


def _rules(op: type[Op], good: list[Sample]) -> tuple[Application, ...]:
    """A few applications that differ in what they are told, or in how many axes two operands have."""
    found: dict[tuple[Any, ...], Rule] = {}
    for sample in good:
        ranks = tuple(len(shape_of(o)) for o in sample.operands)
        told = (tuple(sample.attributes), ranks if len(ranks) > 1 else ())
        if told not in found:
            found[told] = rule(op, sample)
    best = sorted(found.values(), key=lambda r: not r.named)
    return tuple(_application(r) for r in best[:RULES])


def _application(r: Rule) -> Application:
    return Application(
        call=_call(r.op, r.attributes),
        operands=_operands(r.op, r.operands),
        results=tuple(map(show, r.results)),
        where=tuple(map(str, r.facts)),
        holds=tuple(_holding(name, p) for name, p in r.params.items()),
    )


def _operands(op: Op, shapes: Any) -> tuple[str, ...]:
    names = op.operand_names(len(shapes))
    return tuple(f"{name} {show(shape)}" for name, shape in zip(names, shapes, strict=True))


def _call(op: Op, attributes: Mapping[str, Any]) -> str:
    """The call as a spec writes it, without its operands."""
    if op.operator == "[]":
        return f"[{', '.join(_item(item) for item in next(iter(attributes.values())))}]"
    parts: list[str] = []
    for i, (name, _, default) in enumerate(parameters_of(type(op))):
        if name not in attributes or shown(attributes[name]) == _default(default):
            continue
        if name == op.extra:
            parts += [f"{key}={shown(value)}" for key, value in attributes[name]]
        else:
            alone = i == 0 or default is MISSING
            parts.append(("" if alone else f"{name}=") + shown(attributes[name]))
    named = {name for name, _, _ in parameters_of(type(op))}
    parts += [f"{name}={shown(value)}" for name, value in attributes.items() if name not in named]
    return f"{op.name}({', '.join(parts)})" if parts else op.name


def _item(item: Any) -> str:
    """One index of x[...]."""
    if item is None:
        return ":"
    if not isinstance(item, tuple | list):
        return str(item)
    first, last, step = ("" if bound is None else str(bound) for bound in item)
    return f"{first}:{last}" + (f":{step}" if step else "")


def _holding(name: str, p: Parameter) -> Holding:
    return Holding(name, show(p.shape), start(p.init), p.trainable)


def start(init: Init) -> str:
    """How a parameter starts, in words."""
    words = {
        "zeros": "zeros",
        "ones": "ones",
        "constant": f"all {_number(init.a)}",
        "normal": f"normal, mean {_number(init.a)}, deviation {_number(init.b)}",
        "uniform": f"uniform from {_number(init.a)} to {_number(init.b)}",
        "fan_in": f"uniform within 1/sqrt({init.a})",
    }
    return words.get(init.kind, init.kind.replace("_", " "))


def _number(value: float | AnyDim) -> str:
    return str(value) if isinstance(value, Dim) else f"{value:g}"


# -- dtypes and cost ----------------------------------------------------------------------------------


def _dtypes(op: type[Op], good: list[Sample]) -> tuple[Typing, ...]:
    """Each combination of dtypes that a sample's operands may have, its floats in any dtype."""
    found: dict[tuple[str, ...], Typing] = {}
    for sample in good:
        given = tuple(o.dtype for o in sample.operands)
        for dtype in DTYPES:
            tried = tuple(dtype if d in FLOATS else d for d in given)
            results = _typed(op, sample, tried)
            if results:
                found.setdefault(tried, Typing(tried, results))
    longest = {tried: typing for tried, typing in found.items() if not _more_of_the_same(tried, found)}
    return tuple(longest.values())


def _more_of_the_same(tried: tuple[str, ...], found: Mapping[tuple[str, ...], Typing]) -> bool:
    """Whether fewer operands are told with the same dtypes in the same place."""
    return any(
        len(other) < len(tried) and tried[: len(other)] == other and len(set(tried)) == 1 for other in found
    )


def _typed(op: type[Op], sample: Sample, dtypes: tuple[str, ...]) -> tuple[str, ...]:
    """The dtypes of the outputs; none where the op refuses `dtypes`."""
    try:
        bound = bind(op, (), sample.attributes)
        made = bound.shape(*map(shape_of, sample.operands))
        return bound.dtypes(len(made) if isinstance(made, list) else 1, *dtypes)
    except (Mismatch, BadArgument):
        return ()


def _cost(op: type[Op], good: list[Sample]) -> Cost:
    """That of the sample whose operations were counted by hand."""
    sample = next((s for s in good if s.flops is not None), good[0])
    shapes = [shape_of(o) for o in sample.operands]
    bound = bind(op, (), sample.attributes)
    made: Any = bound.shape(*shapes)
    results = made if isinstance(made, list) else [made]
    held = bound.params(*shapes).values()
    return Cost(
        call=_call(bound, sample.attributes),
        operands=_operands(bound, shapes),
        results=tuple(map(show, results)),
        parameters=sum(_elements(p) for p in held if p.trainable),
        flops=bound.flops(made, *shapes),
        macs=bound.macs(made, *shapes),
    )


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _elements(p: Parameter) -> int:
    count: AnyDim = 1
    for n in p.shape:
        count = count * n
    assert isinstance(count, int)
    return count
