"""Turns what goes wrong with gradients into diagnostics: the wording of E1001 to E1009."""

from collections.abc import Sequence

from netc.diagnostics.diagnostic import Diagnostic
from netc.diagnostics.source import Span


def unproved(span: Span, place: str, op: str, why: str) -> Diagnostic:
    return Diagnostic(
        "E1001",
        f"the gradient of `{place}` cannot be told for every size: in it, `{op}` finds that {why}",
        span,
        help="fix the sizes that are free, such as --set N=8",
    )


def no_objective(path: str, net: str) -> Diagnostic:
    return Diagnostic(
        "E1002",
        f"{path}: `{net}` has no loss, so there is nothing to take the gradient of",
        help="add a `loss` to the net",
    )


def no_float(span: Span, op: str, place: str) -> Diagnostic:
    return Diagnostic("E1003", f"`{place}` has no gradient: `{op}` cannot be differentiated", span)


def not_given(path: str, net: str, missing: Sequence[str]) -> Diagnostic:
    names = ", ".join(missing)
    return Diagnostic(
        "E1004", f"{path}: `{net}` needs values for {names}", help="give them with --at name=value"
    )
