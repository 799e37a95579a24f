"""Wording of findings on names, calls, instances and files (E02, E05, E06)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from netc.diagnostics.diagnostic import Diagnostic, Note
from netc.diagnostics.habits import DTYPES, NAMES, RECIPE, TRAILING_AXES, argument_habit
from netc.diagnostics.habits_names import name_meant
from netc.diagnostics.source import Span
from netc.diagnostics.wording import _meant


def unknown_name(span: Span, name: str, known: Collection[str]) -> Diagnostic:
    return Diagnostic("E0201", f"`{name}` is not defined", span, help=name_help(name, known))


def name_help(name: str, known: Collection[str]) -> str | None:
    """What to write instead of a name that is not among those `known`."""
    near = name_meant(name, known)
    return NAMES.get(name) or (f"did you mean `{near}`?" if near else None)


def path_not_name(span: Span, name: str, layer: Span) -> Diagnostic:
    """`name`: the path of a layer, which no name is bound to."""
    made = layer.text.partition(":")[2].strip() or layer.text
    return Diagnostic(
        "E0201",
        f"`{name}` is not defined: it is the label of a layer, not a name",
        span,
        (Note("the layer is here", layer),),
        f'bind the layer, `{name} = {made}`, and chain its name; or use `weights("{name}.weight")`',
    )


def unknown_size(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0202",
        f"the size `{name}` is not defined",
        span,
        help="a name that stands for a new size begins with a capital; one in lower case must exist already",
    )


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


def missing_argument(span: Span, layer: str, name: str, expected: str) -> Diagnostic:
    return Diagnostic(
        "E0204",
        f"`{layer}` lacks its argument `{name}`",
        span,
        help=f"write `{name}=...`, {expected}" if expected else f"write `{name}=...`",
    )


def wrong_argument(span: Span, layer: str, name: str, got: str, expected: str) -> Diagnostic:
    help_ = (
        "leave out the size of what comes in: it is inferred"
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


def duplicate_argument(span: Span, layer: str, name: str) -> Diagnostic:
    return Diagnostic(
        "E0207", f"`{name}` of `{layer}` is given twice", _keyword(span, name), help="keep one of them"
    )


def not_callable(span: Span, what: str) -> Diagnostic:
    return Diagnostic("E0208", f"{what} cannot be called", span)


def one_branch(span: Span, name: str, bound: Span) -> Diagnostic:
    where = (
        "in this loop, which does not run"
        if bound.text.startswith("for")
        else "in one branch of this `if` only"
    )
    return Diagnostic(
        "E0209",
        f"`{name}` is not bound on every way to here",
        span,
        (Note(f"`{name}` is bound {where}", bound),),
        help=f"bind `{name}` in every branch, or before",
    )


def redefined(span: Span, name: str, other: Span | None, what: str) -> Diagnostic:
    notes = (Note("the other is here", other),) if other else ()
    return Diagnostic("E0210", f"`{name}` is already {what}", span, notes, help="take another name")


def same_files(span: Span, name: str, other: str, file: str, place: Span) -> Diagnostic:
    message = f"`{name}` and `{other}` would both be compiled to {file}.py and {file}.onnx"
    return Diagnostic("E0210", message, span, (Note("the other is here", place),), help="take another name")


def recursion(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0211",
        f"`{names[-1]}` would contain itself: {' -> '.join(names)}",
        span,
        help="the language has no recursion; repeat a layer with `layer * n` or a `for` loop",
    )


def unknown_annotation(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0212",
        f"`{name}` is not the type of a parameter",
        span,
        help="write int, float, bool, str, layer, or list[...] of one of these",
    )


def unknown_dtype(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    help_ = (
        f"write `{DTYPES[name]}`"
        if name in DTYPES
        else _meant(name, known) or f"the dtypes are {', '.join(known)}"
    )
    return Diagnostic("E0213", f"`{name}` is not a dtype", span, help=help_)


def operator_on_layer(span: Span, operator: str, left: str, right: str) -> Diagnostic:
    if operator == "*":
        return Diagnostic("E0501", f"a layer is repeated by a whole number, not by {right}", span)
    return Diagnostic(
        "E0501",
        f"`{operator}` cannot join {left} and {right}",
        span,
        help=f"`->` binds looser than `{operator}`; to use its result, write `(x -> layer) {operator} y`",
    )


def repeat_function(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0502",
        f"`{name}` has no parameters, so repeating it is probably not meant",
        span,
        help=f"to multiply what it makes, write `(x -> {name}) * n`",
    )


def repeat_instance(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0501",
        f"`{name}` is one instance, which cannot be copied",
        span,
        help="write the layer itself for fresh copies, or chain the name to apply the same weights again",
    )


def name_taken(span: Span, name: str, other: Span) -> Diagnostic:
    if span == other:
        return Diagnostic(
            "E0503",
            f"this is repeated, and each time its name would be `{name}`",
            span,
            help='put what differs in the label: `"name{i}": Layer(...)`',
        )
    return Diagnostic(
        "E0503",
        f"two instances would be named `{name}`",
        span,
        (Note("the other is here", other),),
        help="label one of them: `-> other_name: Layer(...)`",
    )


def reserved_name(span: Span, name: str, what: str) -> Diagnostic:
    return Diagnostic(
        "E0504", f"`{name}` cannot name a layer or parameter: it is {what}", span, help="take another name"
    )


def reserved_class(span: Span, name: str, role: str, what: str) -> Diagnostic:
    message = f"`{name}` cannot name a {role}, which becomes a class: it is {what}"
    return Diagnostic("E0504", message, span, help="take another name")


def bad_metric(span: Span, name: str) -> Diagnostic:
    shown = name if len(name) <= 40 else name[:37] + "..."
    return Diagnostic(
        "E0505",
        f"`{shown}` cannot name a metric",
        span,
        help="the name of a metric is made of letters, digits, spaces and `_.-/@%+`, at most 64",
    )


def bad_segment(span: Span, name: str) -> Diagnostic:
    shown = name if len(name) <= 40 else name[:37] + "..."
    return Diagnostic(
        "E0505",
        f"`{shown}` cannot name a layer",
        span,
        help="a label is made of letters, digits, `_` and `-`, at most 64, with dots between its parts",
    )


def bad_label(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0505",
        "this is not a label",
        span,
        help="write a name (`stem:`), a dotted path (`features.0:`), an index (`blocks[i]:`) "
        'or a string (`"layer{i + 1}":`)',
    )


def not_a_layer(span: Span, what: str, op: str | None) -> Diagnostic:
    help_ = (
        f"write `{op}`, without quotes"
        if op
        else "the tensor stands before the layers: `x -> layer`"
        if "tensor" in what
        else None
    )
    return Diagnostic("E0506", f"`->` leads into a layer, but this is {what}", span, help=help_)


def not_a_value(span: Span, what: str) -> Diagnostic:
    return Diagnostic("E0506", f"`->` passes a tensor or begins a chain of layers, but this is {what}", span)


def label_on_value(span: Span, what: str) -> Diagnostic:
    help_ = "label the layer in the chain: `x -> name: layer`" if "tensor" in what else None
    return Diagnostic("E0507", f"a label names a layer, but this is {what}", span, help=help_)


def shared_differs(span: Span, name: str, detail: str, first: Span) -> Diagnostic:
    return Diagnostic(
        "E0508",
        f"`{name}` is shared, and {detail}",
        span,
        (Note("it was first applied here", first),),
        help="give each its own layer, or make the inputs alike",
    )


def unknown_parameter(span: Span, layer: str, name: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0509",
        f"`{layer}` has no parameter `{name}`",
        span,
        help=_meant(name, known) or (f"it has {', '.join(f'`{k}`' for k in known[:8])}" if known else None),
    )


def bad_patterns(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0205",
        "`weights` takes patterns, each a string",
        span,
        help='write `weights("*.weight")`; `*` stands for any text',
    )


def no_such_weights(span: Span, pattern: str, known: Sequence[str]) -> Diagnostic:
    some = (
        f"there are {', '.join(f'`{k}`' for k in known[:8])}" if known else "there are none before this line"
    )
    return Diagnostic("E0509", f'no parameter fits "{pattern}"', span, help=some)


def not_applied(span: Span, layer: str) -> Diagnostic:
    return Diagnostic(
        "E0510",
        f"the parameters of `{layer}` are not known before it is applied",
        span,
        help="apply the layer to a value first",
    )


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


def unpack_first(layer: str, count: int, unpacked: str, then: str) -> str:
    return f"`{layer}` gives {count} values: write `{unpacked}`, and then `{then}`"


def already_called(span: Span, layer: str) -> Diagnostic:
    return Diagnostic(
        "E0512",
        f"`{layer}` has its arguments already",
        span,
        help="pass it a tensor, or give all arguments in one call",
    )


def no_net(path: str) -> Diagnostic:
    return Diagnostic(
        "E0601",
        f"{path} defines no net",
        help="add `net Name { ... }`; `netc check` alone accepts a file of blocks",
    )


def which_net(path: str, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0602", f"{path} defines {len(names)} nets: {', '.join(names)}", help="choose one with --net NAME"
    )


def unknown_net(path: str, name: str, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0603", f"{path} has no net `{name}`", help=_meant(name, names) or f"it has {', '.join(names)}"
    )


def not_found(path: str, reason: str, span: Span | None = None) -> Diagnostic:
    return Diagnostic("E0604", f"cannot read {path}: {reason}", span)


def import_outside(span: Span, path: str) -> Diagnostic:
    return Diagnostic(
        "E0605",
        f"the import `{path}` leaves the project",
        span,
        help="import .net files by a path relative to this file, within the folder of the spec",
    )


def import_cycle(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic("E0606", f"the imports go in a circle: {' -> '.join(names)}", span)


def import_limit(span: Span | None, what: str) -> Diagnostic:
    return Diagnostic("E0607", f"a spec may import at most {what}", span)


def statement_in_block(span: Span, word: str) -> Diagnostic:
    return Diagnostic("E0608", f"`{word}` belongs in a net, not in a block", span)


def no_output(span: Span, name: str) -> Diagnostic:
    return Diagnostic("E0609", f"`{name}` has no output", span, help="end it with `output value`")


def no_input(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0610",
        f"the net `{name}` has no input",
        span,
        help="begin it with `input image: float32[N, 3, 32, 32]`",
    )


def second_train(span: Span, first: Span) -> Diagnostic:
    return Diagnostic("E0611", "a file may have one train block", span, (Note("the first is here", first),))


def input_not_first(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0612", "inputs and targets are declared at the top of a body, not within `if` or `for`", span
    )


def preset_not_net(span: Span, what: str) -> Diagnostic:
    return Diagnostic(
        "E0613",
        f"a preset is a net with its arguments, not {what}",
        span,
        help="write `net Small = Net(depth=2)`",
    )


def unknown_setting(name: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0614",
        f"--set {name}: there is no such parameter or size",
        help=f"the recipe's is `train.{name}`"
        if name in RECIPE
        else _meant(name, known)
        or (f"the net has {', '.join(known)}" if known else "the net has no parameters"),
    )


def bad_setting(text: str, reason: str) -> Diagnostic:
    return Diagnostic(
        "E0615",
        f"--set {text}: {reason}",
        help="write --set name=value, such as --set classes=100 or --set 'depths=[3,4,6,3]'",
    )
