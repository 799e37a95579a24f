"""Finds the variant of a block that fits a call, or elaborates a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netc.budget import ITEMS, spend
from netc.diagnostics import wording_calls, wording_names, wording_shapes
from netc.dims import AnyDim, Dim, Guard, Learn, Prover, proving, same, size, substitute
from netc.ir.module import Block, Type, Value
from netc.ops.contract import DTYPES
from netc.ops.index_range import Known
from netc.passes.elaboration.evaluate import evaluate
from netc.passes.elaboration.frame import Frame, Site, Variant
from netc.passes.elaboration.numbers import is_number
from netc.passes.elaboration.ranges import enter_ranges, hidden, in_caller, ranges_of, without_ranges
from netc.passes.elaboration.recursion import circle
from netc.passes.elaboration.results import chained, written_layer
from netc.passes.elaboration.sizes import check_rank
from netc.passes.elaboration.values import BlockLayer, Poisoned
from netc.syntax import tree

CALL = 40  # the work of calling a block that is there already


def instantiate(
    frame: Frame, layer: BlockLayer, inputs: Sequence[Value], site: Site
) -> tuple[Block, Mapping[str, AnyDim], Known]:
    """The block for `inputs`, its sizes in those of the calling block, and what is known of its outputs there."""
    from netc.passes.elaboration.statements import elaborate_body

    declared = declarations(layer.definition.tree, "input")
    if len(declared) != len(inputs):
        names = [d.name.text for d in declared]
        written = written_layer(frame, site.span, site.name, inputs)
        help_ = chained(frame, inputs, written) if len(inputs) > len(names) else None
        raise frame.refuse(
            wording_calls.wrong_input_count(
                site.span, site.name, names, len(names), len(inputs), written, help_
            )
        )
    if layer.definition in frame.session.stack and (path := circle(layer.definition)):
        raise frame.refuse(wording_names.recursion(site.span, path))
    arguments = _arguments(frame, layer, site)
    sizes = _match(frame, site, declared, inputs, arguments)
    known = ranges_of(frame, inputs)
    asked = {**sizes, **hidden(declared, known)}
    given = {name: substitute(dim, frame.prover.given) for name, dim in asked.items()}
    kinds = tuple(held and (held.ramp, held.each) for held in known)
    spend(CALL + len(frame.rules))
    key = (layer.definition, _hashable(arguments), tuple(v.type.dtype for v in inputs), frame.rules)
    variants = frame.session.variants.setdefault(key, [])
    for variant in variants:
        if variant.kinds == kinds and _fits(frame, variant.guards, given):
            _inherit(frame, variant.guards, asked)
            return variant.block, sizes, in_caller(variant.ranges, asked)
    inside = Frame(
        frame.session,
        layer.definition,
        dict(arguments),
        Prover(given, frame.prover.facts),
        (*frame.sites, site),
        False,
        rules=frame.rules,
    )
    _declare(inside, declared, inputs, sizes)
    enter_ranges(inside, known)
    before = len(frame.session.found)
    frame.session.stack.append(layer.definition)
    try:
        with proving(inside.prover):
            elaborate_body(inside, layer.definition.tree.body)
    finally:
        frame.session.stack.pop()
    if len(frame.session.found) > before or not inside.outputs:
        raise Poisoned
    guards = tuple(inside.prover.guards)
    alike = (v.block for v in variants if _fits(frame, without_ranges(v.guards), given))
    block = next(alike, None) or finish(inside, arguments, sizes)  # ranges are checked, and change no node
    made = Variant(block, guards, kinds, ranges_of(inside, inside.outputs))
    _inherit(frame, guards, asked)
    variants.append(made)
    return block, sizes, in_caller(made.ranges, asked)


def finish(frame: Frame, arguments: Mapping[str, Any], sizes: Mapping[str, AnyDim]) -> Block:
    """The block that `frame` has elaborated."""
    definition = frame.definition.tree
    owned = tuple(p for p in frame.params.values() if p.owned)
    return Block(
        frame.definition.name,
        definition.doc,
        dict(arguments),
        tuple(frame.inputs),
        tuple(frame.body),
        tuple(frame.outputs),
        owned,
        tuple(sizes),
        frame.nodes,
        definition.span,
        _literal_defaults(definition),
    )


def _literal_defaults(block: tree.Block) -> dict[str, Any]:
    return {
        p.name.text: p.default.value
        for p in block.parameters
        if isinstance(p.default, tree.Number | tree.Literal)
    }


def declarations(block: tree.Block, role: str) -> list[tree.Declaration]:
    """The inputs or the targets that a body declares."""
    spend(len(block.body) // ITEMS)
    return [d for s in block.body if isinstance(s, tree.Input) and s.role == role for d in s.declarations]


def _hashable(arguments: Mapping[str, Any]) -> Any:
    """A key for arguments: 1, 1.0 and true are three, although they are equal."""

    def frozen(x: Any) -> Any:
        spend(1)
        return tuple(map(frozen, x)) if isinstance(x, list | tuple) else (type(x), x)

    return tuple((k, frozen(v)) for k, v in sorted(arguments.items(), key=lambda item: item[0]))


def thawed(value: Any) -> Any:
    """An argument that was kept as a tuple, as the list that it was."""
    spend(1)
    return [thawed(v) for v in value] if isinstance(value, tuple) else value


def _arguments(frame: Frame, layer: BlockLayer, site: Site) -> dict[str, Any]:
    """The block's parameters with the defaults of what the call leaves out."""
    from dataclasses import replace

    from netc.passes.elaboration.calls import with_defaults

    outside = replace(frame, definition=layer.definition)
    given = {k: thawed(v) for k, v in layer.arguments or ()}
    parameters = layer.definition.tree.parameters
    bound = with_defaults(outside, site.name, parameters, given)
    return {p.name.text: bound[p.name.text] for p in parameters}


# -- sizes --------------------------------------------------------------------------------------------


def _match(
    frame: Frame,
    site: Site,
    declared: Sequence[tree.Declaration],
    inputs: Sequence[Value],
    arguments: Mapping[str, Any],
) -> dict[str, AnyDim]:
    """Each of the block's sizes in the caller's: those that the declarations name, and those they compute."""
    sizes: dict[str, AnyDim] = {}
    for declaration, value in zip(declared, inputs, strict=True):
        wanted = declaration.type.shape
        if len(wanted) != len(value.type.shape):
            text = f"[{', '.join(e.span.text for e in wanted)}]"
            raise frame.refuse(
                wording_shapes.input_rank(
                    site.span, site.name, declaration.name.text, text, str(value.type), declaration.span
                )
            )
        for axis, (expression, dim) in enumerate(zip(wanted, value.type.shape, strict=True)):
            if fresh(expression, arguments) and expression.text not in sizes:  # type: ignore[union-attr]
                sizes[expression.text] = dim  # type: ignore[union-attr]
            else:
                sizes[f"{declaration.name.text}.{axis}"] = dim
    return sizes


def fresh(expression: tree.Expression, known: Mapping[str, Any]) -> bool:
    """Whether `expression` is a name that stands for a new size."""
    return isinstance(expression, tree.Name) and expression.text[0].isupper() and expression.text not in known


def _declare(
    frame: Frame, declared: Sequence[tree.Declaration], inputs: Sequence[Value], sizes: Mapping[str, AnyDim]
) -> None:
    """Enters the inputs with their shapes in the block's own sizes; what the caller gives must fit."""
    for name in sizes:
        if "." not in name:
            frame.env[name] = size(name)
    site = frame.sites[-1]
    with proving(frame.prover):
        for declaration, given in zip(declared, inputs, strict=True):
            shape = tuple(
                _declared(frame, e, declaration, axis, sizes, site)
                for axis, e in enumerate(declaration.type.shape)
            )
            dtype = given.type.dtype
            if declaration.type.dtype is not None and check_dtype(frame, declaration.type.dtype) != dtype:
                wanted = declaration.type.dtype.text
                raise frame.refuse(
                    wording_shapes.input_dtype(
                        site.span, site.name, declaration.name.text, wanted, dtype, declaration.span
                    )
                )
            enter(frame, declaration, Type(dtype, shape), frame.inputs)


def _declared(
    frame: Frame,
    expression: tree.Expression,
    declaration: tree.Declaration,
    axis: int,
    sizes: Mapping[str, AnyDim],
    site: Site,
) -> AnyDim:
    dim = dimension(frame, expression)
    hidden = f"{declaration.name.text}.{axis}"
    if hidden in sizes:
        try:
            alike = same(size(hidden), dim)
        except Learn as fact:
            fact.span = fact.span or site.span
            raise
        if not alike:
            given = frame.prover.given
            raise frame.refuse(
                wording_shapes.input_size(
                    site.span,
                    site.name,
                    declaration.name.text,
                    axis,
                    expression.span.text,
                    str(substitute(dim, given)),
                    str(given[hidden]),
                    expression.span,
                )
            )
    return dim


def dimension(frame: Frame, expression: tree.Expression) -> AnyDim:
    """A size in a declared shape."""
    from netc.passes.elaboration.values import describe

    if (
        isinstance(expression, tree.Name)
        and expression.text not in frame.env
        and expression.text not in frame.definition.scope
    ):
        if expression.text in frame.session.lost:
            raise Poisoned
        raise frame.refuse(wording_names.unknown_size(expression.span, expression.text))
    found = evaluate(frame, expression)
    if not is_number(found) or isinstance(found, bool | float) or (isinstance(found, int) and found < 1):
        raise frame.refuse(wording_shapes.not_a_size(expression.span, describe(found)))
    return found  # type: ignore[no-any-return]


def check_dtype(frame: Frame, name: tree.Name) -> str:
    if name.text not in DTYPES:
        raise frame.refuse(wording_names.unknown_dtype(name.span, name.text, DTYPES))
    return name.text


def enter(frame: Frame, declaration: tree.Declaration, type_: Type, into: list[Value]) -> Value:
    """Binds an input, a target or a parameter."""
    name = declaration.name.text
    spend((len(frame.inputs) + len(frame.targets) + len(frame.definition.tree.parameters)) // ITEMS)
    if any(v.hint == name for v in (*frame.inputs, *frame.targets)):
        raise frame.refuse(wording_names.redefined(declaration.name.span, name, None, "an input here"))
    if other := next((p for p in frame.definition.tree.parameters if p.name.text == name), None):
        raise frame.refuse(
            wording_names.redefined(declaration.name.span, name, other.span, "a parameter here")
        )
    check_rank(frame, type_.shape, declaration.span)
    value = Value(name, type_)
    into.append(value)
    frame.env[name] = value
    frame.origins[value] = declaration.span
    return value


# -- guards -------------------------------------------------------------------------------------------


def _fits(frame: Frame, guards: Sequence[Guard], given: Mapping[str, AnyDim]) -> bool:
    """Whether a variant's questions have the same answers for a caller that gives `given`."""
    prover = Prover({}, frame.prover.facts)
    spend(len(guards) // ITEMS)
    return all(prover.ask(g.question, substitute(g.dim, given), g.number) == g.answer for g in guards)


def _inherit(frame: Frame, guards: Sequence[Guard], sizes: Mapping[str, AnyDim]) -> None:
    """What a block asked of its caller, the caller asks of its own."""
    for guard in guards:
        dim = substitute(guard.dim, sizes)
        if isinstance(dim, Dim):
            frame.prover.ask(guard.question, dim, guard.number)
