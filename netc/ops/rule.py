"""Runs an op's own shape rule on named sizes, to show what it makes of its operands: x [N, C, H] -> [N, C, H - 2]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from netc.dims import AnyDim, Dim, Fact, Learn, Prover, Shape, proving, size, substitute
from netc.ops.attributes import BadArgument, bind
from netc.ops.contract import Draw, Mismatch, Op, Parameter, Sample

LETTERS = {1: "N", 2: "NC", 3: "NCL", 4: "NCHW", 5: "NCDHW"}
SPARE = "MKTPQRSUVXYZABEFGIJOLDHW"
ROUNDS = 20  # facts learnt at most, one after the other


@dataclass(frozen=True)
class Rule:
    """An op applied to shapes. facts: what the named sizes must meet.

    named: whether the sizes are names; else they are the numbers of a sample, which the rule asks for.
    """

    op: Op
    attributes: Mapping[str, Any]
    operands: tuple[Shape, ...]
    results: tuple[Shape, ...]
    params: Mapping[str, Parameter]
    facts: tuple[Fact, ...]
    named: bool


def rule(op_class: type[Op], sample: Sample) -> Rule:
    """What the op makes of a good sample's operands, their sizes named as far as its rule takes names."""
    shapes = [shape_of(draw) for draw in sample.operands]
    named = _named_attributes(op_class, sample.attributes)
    for attributes in [named, sample.attributes] if named != sample.attributes else [named]:
        for naming in _namings(shapes):
            made = _run(op_class, attributes, naming, shapes)
            if made is not None:
                return _split(made, op_class, shapes)
    made = _run(op_class, sample.attributes, shapes, shapes)
    if made is None:
        raise ValueError(f"{op_class.name} refuses a sample that counts as good: {sample}")
    return _name_some(made, op_class, shapes)


def shape_of(draw: Draw) -> tuple[int, ...]:
    """The shape of a sample's operand."""
    if draw.kind != "given":
        return draw.shape
    found: list[int] = []
    inner: Any = draw.values
    while isinstance(inner, tuple | list):
        found.append(len(inner))
        inner = inner[0] if inner else 0
    return tuple(found)


def _named_attributes(op_class: type[Op], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes with those that may be a size, and are one here, as a size of their own name."""
    hints = get_type_hints(op_class)

    def free(name: str, value: Any) -> bool:
        return type(value) is int and value > 1 and Dim in get_args(hints.get(name))

    return {name: size(name) if free(name, value) else value for name, value in attributes.items()}


def _namings(shapes: Sequence[tuple[int, ...]]) -> Iterator[list[Shape]]:
    """Names for the sizes, from the ones that say most to the ones that a rule is most likely to take.

    Sizes of the first operand have names of their own, then equal sizes share one; those of the others have
    the name of an equal size before them. Axes of 1 are named like others, or stay 1.
    """
    for ones in (True, False):
        for apart in (True, False):
            yield _naming(shapes, ones, apart)


def _naming(shapes: Sequence[tuple[int, ...]], ones: bool, apart: bool) -> list[Shape]:
    spare = iter(SPARE)
    used: set[str] = set()
    known: dict[int, Dim] = {}
    out: list[Shape] = []

    def fresh(letter: str | None) -> Dim:
        name = letter if letter and letter not in used else next(c for c in spare if c not in used)
        used.add(name)
        return size(name)

    for i, shape in enumerate(shapes):
        if shape in shapes[:i]:
            out.append(out[shapes.index(shape)])
            continue
        letters = LETTERS.get(len(shape), "") if i == 0 else ""
        named: list[AnyDim] = []
        for axis, n in enumerate(shape):
            own = apart and i == 0
            if n == 1 and not ones:
                named.append(1)
            elif n in known and not own:
                named.append(known[n])
            else:
                made = fresh(letters[axis] if letters else None)
                known.setdefault(n, made)
                named.append(made)
        out.append(tuple(named))
    return out


def _run(
    op_class: type[Op],
    attributes: Mapping[str, Any],
    operands: Sequence[Shape],
    shapes: Sequence[tuple[int, ...]],
) -> Rule | None:
    """The rule on `operands`, with what it learns of their sizes; None where it refuses them.

    shapes: the numbers that the sizes stand for, which must meet what is learnt.
    """
    facts: dict[str, Fact] = {}
    try:
        for _ in range(ROUNDS):
            try:
                with proving(Prover(facts=facts)):
                    return _applied(op_class, attributes, operands, facts)
            except Learn as learnt:
                fact = learnt.fact
            if fact.maximum is not None:
                return None  # so few sizes are better shown as numbers
            facts[fact.name] = facts.get(fact.name, fact).joined(fact)
            if fact.multiple > 1:
                whole = {fact.name: size(fact.name, fact.multiple)}
                operands = [tuple(substitute(n, whole) for n in shape) for shape in operands]
                attributes = {
                    k: substitute(v, whole) if isinstance(v, Dim) else v for k, v in attributes.items()
                }
    except (Mismatch, BadArgument, ArithmeticError, ValueError, TypeError):
        return None  # a rule that needs a number where it is given a name
    return None


def _applied(
    op_class: type[Op], attributes: Mapping[str, Any], operands: Sequence[Shape], facts: Mapping[str, Fact]
) -> Rule:
    op = bind(op_class, (), attributes)
    made = op.shape(*operands)
    results = tuple(made) if isinstance(made, list) else (made,)
    named = any(isinstance(n, Dim) for shape in operands for n in shape) or not any(operands)
    return Rule(op, attributes, tuple(operands), results, op.params(*operands), tuple(facts.values()), named)


def _name_some(made: Rule, op_class: type[Op], shapes: Sequence[tuple[int, ...]]) -> Rule:
    """The rule on numbers, with each size of the first operand named that need not be one.

    Where it is named, so are equal sizes of the other operands.
    """
    letters = LETTERS.get(len(shapes[0]), "") if shapes else ""
    for axis, letter in enumerate(letters):
        first = list(made.operands[0])
        first[axis] = size(letter)
        others = [tuple(size(letter) if n == shapes[0][axis] else n for n in o) for o in made.operands[1:]]
        for operands in ([tuple(first), *others], [tuple(first), *made.operands[1:]]):
            trial = _run(op_class, made.attributes, operands, shapes)
            if trial is not None and not trial.facts:
                made = trial
                break
    return made


def _split(made: Rule, op_class: type[Op], shapes: Sequence[tuple[int, ...]]) -> Rule:
    """The rule with each size of a later operand under a name of its own, where it need not be the same."""
    if len(made.operands) < 2 or made.facts:
        return made
    used = {str(n) for shape in made.operands for n in shape}
    spare = (c for c in SPARE if c not in used)
    for i in range(1, len(made.operands)):
        for axis, n in enumerate(made.operands[i]):
            if not isinstance(n, Dim) or not _seen_before(made.operands, i, axis):
                continue
            changed = [list(shape) for shape in made.operands]
            changed[i][axis] = size(next(spare))
            trial = _run(op_class, made.attributes, [tuple(s) for s in changed], shapes)
            made = trial if trial is not None and not trial.facts else made
    return made


def _seen_before(operands: Sequence[Shape], i: int, axis: int) -> bool:
    before = [n for shape in operands[:i] for n in shape] + list(operands[i][:axis])
    return operands[i][axis] in before
