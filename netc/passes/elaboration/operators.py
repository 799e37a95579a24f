"""Rules for operators: on numbers, on tensors, and the repetition of layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netc.budget import spend
from netc.diagnostics import Span, wording_names, wording_shapes
from netc.ir.module import Value
from netc.ops.contract import OPERATORS, Op
from netc.passes.elaboration import numbers
from netc.passes.elaboration.apply import apply_op
from netc.passes.elaboration.calls import missing_argument
from netc.passes.elaboration.evaluate import evaluate, or_all, rule
from netc.passes.elaboration.frame import COPY, NODES, Frame
from netc.passes.elaboration.helpers import opened
from netc.passes.elaboration.values import (
    LAYERS,
    Chain,
    Instance,
    OpLayer,
    Repeat,
    describe,
    unfinished,
)
from netc.syntax import tree


@rule(tree.Unary)
def _unary(frame: Frame, node: tree.Unary) -> Any:
    if node.operator == "not":
        spend(COPY)
        plain = replace(frame, asserting=False)  # nothing is learnt from what is denied
        return not numbers.truth(evaluate(plain, node.operand), node.operand.span)
    operand = evaluate(frame, node.operand)
    if isinstance(operand, Value):
        return apply_op(frame, OPERATORS["-x"](), (operand,), node.span) if node.operator == "-" else operand
    return numbers.binary("-", 0, operand, node.span) if node.operator == "-" else operand


@rule(tree.Binary)
def _binary(frame: Frame, node: tree.Binary) -> Any:
    """Operators; a long sum is a deep tree on the left, so the left side is walked, not recursed into."""
    spine = [node]
    while isinstance(spine[-1].left, tree.Binary):
        spine.append(spine[-1].left)
    rest = list(reversed(spine))
    left = or_all(frame, lambda: evaluate(frame, spine[-1].left), rest)
    for i, part in enumerate(rest):
        left = or_all(frame, lambda part=part, left=left: _operate(frame, part, left), rest, i + 1)  # type: ignore[misc]
    return left


def _operate(frame: Frame, node: tree.Binary, left: Any) -> Any:
    if node.operator in ("and", "or"):
        if numbers.truth(left, node.left.span) is (node.operator == "or"):
            return left
        return numbers.truth(evaluate(frame, node.right), node.right.span)
    right = evaluate(frame, node.right)
    _check_finished(frame, node, left, right)
    if isinstance(left, LAYERS) or isinstance(right, LAYERS):
        return _repeat(frame, node, left, right)
    if isinstance(left, Value) or isinstance(right, Value):
        return operate(frame, node.operator, (left, right), node.span)
    return numbers.binary(node.operator, left, right, node.span)


def _check_finished(frame: Frame, node: tree.Binary, left: Any, right: Any) -> None:
    """Refuses a helper that lacks arguments where its value is asked for; as a layer it may be repeated."""
    sides = (right,) if node.operator == "*" and numbers.is_number(right) else (left, right)
    for side in sides:
        if call := unfinished(side):
            raise frame.refuse(missing_argument(call, call.span or node.span))


def operate(frame: Frame, operator: str, operands: tuple[Any, ...], span: Span) -> Any:
    """An operator on tensors, or on a tensor and a number."""
    if operator not in OPERATORS or not all(isinstance(x, Value) or numbers.is_number(x) for x in operands):
        left, right = map(describe, operands)
        raise frame.refuse(wording_shapes.wrong_operands(span, operator, left, right))
    return apply_op(frame, OPERATORS[operator](), operands, span)


def _repeat(frame: Frame, node: tree.Binary, layer: Any, count: Any) -> Any:
    if (
        node.operator != "*"
        or not isinstance(layer, LAYERS)
        or not numbers.is_number(count)
        or isinstance(count, float)
    ):
        raise frame.refuse(
            wording_names.operator_on_layer(node.span, node.operator, describe(layer), describe(count))
        )
    if isinstance(layer, Instance):
        raise frame.refuse(wording_names.repeat_instance(node.span, ".".join(layer.path)))
    layer = opened(frame, layer, node.left.span)
    number = numbers.concrete(count, node.right.span, "the number of copies")
    if number < 0:
        raise frame.refuse(wording_names.operator_on_layer(node.span, "*", "a layer", f"the number {number}"))
    if isinstance(layer, OpLayer) and not isinstance(count, bool) and layer.kind.params is Op.params:
        raise frame.refuse(wording_names.repeat_function(node.span, layer.kind.name))
    return unrolled(frame, Repeat(layer, int(number), node.span), node.span)


def unrolled(frame: Frame, layer: Chain | Repeat, span: Span) -> Chain | Repeat:
    """`layer`, refused before anything is unrolled where that would be too much."""
    if layer.least > NODES:
        raise frame.refuse(wording_shapes.too_much(span, "too many copies of a layer", NODES))
    return layer


@rule(tree.Comparison)
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


@rule(tree.Conditional)
def _conditional(frame: Frame, node: tree.Conditional) -> Any:
    test = numbers.truth(evaluate(frame, node.test), node.test.span)
    return evaluate(frame, node.then if test else node.other)
