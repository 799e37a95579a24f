"""Messages about tensors from numbers, and about buffers."""

from __future__ import annotations

from netc.diagnostics.diagnostic import Diagnostic, Note
from netc.diagnostics.source import Span
from netc.diagnostics.wording import nearest

SHOWN = 40  # characters of a list that a message repeats
DTYPES = ("float32", "float64", "int64", "int32", "bool")


def bad_call(span: Span) -> Diagnostic:
    message = "`tensor` takes one list of numbers, and a `dtype` where it is not to be inferred"
    return Diagnostic("E0313", message, span, help='write `tensor([1, 2, 3], dtype="float32")`')


def unknown_dtype(span: Span, name: str | None) -> Diagnostic:
    near = nearest(name, DTYPES) if name else None
    known = ", ".join(f'`"{dtype}"`' for dtype in DTYPES)
    help_ = f'did you mean `"{near}"`?' if near else f"write one of {known}"
    what = f'"{name}"' if name else "this"
    return Diagnostic("E0313", f"{what} is not a dtype", span, help=help_)


def not_a_list(span: Span, what: str) -> Diagnostic:
    number = what.startswith("the number")
    help_ = "beside a tensor a number stands as it is" if number else "write `tensor([1, 2, 3])`"
    return Diagnostic("E0313", f"`tensor` takes a list of numbers, not {what}", span, help=help_)


def ragged(span: Span, uneven: bool, axes: int) -> Diagnostic:
    if uneven:
        return Diagnostic(
            "E0313", "the lists of one axis of a tensor have the same length, these do not", span
        )
    return Diagnostic("E0313", f"a tensor from numbers has 1 to {axes} axes, none of them empty", span)


def not_a_number(span: Span, what: str, tensor: bool) -> Diagnostic:
    help_ = "join tensors with `stack` or `concat`" if tensor else None
    return Diagnostic("E0313", f"a tensor from numbers holds numbers, not {what}", span, help=help_)


def mixed(span: Span) -> Diagnostic:
    return Diagnostic("E0313", "true and false do not stand beside numbers in one tensor", span)


def other_dtype(span: Span, number: str, dtype: str) -> Diagnostic:
    return Diagnostic("E0313", f"{number} is not a number of {dtype}", span)


def too_large(span: Span, count: int, most: int) -> Diagnostic:
    message = (
        f"a tensor that is computed at compile time has at most {most:,} numbers; this one has {count:,}"
    )
    return Diagnostic("E0313", message, span)


def not_finite(span: Span, dtype: str) -> Diagnostic:
    return Diagnostic("E0313", f"this is known at compile time, and is not finite in {dtype}", span)


def no_such_position(span: Span, op: str, why: str) -> Diagnostic:
    return Diagnostic("E0313", f"`{op}` of what is known at compile time: {why}", span)


def list_as_tensor(text: str) -> str:
    """What to write instead of a list, which is no tensor."""
    shown = text if len(text) <= SHOWN and "\n" not in text else "[...]"
    return f"a list is not a tensor: write `tensor({shown})`"


def list_as_start(span: Span, name: str) -> Diagnostic:
    message = f"`{name}` starts as a tensor or by an initialiser, not as a list"
    return Diagnostic("E0414", message, span, help=list_as_tensor(span.text))


def start_of_other_type(span: Span, name: str, wanted: str, found: str, place: Span) -> Diagnostic:
    notes = (Note(f"`{name}` is declared here", place),)
    shape, other = wanted[wanted.index("[") :], found[found.index("[") :]
    help_ = f'give its dtype: `tensor([...], dtype="{wanted.partition("[")[0]}")`' if shape == other else None
    return Diagnostic("E0417", f"`{name}` is {wanted}, but its start is {found}", span, notes, help_)


def start_not_known(span: Span, name: str, found: str) -> Diagnostic:
    return Diagnostic(
        "E0414",
        f"`{name}` starts as what is known at compile time, and {found} is not",
        span,
        help="write an initialiser, or a tensor made from numbers: `tensor([...])`, and arithmetic on such tensors",
    )


def start_of_whole_numbers(span: Span, name: str, dtype: str, initialiser: str) -> Diagnostic:
    return Diagnostic(
        "E0417",
        f"`{initialiser}` cannot start `{name}`, which is {dtype}",
        span,
        help="write zeros, ones, constant(v) with a whole number, or a tensor of that dtype",
    )
