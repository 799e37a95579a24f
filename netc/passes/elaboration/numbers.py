"""Arithmetic and helpers on compile-time values: numbers, sizes, strings and lists."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from netc.budget import ITEMS, spend
from netc.diagnostics import Refused, Span, wording_shapes
from netc.dims import Dim, at_least, decide, names, prover, same, substitute, value
from netc.ir.module import Value
from netc.passes.elaboration.values import LAYERS, describe

LENGTH = 100_000  # values in a list, those of lists within it counted, too
DEPTH = 64  # of lists within lists
TEXT = 4096  # characters of a string
NUMBERS = (int, float, Dim)


def is_number(x: Any) -> bool:
    return isinstance(x, NUMBERS)


def concrete(x: Any, span: Span, what: str = "this number") -> Any:
    """A size as the number that the caller gives it; other values as they are."""
    if not isinstance(x, Dim):
        return x
    known = value(x)
    if known is None:
        raise Refused(wording_shapes.depends_on_free(span, what, sorted(free_names(x))))
    return _checked(known, span)


def free_names(x: Dim) -> set[str]:
    return names(substitute(x, prover().given)) or names(x)


def binary(operator: str, a: Any, b: Any, span: Span) -> Any:
    """a operator b on compile-time values."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple) and operator == "+":
        check_length(len(a) + len(b), span)
        return bounded([*a, *b], span)
    if operator == "*" and isinstance(a, list | tuple) and isinstance(b, int):
        check_length(len(a) * max(b, 0), span)
        return bounded(list(a) * b, span)
    if isinstance(a, str) and isinstance(b, str) and operator == "+":
        return joined((a, b), span)
    if not is_number(a) or not is_number(b) or operator == "@":
        raise Refused(wording_shapes.wrong_operands(span, operator, describe(a), describe(b)))
    try:
        return _checked(_compute(operator, a, b, span), span)
    except (ArithmeticError, ValueError, TypeError) as error:
        raise Refused(wording_shapes.arithmetic(span, _reason(error))) from None


def _compute(operator: str, a: Any, b: Any, span: Span) -> Any:
    if (isinstance(a, Dim) or isinstance(b, Dim)) and _needs_numbers(operator, a, b):
        a, b = concrete(a, span), concrete(b, span)
    if (
        operator == "**"
        and not isinstance(a, Dim)
        and isinstance(a, int)
        and abs(a) > 1
        and isinstance(b, int)
        and b > 64
    ):
        raise OverflowError("the power is too large")
    table: dict[str, Callable[[Any, Any], Any]] = {
        "+": lambda p, q: p + q,
        "-": lambda p, q: p - q,
        "*": lambda p, q: p * q,
        "/": lambda p, q: p / q,
        "//": lambda p, q: p // q,
        "%": lambda p, q: p % q,
        "**": lambda p, q: p**q,
    }
    if operator in ("//", "%") and not isinstance(b, Dim) and b == 0:
        raise ZeroDivisionError("division by zero")
    return table[operator](a, b)


def _needs_numbers(operator: str, a: Any, b: Any) -> bool:
    """Whether sizes must be known: for division, powers other than of a size by a number, and beside floats."""
    if operator == "**":
        return not isinstance(b, int) or isinstance(a, float)
    if operator in ("//", "%") and isinstance(a, int) and isinstance(b, Dim):
        return True
    return operator == "/" or isinstance(a, float) or isinstance(b, float)


def _reason(error: Exception) -> str:
    if isinstance(error, ZeroDivisionError) and "positive" not in str(error):
        return "division by zero"
    if isinstance(error, OverflowError):
        return "it is too large"
    return str(error)


def _checked(x: Any, span: Span) -> Any:
    if isinstance(x, complex) or (isinstance(x, float) and not math.isfinite(x)):
        raise Refused(wording_shapes.arithmetic(span, "the result is not a finite number"))
    if isinstance(x, int) and abs(x) >= 2**63:
        raise Refused(wording_shapes.arithmetic(span, "it is not below 2^63"))
    return x


def bounded(x: list[Any], span: Span) -> list[Any]:
    """`x`, refused where it holds too many values or lists too deep."""
    level: list[Any] = [x]
    total, depth = 0, 0
    while level:
        total, depth = total + sum(map(len, level)), depth + 1
        check_length(total, span)
        if depth > DEPTH:
            raise Refused(wording_shapes.too_much(span, "lists are nested too deeply", DEPTH))
        flat = all(NESTED.isdisjoint(set(map(type, part))) for part in level)
        level = [] if flat else [v for part in level for v in part if isinstance(v, list | tuple)]
    return x


NESTED = frozenset({list, tuple})


def check_length(length: int, span: Span) -> None:
    """Counts a list of `length` values, before it is made, and refuses one that is too long."""
    if length > LENGTH:
        raise Refused(wording_shapes.too_much(span, "the list is too long", LENGTH))
    spend(length // ITEMS)


def joined(parts: Sequence[str], span: Span) -> str:
    """The parts of a string as one, which is refused before it is made where it is too long."""
    length = sum(map(len, parts))
    if length > TEXT:
        raise Refused(wording_shapes.too_much(span, "the string has too many characters", TEXT))
    spend(length // ITEMS)
    return "".join(parts)


def compare(operator: str, a: Any, b: Any, span: Span, learn: bool) -> bool:
    """Whether a operator b. `learn`: an assertion, from which facts on free sizes may be learnt."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple) and operator in ("==", "!="):
        spend(len(a))
        equal = len(a) == len(b) and all(compare("==", p, q, span, learn) for p, q in zip(a, b, strict=True))
        return equal == (operator == "==")
    if isinstance(a, Dim) or isinstance(b, Dim):
        return _compare_sizes(operator, a, b, span, learn)
    if operator == "==":
        return bool(a == b)
    if operator == "!=":
        return bool(a != b)
    if not (is_number(a) and is_number(b)):
        raise Refused(wording_shapes.wrong_operands(span, operator, describe(a), describe(b)))
    return bool({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator])


def _compare_sizes(operator: str, a: Any, b: Any, span: Span, learn: bool) -> bool:
    if not (is_number(a) and is_number(b)):
        if operator in ("==", "!="):
            return operator == "!="
        raise Refused(wording_shapes.wrong_operands(span, operator, describe(a), describe(b)))
    if isinstance(a, float) or isinstance(b, float):
        return compare(operator, concrete(a, span), concrete(b, span), span, learn)
    question, dim, number, wanted = {
        "==": ("zero", a - b, 0, True),
        "!=": ("zero", a - b, 0, False),
        ">=": ("least", a - b, 0, True),
        ">": ("least", a - b, 1, True),
        "<": ("least", b - a, 1, True),
        "<=": ("least", b - a, 0, True),
    }[operator]
    if learn and wanted and (same(a, b) if question == "zero" else at_least(dim, number)):
        return True
    answer = decide(question, dim, number)
    if answer is None:
        open_sizes = sorted(free_names(dim))
        raise Refused(
            wording_shapes.assertion_open(span, open_sizes)
            if learn
            else wording_shapes.depends_on_free(span, "this condition", open_sizes)
        )
    return answer is wanted


def truth(x: Any, span: Span) -> bool:
    """A condition's value."""
    if not isinstance(x, bool):
        raise Refused(wording_shapes.not_a_condition(span, describe(x)))
    return x


def _numeric(function: Callable[[Any], Any]) -> Callable[[list[Any], Span], Any]:
    def run(arguments: list[Any], span: Span) -> Any:
        (x,) = arguments
        return _checked(function(concrete(x, span)), span)

    return run


def _extreme(pick: Callable[[list[Any]], Any]) -> Callable[[list[Any], Span], Any]:
    def run(arguments: list[Any], span: Span) -> Any:
        items = (
            list(arguments[0])
            if len(arguments) == 1 and isinstance(arguments[0], list | tuple)
            else arguments
        )
        spend(len(items))
        return pick([concrete(x, span) for x in items])

    return run


def _range(arguments: list[Any], span: Span) -> list[int]:
    bounds = [concrete(x, span) for x in arguments]
    if len(range(*bounds)) > LENGTH:
        raise Refused(wording_shapes.too_much(span, "the range is too long", LENGTH))
    spend(len(range(*bounds)) // 4)
    return list(range(*bounds))


def _int(arguments: list[Any], span: Span) -> Any:
    (x,) = arguments
    return x if isinstance(x, Dim) else _checked(int(x), span)


def _sum(arguments: list[Any], span: Span) -> Any:
    (items,) = arguments
    spend(len(items))
    total: Any = 0
    for item in items:
        total = binary("+", total, item, span)
    return total


def _shape(arguments: list[Any], span: Span) -> list[Any]:
    (x,) = arguments
    if not isinstance(x, Value):
        raise Refused(wording_shapes.not_a_tensor(span, "shape", describe(x)))
    return list(x.type.shape)


def _len(arguments: list[Any], span: Span) -> int:
    (x,) = arguments
    return len(x)


def _enumerate(arguments: list[Any], span: Span) -> list[Any]:
    items, *start = arguments
    spend(len(items))
    _checked(sum(start) + len(items), span)
    return [(i, x) for i, x in enumerate(items, *start)]


def _zip(arguments: list[Any], span: Span) -> list[Any]:
    spend(sum(map(len, arguments)))
    return [tuple(items) for items in zip(*arguments, strict=False)]


def _reversed(arguments: list[Any], span: Span) -> list[Any]:
    (items,) = arguments
    check_length(len(items), span)
    return list(reversed(items))


def _no_frame(arguments: list[Any], span: Span) -> Any:
    """`weights` and `tensor` are answered by the rule for calls, which knows the block that they stand in."""
    raise Refused(wording_shapes.wrong_operands(span, "this", "this", None))


HELPERS: dict[str, Callable[[list[Any], Span], Any]] = {
    "int": _int,
    "float": _numeric(float),
    "abs": _numeric(abs),
    "round": _numeric(round),
    "floor": _numeric(math.floor),
    "ceil": _numeric(math.ceil),
    "sqrt": _numeric(math.sqrt),
    "exp": _numeric(math.exp),
    "log": _numeric(math.log),
    "max": _extreme(max),
    "min": _extreme(min),
    "sum": _sum,
    "len": _len,
    "range": _range,
    "enumerate": _enumerate,
    "zip": _zip,
    "reversed": _reversed,
    "shape": _shape,
    "weights": _no_frame,
    "tensor": _no_frame,
}


def is_helper_call(name: str, positional: Sequence[Any], keywords: bool) -> bool:
    """Whether a call computes on numbers: a tensor, a layer's keyword or a lone axis makes it an op's."""
    if name not in HELPERS or keywords or not positional:
        return False
    if name == "shape":
        return True
    if name in ("max", "min", "sum") and len(positional) == 1:
        spend(len(positional[0]) // ITEMS if isinstance(positional[0], list | tuple) else 0)
        return isinstance(positional[0], list | tuple) and not any(
            isinstance(x, Value) for x in positional[0]
        )
    return not any(isinstance(x, Value) and name != "len" for x in positional) and not any(
        isinstance(x, LAYERS) for x in positional
    )


def help_with(name: str, arguments: list[Any], span: Span) -> Any:
    """What the helper `name` makes of `arguments`."""
    try:
        return HELPERS[name](arguments, span)
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        given = ", ".join(map(describe, arguments))
        raise Refused(wording_shapes.wrong_operands(span, name, given or "no arguments", None)) from None
