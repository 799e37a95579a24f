"""Wording of findings on compile-time values and shapes (E03, E04)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from netc.budget import WORK
from netc.diagnostics.diagnostic import Diagnostic, Note
from netc.diagnostics.habits import method_habit
from netc.diagnostics.source import Span
from netc.diagnostics.wording import bytes_in_words


def wrong_operands(span: Span, operator: str, left: str, right: str | None) -> Diagnostic:
    what = f"{left} and {right}" if right else left
    kinds = [side.split()[1] for side in (left, right or "") if side.startswith("a ")]
    help_ = "make the list a tensor: `tensor([...])`" if sorted(kinds) == ["list", "tensor"] else None
    return Diagnostic("E0301", f"`{operator}` does not work on {what}", span, help=help_)


def no_attribute(span: Span, name: str, what: str, functions: Sequence[str]) -> Diagnostic:
    help_ = method_habit(name, functions) if what.startswith("a tensor") else None
    return Diagnostic("E0301", f"{what} has no attribute `{name}`", span, help=help_)


def not_a_condition(span: Span, what: str) -> Diagnostic:
    hint = (
        "conditions are decided at compile time; choose between tensors with `where(condition, a, b)`"
        if "tensor" in what
        else "compare explicitly: `n > 0`"
    )
    return Diagnostic("E0302", f"a condition is true or false, but this is {what}", span, help=hint)


def depends_on_free(span: Span, what: str, names: Sequence[str]) -> Diagnostic:
    listed = ", ".join(f"`{n}`" for n in names)
    return Diagnostic(
        "E0303",
        f"{what} must be known at compile time, but it depends on {listed}, known only at run time",
        span,
        help="fix the size in the net's input, or with --set",
    )


def bad_index(span: Span, index: int, length: int) -> Diagnostic:
    return Diagnostic("E0304", f"index {index} is outside a list of {length}", span)


def cannot_index(span: Span, what: str, help_: str | None = None) -> Diagnostic:
    indexed = what.startswith(("a tensor", "a list", "a string"))
    help_ = "an index is a whole number, or a range `start:stop:step` of whole numbers" if indexed else help_
    return Diagnostic("E0305", f"{what} cannot be indexed like this", span, help=help_)


def no_step(span: Span) -> Diagnostic:
    return Diagnostic("E0305", "the step of a range cannot be 0", span)


def not_a_sequence(span: Span, what: str) -> Diagnostic:
    return Diagnostic(
        "E0306",
        f"a loop runs over a list, but this is {what}",
        span,
        help="write `for i in range(n) { ... }`",
    )


def wrong_count(
    span: Span, names: int, values: int, *notes: Note, unpacked: Sequence[str] = (), value: str = ""
) -> Diagnostic:
    """`unpacked`: names that would fit the `value`."""
    many = f"{names} names stand" if names != 1 else "1 name stands"
    help_ = f"write `{', '.join(unpacked)} = {value}`" if unpacked else None
    return Diagnostic("E0307", f"{many} here for {values} value{'s' * (values != 1)}", span, notes, help_)


def first_axis(text: str, type_: str, place: Span | None) -> Note:
    return Note(
        f"{text if text.isidentifier() else 'what is unpacked'} is {type_}; unpacking splits its first axis",
        place,
    )


def cannot_unpack(span: Span, what: str) -> Diagnostic:
    return Diagnostic("E0307", f"{what} cannot be unpacked into several names", span)


def arithmetic(span: Span, reason: str) -> Diagnostic:
    return Diagnostic("E0308", f"the number cannot be computed: {reason}", span)


def assertion_failed(span: Span, values: Sequence[tuple[str, str]]) -> Diagnostic:
    notes = tuple(Note(f"{text} is {value}") for text, value in values)
    return Diagnostic("E0309", f"the assertion does not hold: {span.text}", span, notes)


def assertion_open(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0310",
        f"the assertion cannot be decided for every {', '.join(names)}",
        span,
        help="assert a multiple (`H % 16 == 0`), a least size (`H >= 32`) or a largest (`H <= 512`), or fix the size",
    )


def too_much(span: Span, what: str, limit: int) -> Diagnostic:
    return Diagnostic("E0311", f"{what}: more than {limit:,}", span)


def too_much_work(span: Span | None) -> Diagnostic:
    return Diagnostic("E0311", f"checking this takes too much work: more than {WORK:,} steps", span)


def out_of_time(path: str, seconds: float) -> Diagnostic:
    return Diagnostic("E0314", f"checking {path} takes more than {seconds:.0f} seconds of processor time")


def too_deep(span: Span) -> Diagnostic:
    return Diagnostic("E0312", "this is nested too deeply", span, help="bind a part to a name")


def mismatch(
    span: Span,
    layer: str,
    message: str,
    said: Mapping[str, str],
    notes: tuple[Note, ...],
    help_: str | None = None,
) -> Diagnostic:
    """`said`: what to call the operands that `message` names."""
    names = "|".join(map(re.escape, sorted(said, key=len, reverse=True)))
    text = re.sub(rf"(?<![\w.*`])(?:{names})(?![\w.(*])", lambda m: said[m[0]], message) if names else message
    return Diagnostic("E0401", f"`{layer}`: {text}", span, notes, help_)


def input_rank(span: Span, block: str, name: str, declared: str, given: str, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0402",
        f"`{block}` takes {name}: {declared}, but gets {given}",
        span,
        (Note("declared here", place),),
    )


def input_size(
    span: Span, block: str, name: str, axis: int, declared: str, wanted: str, given: str, place: Span
) -> Diagnostic:
    what = f"`{declared}`, which is {wanted}" if declared != wanted else declared
    return Diagnostic(
        "E0403",
        f"`{block}`: axis {axis} of {name} must be {what}, but it is {given}",
        span,
        (Note("declared here", place),),
    )


def input_dtype(span: Span, block: str, name: str, wanted: str, given: str, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0404",
        f"`{block}` takes {name} in {wanted}, but it is {given}",
        span,
        (Note("declared here", place),),
    )


def unknown_parameter_size(
    span: Span, layer: str, shape: str, names: Sequence[str], notes: tuple[Note, ...]
) -> Diagnostic:
    listed = " and ".join(f"`{n}`" for n in names)
    verb = "is" if len(names) == 1 else "are"
    return Diagnostic(
        "E0405",
        f"{layer} needs weights of a known size, but {shape} depends on {listed}, "
        f"which {verb} known only at run time",
        span,
        notes,
        "fix the size in the net's input, or bring the map to one size first (`global_avg_pool`)",
    )


def empty_axis(span: Span, layer: str, shape: str, axis: int, notes: tuple[Note, ...]) -> Diagnostic:
    return Diagnostic(
        "E0406", f"{layer}: the result {shape} would have nothing along axis {axis}", span, notes
    )


def too_many_parameters(span: Span, net: str, count: int) -> Diagnostic:
    message = f"the parameters of `{net}` are {count:,} numbers ({bytes_in_words(4 * count)}); all must be below 2^40"
    return Diagnostic("E0407", message, span)


def tensor_too_large(span: Span, shape: str, notes: tuple[Note, ...] = ()) -> Diagnostic:
    return Diagnostic(
        "E0407",
        f"a tensor {shape} is too large: a dimension must be below 2^31 and a tensor below 2^40 elements",
        span,
        notes,
    )


def not_a_size(span: Span, what: str) -> Diagnostic:
    return Diagnostic(
        "E0408", f"a shape is made of sizes (whole numbers of at least 1), but this is {what}", span
    )


def number_for_tensor(span: Span, layer: str, name: str, what: str) -> Diagnostic:
    return Diagnostic("E0409", f"`{layer}` takes a tensor for `{name}`, not {what}", span)


def fraction_beside_integers(span: Span, layer: str, number: str, dtype: str) -> Diagnostic:
    return Diagnostic(
        "E0409",
        f"`{layer}`: {number} is a fraction, and cannot stand beside {dtype}",
        span,
        help="write a whole number; netc converts nothing unasked",
    )


def number_out_of_range(span: Span, layer: str, number: str, dtype: str) -> Diagnostic:
    return Diagnostic("E0409", f"`{layer}`: {number} lies outside of what {dtype} holds", span)


def not_a_tensor(span: Span, role: str, what: str) -> Diagnostic:
    return Diagnostic("E0410", f"`{role}` takes a tensor, not {what}", span)


def loss_not_scalar(span: Span, role: str, shape: str) -> Diagnostic:
    return Diagnostic(
        "E0411",
        f"a {role} is a single number, but this has shape {shape}",
        span,
        help="reduce it: `mean(...)`"
        if role == "loss"
        else "reduce it: `mean(...)`; only counts may have a shape, int64 and known",
    )


def losses_differ(span: Span, dtype: str, other: str) -> Diagnostic:
    return Diagnostic(
        "E0401",
        f"losses without a name add up, but this one is {dtype} and the one before is {other}",
        span,
        help="give each a name, `loss NAME: ...`, or convert one: `type_as(..., ...)`",
    )


def cannot_be_dynamic(names: Sequence[str], cause: Diagnostic) -> Diagnostic:
    """What pins an axis: the finding that freeing it brings about."""
    if cause.code == "E0413":
        return cause
    listed = " and ".join(names)
    return Diagnostic(
        "E0412",
        f"{listed} cannot be dynamic: {cause.message}",
        cause.span,
        cause.notes,
        f"with fixed sizes this line is right; leave out --dynamic, or {cause.help}" if cause.help else None,
    )


def no_such_axis(name: str, fitting: int, known: Sequence[str]) -> Diagnostic:
    """fitting: how many axes the name may mean. known: what can be named instead."""
    several = f"{fitting} axes of different sizes could be meant"
    more = ", ..." if len(known) > 16 else ""
    return Diagnostic(
        "E0413",
        f"--dynamic {name}: {several if fitting else 'the inputs have no such axis that is fixed'}",
        help=f"name {' or '.join(known) if len(known) < 3 else ', '.join(known[:16])}{more}"
        if known
        else None,
    )


def no_such_size(span: Span | None, fact: str, others: Sequence[tuple[str, Span | None]]) -> Diagnostic:
    """Facts of one size that exclude each other, each with the place that demands it."""
    first = others[0][0]
    return Diagnostic(
        "E0418",
        f"no size meets both `{fact}`, which is needed here, and `{first}`",
        span,
        tuple(Note(f"`{other}` is needed here", place) for other, place in others),
    )


def bad_init(span: Span, what: str) -> Diagnostic:
    number = what.removeprefix("the number ")
    return Diagnostic(
        "E0414",
        f"{what} is not an initialiser",
        span,
        help=f"write `constant({number})`"
        if number != what
        else "write zeros, ones, constant(v), normal(std=0.02), uniform(low, high), kaiming_normal() or another",
    )


def bad_init_kind(span: Span, what: str) -> Diagnostic:
    return Diagnostic(
        "E0417",
        f"`init` is for layers of one kind that own parameters, and {what} is none",
        span,
        help="write `init Conv2d: kaiming_normal()`, `init Conv2d.bias: zeros`, or `init bias: zeros` for all",
    )


def no_such_start(span: Span, layer: str, keyword: str, role: str) -> Diagnostic:
    message = f"this `{layer}` has no {role}, so `{keyword}` has nothing to start"
    return Diagnostic("E0417", message, span, help="leave it out")


def starts_nothing(span: Span, kind: str | None, role: str, above: Span | None) -> Diagnostic:
    """`kind`: of the layers that an `init` statement is for, None for all; `above`: one that stands too early."""
    wanted = f"`{kind}`" if kind else "bias" if role == "bias" else "weight of two axes or more"
    if kind and role == "bias":
        wanted = f"`{kind}` with a bias"
    notes = (Note("there is one above", above),) if above else ()
    help_ = "write it above the layers that it is for" if above else "leave it out"
    return Diagnostic("E0417", f"this starts nothing: there is no {wanted} below it", span, notes, help_)


def init_misfit(
    span: Span, name: str, parameter: str, shape: str, why: str, notes: tuple[Note, ...]
) -> Diagnostic:
    message = f"`{name}` cannot start `{parameter}`, which is {shape}: {why}"
    named = re.match(r"(bias_)?init\s*=\s*", span.text)  # of `init=value`, the value
    at = Span(span.source, span.start + named.end(), span.end) if named else span
    return Diagnostic("E0417", message, at, notes)


def dtype_needed(span: Span, name: str) -> Diagnostic:
    return Diagnostic("E0415", f"`{name}` needs a dtype", span, help=f"write `{name}: float32[...]`")


def float_param(span: Span, dtype: str) -> Diagnostic:
    message = f"a parameter is float32 or float64, not {dtype}"
    return Diagnostic("E0416", message, span, help="what is not trained is a `buffer`, of any dtype")
