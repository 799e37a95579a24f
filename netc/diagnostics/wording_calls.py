"""Wording of findings on calls: their arguments and their inputs (E02, E05)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netc.diagnostics.diagnostic import Diagnostic, Note
from netc.diagnostics.habits import CHANNELS_INFERRED, TENSORS_FIRST, TRAILING_AXES, argument_habit
from netc.diagnostics.source import Span
from netc.diagnostics.wording import _meant


def unknown_argument(
    span: Span, layer: str, name: str, known: Sequence[str], inputs: Sequence[str] = ()
) -> Diagnostic:
    """`inputs`: the names of those that the layer takes, which have no keywords."""
    if name in inputs:
        given = f"({', '.join(inputs)}) -> {layer}(...)" if len(inputs) > 1 else f"{name} -> {layer}(...)"
        message = f"`{name}` is an input of `{layer}`, and inputs stand in their order, without names"
        return Diagnostic("E0203", message, _keyword(span, name), help=f"write `{given}`")
    takes = f"it takes {', '.join(f'`{k}`' for k in known)}" if known else "it takes no arguments"
    help_ = argument_habit(name, known) or _meant(name, known) or takes
    return Diagnostic("E0203", f"`{layer}` has no argument `{name}`", _keyword(span, name), help=help_)


def _keyword(span: Span, name: str) -> Span:
    """Of `name=value`, the name."""
    return Span(span.source, span.start, span.start + len(name)) if span.text.startswith(name) else span


def missing_argument(
    span: Span, layer: str, name: str, expected: str, made: Span | None = None, helper: bool = False
) -> Diagnostic:
    """`made`: where the layer has got the arguments that it has, if not at `span`. `helper`: whether it is one."""
    help_ = f"write `{name}=...`, {expected}" if expected else f"write `{name}=...`"
    if helper:
        help_ += "; a helper that computes with tensors is no layer: make it a `block`"
    notes = (Note("the layer is here", made),) if made and not _within(made, span) else ()
    return Diagnostic(
        "E0204",
        f"`{layer}` lacks its argument `{name}`",
        span,
        notes,
        help=help_,
    )


def _within(inner: Span, outer: Span) -> bool:
    return inner.source is outer.source and outer.start <= inner.start and inner.end <= outer.end


def wrong_argument(span: Span, layer: str, name: str, got: str, expected: str) -> Diagnostic:
    help_ = (
        TENSORS_FIRST.format(layer)
        if got.startswith("a tensor")
        else "leave out the size of what comes in: it is inferred"
        if name == "bias" and got.startswith("the number")
        else TRAILING_AXES.format("them")
        if (layer, name) == ("LayerNorm", "axes")
        else _meant(got.strip('"'), re.findall(r"\w+", expected.partition("one of ")[2]))
    )
    return Diagnostic("E0205", f"`{name}` of `{layer}` takes {expected}, not {got}", _value(span), help=help_)


def wrong_item(
    span: Span, layer: str, name: str, expected: str, place: str, got: str, wanted: str
) -> Diagnostic:
    """`place`: where in the list given, such as [1] or [0][2]; what is there should be `wanted`."""
    message = f"`{name}` of `{layer}` takes {expected}: {got}, its item {place}, is not {wanted}"
    return Diagnostic("E0205", message, _value(span))


def tensor_in_argument(span: Span, what: str) -> Diagnostic:
    holder = "a layer that holds a tensor" if what == "a layer" else what
    return Diagnostic(
        "E0205",
        f"an argument of a block cannot be {holder}",
        _value(span),
        help="make the tensor an input of the block",
    )


def _value(span: Span) -> Span:
    """Of `name=value`, the value."""
    named = re.match(r"[A-Za-z_]\w*\s*=(?!=)\s*", span.text)
    return Span(span.source, span.start + named.end(), span.end) if named else span


def too_many_arguments(
    span: Span, layer: str, expected: str, inputs: Sequence[str] = (), help_: str | None = None
) -> Diagnostic:
    """`inputs`: of a layer that takes tensors, too."""
    count = f"{len(inputs)} input{'s' * (len(inputs) != 1)} (`{'`, `'.join(inputs)}`)"
    takes = f"{count} and {expected}" if inputs else expected
    return Diagnostic("E0206", f"`{layer}` takes {takes}, and this is one too many", span, help=help_)


def duplicate_argument(span: Span, layer: str, name: str, before: Span | None = None) -> Diagnostic:
    """`before`: where an earlier call of the layer has given it."""
    notes = (Note("it is given here, too", before),) if before else ()
    message = f"`{name}` of `{layer}` is given twice"
    inferred = name == "kernel_size" and not before
    help_ = f"keep one of them; {CHANNELS_INFERRED}" if inferred else "keep one of them"
    return Diagnostic("E0207", message, _keyword(span, name), notes, help=help_)


def not_callable(span: Span, what: str) -> Diagnostic:
    return Diagnostic("E0208", f"{what} cannot be called", span)


def tensors_in_list(span: Span, layer: str, wanted: int, got: int) -> Diagnostic:
    takes = "one tensor" if wanted == 1 else f"{wanted} tensors, one by one"
    help_ = None
    if wanted == 1:
        help_ = (
            "join them first, such as with `concat(a, b, axis=1)`" if got > 1 else "leave the brackets out"
        )
    return Diagnostic("E0511", f"`{layer}` takes {takes}, not a list of {got}", _value(span), help=help_)


def wrong_input_count(
    span: Span,
    layer: str,
    inputs: Sequence[str],
    least: int,
    got: int,
    written: str,
    help_: str | None = None,
) -> Diagnostic:
    """`inputs`: their names, of which the first `least` must be given; `written`: the layer with its arguments."""
    takes = f"{least}" if least == len(inputs) else f"{least} to {len(inputs)}"
    plural = "input" if takes == "1" else "inputs"
    joined = f"pass them as `({', '.join(inputs[:least])}) -> {written}`" if 1 < least <= 8 else None
    return Diagnostic("E0511", f"`{layer}` takes {takes} {plural}, not {got}", span, help=help_ or joined)


def led_into_optional(span: Span, layer: str, inputs: Sequence[str], got: int, help_: str) -> Diagnostic:
    """`inputs`: the optional ones that the last of the `got` values would become."""
    named = " and ".join(f"`{name}`" for name in inputs)
    message = f"`{layer}` would take {got} values from the step before, of which the last become its {named}"
    return Diagnostic("E0511", message, span, help=help_)


def written_out(names: Sequence[str], layer: str) -> str:
    return f"if that is meant, write the values out: `({', '.join(names)}) -> {layer}`"


def unpack_first(layer: str, count: int, unpacked: str, then: str) -> str:
    return f"`{layer}` gives {count} values: write `{unpacked}`, and then `{then}`"


def already_called(span: Span, layer: str, what: str) -> Diagnostic:
    """`what`: that the layer is, which takes no arguments."""
    return Diagnostic(
        "E0512",
        f"`{layer}` is {what}, which takes tensors and no more arguments",
        span,
        help="give the arguments where the layer is written",
    )
