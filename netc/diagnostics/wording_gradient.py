"""Turns what goes wrong with gradients into diagnostics: the wording of E1001 to E1008."""

import re
from collections.abc import Sequence

from netc.diagnostics.diagnostic import Diagnostic
from netc.diagnostics.source import Span


def unproved(span: Span, place: str, op: str, why: str, free: Sequence[str]) -> Diagnostic:
    """free: the sizes of the operands that are; the one to fix is that which `why` speaks of."""
    named = [size for size in free if re.search(rf"\b{size}\b", why)]
    size = next(iter([*named, *free]), "N")
    return Diagnostic(
        "E1001",
        f"the gradient of `{place.removesuffix('.grad')}` cannot be told for every size: `{op}`: {why}",
        span,
        help=f"fix the sizes that are free, such as --set {size}=8",
    )


def no_objective(span: Span, net: str) -> Diagnostic:
    return Diagnostic(
        "E1002",
        f"`{net}` has neither a loss nor an output of floats, so there is nothing to take the gradient of",
        span,
        help="add a `loss` to the net",
    )


def too_large_for_jacobian(span: Span, net: str, elements: int, limit: int) -> Diagnostic:
    return Diagnostic(
        "E1003",
        f"the Jacobians of `{net}` have {elements:,} elements; --full compares at most {limit:,}",
        span,
        help="leave out --full, or make the net smaller with --set",
    )


def not_given(
    path: str, net: str, missing: Sequence[str], unknown: Sequence[str], known: Sequence[str]
) -> Diagnostic:
    parts = [f"needs a value for {', '.join(f'`{m}`' for m in missing)}"] if missing else []
    parts += [f"has no input or parameter {', '.join(f'`{u}`' for u in unknown)}"] if unknown else []
    shown = [*known[:12], *(["..."] if len(known) > 12 else [])]
    return Diagnostic(
        "E1004",
        f"{path}: `{net}` {' and '.join(parts)}",
        help=f"give values with --at name=value; it has {', '.join(shown)}",
    )


def bad_value(text: str, why: str = "") -> Diagnostic:
    return Diagnostic(
        "E1005",
        f"--at {text}: {why or 'this is not a name, = and a number or a list of numbers'}",
        help="such as --at 'x=-2,y=[[1, 2]],keep=[true, false]'",
    )


def nothing_to_train(span: Span, net: str) -> Diagnostic:
    return Diagnostic(
        "E1006",
        f"`{net}` has no loss that changes with a parameter, so there is no step of training to write",
        span,
        help="add a `target` and a `loss` to the net (what counts or rounds has no slope), or take another --target",
    )


def no_such_position(span: Span, op: str, why: str) -> Diagnostic:
    return Diagnostic(
        "E1007",
        f"`{op}` is given a position that is not there: {why}",
        span,
        help="whole numbers that choose, such as classes, count from 0",
    )


def name_taken(span: Span, net: str, names: Sequence[str]) -> Diagnostic:
    listed = ", ".join(f"`{name}`" for name in names)
    return Diagnostic(
        "E1008",
        f"the step of training of `{net}` has two things named {listed}: one of the spec and one of its own",
        span,
        help="rename what the spec has",
    )
