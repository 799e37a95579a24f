"""Evaluates expressions: to numbers, tensors (which adds nodes to the block) and layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from netc.diagnostics import Diagnostic, Refused, Span, wording_names, wording_shapes
from netc.dims import Dim
from netc.ir.module import Path, Value
from netc.ops.contract import OPERATORS, OPS, Op
from netc.passes.elaboration import numbers
from netc.passes.elaboration.apply import apply_layer, apply_op, read_parameter
from netc.passes.elaboration.calls import bind_op, bind_parameters, call_block, split_operands
from netc.passes.elaboration.frame import FOUND, NODES, WORK, Frame
from netc.passes.elaboration.naming import check_segment
from netc.passes.elaboration.values import (
    LAYERS,
    POISON,
    Alias,
    BlockLayer,
    Chain,
    Definition,
    Function,
    Instance,
    Labelled,
    OneBranch,
    OpLayer,
    Poisoned,
    Repeat,
    describe,
)
from netc.syntax import tree


CALL = 10  # the work of calling a helper, in that of evaluating an expression


def evaluate(frame: Frame, node: tree.Expression) -> Any:
    """The value of `node`. Raises Refused, or Poisoned where it depends on what was reported already."""
    session = frame.session
    session.work += 1
    if session.work > WORK:
        session.give_up(node.span)
    return RULES[type(node)](frame, node)


def each(frame: Frame, nodes: Iterable[tree.Expression]) -> list[Any]:
    """The values of `nodes`; what is wrong with any of them is reported together."""
    out: list[Any] = []
    found: list[Diagnostic] = []
    poisoned = False
    for node in nodes:
        if len(found) >= FOUND:
            break
        try:
            out.append(evaluate(frame, node))
        except Refused as refused:
            found += refused.diagnostics
        except Poisoned:
            poisoned = True
    if found:
        raise Refused(*found)
    if poisoned:
        raise Poisoned
    return out


# -- names and literals -------------------------------------------------------------------------------


def _name(frame: Frame, node: tree.Name) -> Any:
    return look_up(frame, node.text, node.span)


def look_up(frame: Frame, name: str, span: Span) -> Any:
    """What `name` stands for: in the block, its file, the standard library, the ops, the helpers."""
    if name in frame.env:
        found = frame.env[name]
        if found is POISON:
            raise Poisoned
        if isinstance(found, OneBranch):
            raise frame.refuse(wording_names.one_branch(span, name, found.span))
        return found
    if name in frame.definition.scope:
        return _global(frame, frame.definition.scope[name], span)
    if name in OPS:
        return OpLayer(OPS[name], None, span=span)
    if name in numbers.HELPERS:
        return name
    if name in frame.session.lost or "import" in frame.session.lost:
        raise Poisoned
    known = [*frame.env, *frame.definition.scope, *OPS, *numbers.HELPERS]
    raise frame.refuse(wording_names.unknown_name(span, name, known))


def _global(frame: Frame, found: Any, span: Span) -> Any:
    if isinstance(found, Definition):
        return BlockLayer(found, None, span)
    if isinstance(found, Alias):
        return preset(frame, found)
    if found is POISON:
        raise Poisoned
    return found


def preset(frame: Frame, alias: Alias) -> BlockLayer:
    """The net that a preset names, with its arguments."""
    outside = _inside(frame, alias.tree.name, alias.scope)
    made = evaluate(outside, alias.tree.value)
    if not isinstance(made, BlockLayer) or made.definition.tree.role != "net":
        raise frame.refuse(wording_names.preset_not_net(alias.tree.value.span, describe(made)))
    return made


def _text(frame: Frame, node: tree.Text) -> str:
    return numbers.bounded_text("".join(p if isinstance(p, str) else _shown(frame, p) for p in node.parts), node.span)


def _shown(frame: Frame, part: tree.Expression) -> str:
    found = numbers.concrete(evaluate(frame, part), part.span, "a number in a string")
    if not isinstance(found, int | float | str):
        raise frame.refuse(wording_shapes.wrong_operands(part.span, "{}", describe(found), None))
    return describe(found) if isinstance(found, bool) else str(found)


def _list(frame: Frame, node: tree.List) -> list[Any]:
    return numbers.bounded(each(frame, node.items), node.span)


def _tuple(frame: Frame, node: tree.Tuple) -> tuple[Any, ...]:
    return tuple(numbers.bounded(each(frame, node.items), node.span))


# -- operators ----------------------------------------------------------------------------------------


def _unary(frame: Frame, node: tree.Unary) -> Any:
    operand = evaluate(frame, node.operand)
    if node.operator == "not":
        return not numbers.truth(operand, node.operand.span)
    if isinstance(operand, Value):
        return apply_op(frame, OPERATORS["-x"](), (operand,), node.span) if node.operator == "-" else operand
    return numbers.binary("-", 0, operand, node.span) if node.operator == "-" else operand


def _binary(frame: Frame, node: tree.Binary) -> Any:
    """Operators; a long sum is a deep tree on the left, so the left side is walked, not recursed into."""
    spine = [node]
    while isinstance(spine[-1].left, tree.Binary):
        spine.append(spine[-1].left)
    rest = list(reversed(spine))
    left = _or_all(frame, lambda: evaluate(frame, spine[-1].left), rest)
    for i, part in enumerate(rest):
        left = _or_all(frame, lambda part=part, left=left: _operate(frame, part, left), rest, i + 1)  # type: ignore[misc]
    return left


def _or_all(frame: Frame, attempt: Callable[[], Any], rest: Sequence[tree.Expression], after: int = 0) -> Any:
    """What `attempt` gives; where it is refused, with what else is wrong in `rest[after:]`, which it would have led to."""
    try:
        return attempt()
    except (Refused, Poisoned) as error:
        others = [n.right if isinstance(n, tree.Binary) else n for n in rest[after:]
                  if not isinstance(n, tree.Binary) or n.operator not in ("and", "or")]
        try:
            each(frame, others)
        except Refused as refused:
            raise Refused(*(error.diagnostics if isinstance(error, Refused) else ()), *refused.diagnostics) from None
        except Poisoned:
            pass
        raise


def _operate(frame: Frame, node: tree.Binary, left: Any) -> Any:
    if node.operator in ("and", "or"):
        if numbers.truth(left, node.left.span) is (node.operator == "or"):
            return left
        return numbers.truth(evaluate(frame, node.right), node.right.span)
    right = evaluate(frame, node.right)
    if isinstance(left, LAYERS) or isinstance(right, LAYERS):
        return _repeat(frame, node, left, right)
    if isinstance(left, Value) or isinstance(right, Value):
        return operate(frame, node.operator, (left, right), node.span)
    made = numbers.binary(node.operator, left, right, node.span)
    if isinstance(made, list):
        frame.session.spend(numbers.work(node.operator, (made,)), node.span)
    return made


def operate(frame: Frame, operator: str, operands: tuple[Any, ...], span: Span) -> Any:
    """An operator on tensors, or on a tensor and a number."""
    if operator not in OPERATORS or not all(isinstance(x, Value) or numbers.is_number(x) for x in operands):
        left, right = map(describe, operands)
        raise frame.refuse(wording_shapes.wrong_operands(span, operator, left, right))
    return apply_op(frame, OPERATORS[operator](), operands, span)


def _repeat(frame: Frame, node: tree.Binary, layer: Any, count: Any) -> Any:
    if node.operator != "*" or not isinstance(layer, LAYERS) or not numbers.is_number(count) or isinstance(count, float):
        raise frame.refuse(wording_names.operator_on_layer(node.span, node.operator, describe(layer), describe(count)))
    if isinstance(layer, Instance):
        raise frame.refuse(wording_names.repeat_instance(node.span, ".".join(layer.path)))
    number = numbers.concrete(count, node.right.span, "the number of copies")
    if number < 0:
        raise frame.refuse(wording_names.operator_on_layer(node.span, "*", "a layer", f"the number {number}"))
    if isinstance(layer, OpLayer) and not isinstance(count, bool) and layer.kind.params is Op.params:
        raise frame.refuse(wording_names.repeat_function(node.span, layer.kind.name))
    return _unrolled(frame, Repeat(layer, int(number), node.span), node.span)


def _unrolled(frame: Frame, layer: Chain | Repeat, span: Span) -> Chain | Repeat:
    """`layer`, refused before anything is unrolled where that would be too much."""
    if layer.least > NODES:
        raise frame.refuse(wording_shapes.too_much(span, "too many copies of a layer", NODES))
    return layer


def _comparison(frame: Frame, node: tree.Comparison) -> Any:
    left = evaluate(frame, node.operands[0])
    result: Any = True
    for operator, operand in zip(node.operators, node.operands[1:], strict=True):
        right = evaluate(frame, operand)
        if isinstance(left, Value) or isinstance(right, Value):
            made = operate(frame, operator, (left, right), node.span)
            if len(node.operators) > 1:
                raise frame.refuse(wording_shapes.not_a_condition(node.span, describe(made)))
            return made
        result = result and numbers.compare(operator, left, right, node.span, frame.asserting)
        left = right
    return result


def _conditional(frame: Frame, node: tree.Conditional) -> Any:
    test = numbers.truth(evaluate(frame, node.test), node.test.span)
    return evaluate(frame, node.then if test else node.other)


# -- layers -------------------------------------------------------------------------------------------


def _labelled(frame: Frame, node: tree.Labelled) -> Any:
    path = label(frame, node.label)
    for segment in path:
        check_segment(segment, node.label.span)
    made = evaluate(frame, node.step)
    if not isinstance(made, LAYERS) or isinstance(made, Instance):
        what = f"the instance `{'.'.join(made.path)}`" if isinstance(made, Instance) else describe(made)
        raise frame.refuse(wording_names.label_on_value(node.step.span, what))
    return Labelled(path, made, node.span)


def label(frame: Frame, node: tree.Expression) -> Path:
    """The path that a label spells: features.0, blocks[i], "layer{i + 1}"."""
    if isinstance(node, tree.Name):
        return (node.text,)
    if isinstance(node, tree.Number) and isinstance(node.value, int):
        return (str(node.value),)
    if isinstance(node, tree.Attribute):
        return (*label(frame, node.base), node.name)
    if isinstance(node, tree.Index) and len(node.items) == 1 and not isinstance(node.items[0], tree.Slice | tree.Ellipsis):
        segment = numbers.concrete(evaluate(frame, node.items[0]), node.items[0].span, "a label")
        if isinstance(segment, int | str) and not isinstance(segment, bool):
            return (*label(frame, node.base), str(segment))
    if isinstance(node, tree.Text):
        return tuple(_text(frame, node).split("."))
    raise frame.refuse(wording_names.bad_label(node.span))


def _pipe(frame: Frame, node: tree.Pipe) -> Any:
    first, *rest = node.steps
    start = _or_all(frame, lambda: evaluate(frame, first), rest)
    if isinstance(start, LAYERS) or (isinstance(start, str) and start in OPS):
        return _unrolled(frame, Chain((start, *_layers(frame, rest)), node.span), node.span)
    inputs = start if isinstance(start, tuple) else (start,)
    if not all(isinstance(x, Value) for x in inputs):
        raise frame.refuse(wording_names.not_a_value(first.span, describe(start)))
    current: Any = start
    for i, step in enumerate(rest):
        inputs = current if isinstance(current, tuple) else (current,)
        current = _or_all(frame, lambda step=step, inputs=inputs: apply_layer(frame, _layer(frame, step), inputs, step.span),  # type: ignore[misc]
                          rest, i + 1)
    return current


def _layers(frame: Frame, nodes: Sequence[tree.Expression]) -> list[Any]:
    return [_is_layer(frame, node, made) for node, made in zip(nodes, each(frame, nodes), strict=True)]


def _layer(frame: Frame, node: tree.Expression) -> Any:
    return _is_layer(frame, node, evaluate(frame, node))


def _is_layer(frame: Frame, node: tree.Expression, made: Any) -> Any:
    if not isinstance(made, LAYERS):
        raise frame.refuse(wording_names.not_a_layer(node.span, describe(made), made if made in OPS else None))
    return made


def _call(frame: Frame, node: tree.Call) -> Any:
    function = evaluate(frame, node.function)
    positional, keywords = _arguments(frame, node)
    if isinstance(function, Instance) and _lacks_arguments(function.layer) and (
            keywords or not all(isinstance(x, Value) for x in positional)):
        function = function.layer
    name = node.function.text if isinstance(node.function, tree.Name) else ""
    if numbers.is_helper_call(name, positional, bool(keywords)) and (
            isinstance(function, str) or (isinstance(function, OpLayer) and function.op is None)):
        made = numbers.help_with(name, positional, node.span)
        frame.session.spend(numbers.work(name, (*positional, made)), node.span)
        return made
    if isinstance(function, Function):
        return _call_function(frame, function, positional, keywords, node)
    if isinstance(function, OpLayer):
        return _call_op(frame, function, positional, keywords, node)
    if isinstance(function, BlockLayer):
        return _call_block(frame, function, positional, keywords, node)
    if isinstance(function, LAYERS) and not keywords and positional and all(isinstance(x, Value) for x in positional):
        return apply_layer(frame, function, tuple(positional), node.span)
    if isinstance(function, LAYERS):
        raise frame.refuse(wording_names.already_called(node.span, node.function.span.text))
    raise frame.refuse(wording_names.not_callable(node.function.span, describe(function) if not isinstance(function, str) else f"`{function}`, so used,"))


def _lacks_arguments(layer: Any) -> bool:
    return (isinstance(layer, OpLayer) and layer.op is None) or (isinstance(layer, BlockLayer) and layer.arguments is None)


def _arguments(frame: Frame, node: tree.Call) -> tuple[list[Any], dict[str, Any]]:
    named = [a for a in node.arguments if a.name is not None]
    seen: set[str | None] = set()
    for argument in named:
        if argument.name in seen:
            raise frame.refuse(wording_names.duplicate_argument(argument.span, node.function.span.text, str(argument.name)))
        seen.add(argument.name)
    placed = [a.value for a in node.arguments if a.name is None]
    values = each(frame, [*placed, *(a.value for a in named)])
    return values[: len(placed)], {str(a.name): v for a, v in zip(named, values[len(placed) :], strict=True)}


def _call_op(frame: Frame, layer: OpLayer, positional: list[Any], keywords: dict[str, Any], node: tree.Call) -> Any:
    if layer.op is not None:
        if keywords or not positional or not all(isinstance(x, Value) for x in positional):
            raise frame.refuse(wording_names.already_called(node.span, layer.kind.name))
        return apply_layer(frame, layer, tuple(positional), node.span)
    operands, rest = split_operands(layer.kind, positional)
    made = bind_op(frame, layer.kind, rest, keywords, node, len(positional) - len(rest))
    if operands is None:
        return made
    if made.kind.operands[0].startswith("*") or len(operands) == len(made.kind.operands):
        return apply_layer(frame, made, tuple(operands), node.span)
    return OpLayer(made.kind, made.op, tuple(operands), made.places, node.span)


def _call_block(frame: Frame, layer: BlockLayer, positional: list[Any], keywords: dict[str, Any], node: tree.Call) -> Any:
    count = next((i for i, x in enumerate(positional) if not isinstance(x, Value)), len(positional))
    inputs, rest = tuple(positional[:count]), positional[count:]
    if layer.arguments is not None and _is_preset(frame, node.function):
        placed = {p.name.text for p in layer.definition.tree.parameters[: len(rest)]}
        keywords = {k: v for k, v in layer.arguments if k not in placed} | keywords
    elif layer.arguments is not None:
        if rest or keywords or not inputs:
            raise frame.refuse(wording_names.already_called(node.span, layer.definition.name))
        return apply_layer(frame, layer, inputs, node.span)
    made = call_block(frame, layer.definition, rest, keywords, node, count)
    return apply_layer(frame, made, inputs, node.span) if inputs else made


def _is_preset(frame: Frame, node: tree.Expression) -> bool:
    """Whether `node` names a preset, whose arguments a call may replace."""
    return isinstance(node, tree.Name) and node.text not in frame.env and isinstance(frame.definition.scope.get(node.text), Alias)


def _call_function(frame: Frame, function: Function, positional: list[Any], keywords: dict[str, Any], node: tree.Call) -> Any:
    name = function.tree.name.text
    if function in frame.helpers:
        raise frame.refuse(wording_names.recursion(node.span, [*(f.tree.name.text for f in frame.helpers), name]))
    frame.session.spend(CALL, node.span)
    inside = _inside(frame, function.tree.name, function.scope)
    inside.helpers = (*frame.helpers, function)
    inside.env = bind_parameters(inside, name, function.tree.parameters, positional, keywords, node)
    return evaluate(inside, function.tree.value)


def _inside(frame: Frame, name: tree.Name, scope: Mapping[str, Any]) -> Frame:
    """`frame` with the names of another place in view: for helpers and presets."""
    return replace(frame, env={}, definition=Definition(tree.Block(name.span, "block", name, (), None, ()), scope))


# -- parts --------------------------------------------------------------------------------------------


def _attribute(frame: Frame, node: tree.Attribute) -> Any:
    names: list[str] = [node.name]
    base = node.base
    while isinstance(base, tree.Attribute):
        names.insert(0, base.name)
        base = base.base
    found = evaluate(frame, base)
    if not isinstance(found, Instance):
        if isinstance(found, Value) and node.name == "shape":
            return list(found.type.shape)
        part = Span(node.span.source, node.base.span.end, node.span.end)
        raise frame.refuse(wording_shapes.no_attribute(part, node.name, describe(found), [*OPS, "shape"]))
    return read_parameter(frame, found, tuple(names), node.span)


def _index(frame: Frame, node: tree.Index) -> Any:
    base = evaluate(frame, node.base)
    if isinstance(base, Value):
        return _index_tensor(frame, base, node)
    if len(node.items) != 1 or isinstance(node.items[0], tree.Ellipsis) or not isinstance(base, list | tuple | str):
        raise frame.refuse(wording_shapes.cannot_index(node.span, describe(base)))
    item = node.items[0]
    if isinstance(item, tree.Slice):
        return base[slice(*(_bound(frame, b) for b in (item.start, item.stop, item.step)))]
    position = numbers.concrete(evaluate(frame, item), item.span, "an index")
    if not isinstance(position, int) or not -len(base) <= position < len(base):
        if not isinstance(position, int):
            raise frame.refuse(wording_shapes.cannot_index(item.span, describe(base)))
        raise frame.refuse(wording_shapes.bad_index(item.span, position, len(base)))
    found = base[position]
    if found is POISON:
        raise Poisoned
    return found


def _bound(frame: Frame, node: tree.Expression | None) -> int | None:
    if node is None:
        return None
    found = numbers.concrete(evaluate(frame, node), node.span, "a bound")
    if not isinstance(found, int) or isinstance(found, bool):
        raise frame.refuse(wording_shapes.cannot_index(node.span, "a list"))
    return found


def _index_tensor(frame: Frame, x: Value, node: tree.Index) -> Any:
    items: list[Any] = []
    rank = len(x.type.shape)
    for item in node.items:
        if isinstance(item, tree.Ellipsis):
            items += [None] * max(0, rank - len(node.items) + 1)
        elif isinstance(item, tree.Slice):
            bounds = tuple(None if b is None else evaluate(frame, b) for b in (item.start, item.stop, item.step))
            items.append(None if bounds == (None, None, None) else bounds)
        else:
            items.append(_position(frame, item, node))
    for item in items:
        for part in item if isinstance(item, tuple) else (item,):
            if part is not None and (isinstance(part, bool) or not isinstance(part, int | Dim)):
                raise frame.refuse(wording_shapes.cannot_index(node.span, "a tensor"))
    made = [item if item is None or isinstance(item, tuple) else numbers.concrete(item, node.span, "an index") for item in items]
    return apply_op(frame, OPERATORS["[]"](tuple(made)), (x,), node.span)


def _position(frame: Frame, item: tree.Expression, node: tree.Index) -> Any:
    """A position in an axis; none stands for no axis here."""
    found = evaluate(frame, item)
    if found is None:
        raise frame.refuse(wording_shapes.cannot_index(node.span, "a tensor"))
    return found


RULES: Mapping[type, Callable[[Frame, Any], Any]] = {
    tree.Name: _name,
    tree.Number: lambda frame, node: node.value,
    tree.Literal: lambda frame, node: node.value,
    tree.Text: _text,
    tree.List: _list,
    tree.Tuple: _tuple,
    tree.Group: lambda frame, node: evaluate(frame, node.inner),
    tree.Unary: _unary,
    tree.Binary: _binary,
    tree.Comparison: _comparison,
    tree.Conditional: _conditional,
    tree.Labelled: _labelled,
    tree.Pipe: _pipe,
    tree.Call: _call,
    tree.Attribute: _attribute,
    tree.Index: _index,
}
