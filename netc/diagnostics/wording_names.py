"""Wording of findings on names, instances and files (E02, E05, E06)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from netc.diagnostics.diagnostic import Diagnostic, Note
from netc.diagnostics.habits import DTYPES, NAMES, RECIPE
from netc.diagnostics.habits_names import family, name_meant
from netc.diagnostics.source import Span
from netc.diagnostics.wording import _meant


def unknown_name(span: Span, name: str, known: Collection[str]) -> Diagnostic:
    return Diagnostic("E0201", f"`{name}` is not defined", span, help=name_help(name, known))


def name_help(name: str, known: Collection[str]) -> str | None:
    """What to write instead of a name that is not among those `known`."""
    if help_ := NAMES.get(name):
        return help_
    if len(members := family(name, known)) > 1:
        *first, last = (f"`{member}`" for member in members)
        return f"did you mean {', '.join(first)} or {last}? The digit counts the spatial axes"
    near = name_meant(name, known)
    return f"did you mean `{near}`?" if near else None


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


def bad_result(span: Span, role: str, name: str) -> Diagnostic:
    """Of the name of a loss or a metric."""
    shown = name if len(name) <= 40 else name[:37] + "..."
    if role == "metric":
        help_ = "the name of a metric is made of letters, digits, spaces and `_.-/@%+`, at most 64"
    elif name == "loss":
        help_ = "leave the label out: the losses without a name sum to `loss`"
    else:
        help_ = "the name of a loss is made of letters, digits and `_`, at most 64, and begins with no digit"
    return Diagnostic("E0505", f"`{shown}` cannot name a {role}", span, help=help_)


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


def hides(code: str, span: Span, name: str, kind: str, what: str, bound: Span) -> Diagnostic:
    """`kind`: what `name` would be without the binding at `bound`."""
    message = f"`{name}` is {what} here, which hides the {kind} of that name"
    return Diagnostic(
        code,
        message,
        span,
        (Note("it is bound here", bound),),
        help=f"give the binding another name, such as `{name}_`",
    )


def helper_no_layer(span: Span, name: str, what: str) -> Diagnostic:
    message = f"a layer is wanted here, but the helper `{name}` gives {what}"
    return Diagnostic("E0506", message, span)


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


def unknown_spec(name: str, near: str | None) -> Diagnostic:
    help_ = f"did you mean `{near}`?" if near else "`netc specs` lists those that there are"
    return Diagnostic("E0616", f"no spec called `{name}` comes with netc", help=help_)


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
