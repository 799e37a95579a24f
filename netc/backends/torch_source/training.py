"""Writes the form of a net that is trained: the class Training around it, and what both compute where it needs more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set

from netc.backends.torch_source.classes import Class, Classes
from netc.backends.torch_source.forward import Body, forward_body
from netc.backends.torch_source.layout import STEP, broken
from netc.backends.torch_source.literal import docstring, literal, variable
from netc.backends.torch_source.render import Writer, forward_method, method_head, tensors
from netc.backends.torch_source.variables import RESERVED
from netc.ir.module import Net, Value, training_values
from netc.ir.walk import needed
from netc.passes.elaboration.naming import TRAINING

INDENT = STEP * 2
RESULT = "tuple[dict[str, Tensor], dict[str, Tensor]]"


def methods_of(net: Net, guard: Sequence[str]) -> Callable[[Writer, Body], list[str]]:
    """What makes the lines of the net's methods from those of forward. `guard`: the lines that open it."""

    def methods(writer: Writer, body: Body) -> list[str]:
        shared = _shared(net)
        if len(shared) == len(net.block.outputs):
            return ["", *forward_method(writer, body)]
        return _with_trunk(writer, net, shared, guard)

    return methods


def training_class(classes: Classes, made: Class, net: Net, guard: Sequence[str]) -> list[str]:
    """The lines of the class whose forward gives the losses and the metrics; its parameters are the net's.

    guard: lines that refuse sizes which the outputs alone could do with.
    """
    writer = Writer(classes, made, root="self.net")
    said = f"{made.name} and its losses: what DistributedDataParallel and torch.compile wrap."
    return [
        f"class {TRAINING}(nn.Module):",
        *(STEP + docstring(said, STEP)).split("\n"),
        "",
        f"{STEP}def __init__(self, net: {made.name}) -> None:",
        f"{INDENT}super().__init__()",
        f"{INDENT}self.net = net",
        "",
        *_forward(writer, net, guard),
    ]


def _shared(net: Net) -> list[Value]:
    """The outputs, and what else the losses read of what the outputs need."""
    block, wanted = net.block, training_values(net)
    inside = {v for step in needed(block.body, block.outputs) for v in step.outputs}
    outside = needed(block.body, wanted, inside)
    read = dict.fromkeys(v for v in (*(v for s in outside for v in s.inputs), *wanted) if v in inside)
    return [*block.outputs, *(v for v in read if v not in block.outputs)]


def _trunk(writer: Writer) -> str:
    """The name of the method that gives what only the losses read, too."""
    return "_trunk_" if "_trunk" in writer.draft.children else "_trunk"


def _with_trunk(writer: Writer, net: Net, shared: Sequence[Value], guard: Sequence[str]) -> list[str]:
    """forward, on a method that also gives what only the losses read."""
    name, block = _trunk(writer), net.block
    body = forward_body(writer, block.body, shared, guard)
    count = len(block.outputs)
    names = [v.hint for v in shared[count:]]
    more = f", and {_listed(names)} for the losses" if all(names) else ", and what else the losses need"
    trunk = method_head(name, tensors(body.inputs), f"tuple[{', '.join(['Tensor'] * len(shared))}]")
    said = f"The output{'s' if count > 1 else ''}{more}."
    call = f"self.{name}({', '.join(body.inputs)})[{':' if count > 1 else ''}{count if count > 1 else 0}]"
    forward = forward_method(writer, Body(body.inputs, (f"{INDENT}return {call}",)))
    return ["", *forward, "", *trunk, f"{INDENT}{docstring(said, INDENT)}", *body.lines]


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return " and ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))


def _forward(writer: Writer, net: Net, guard: Sequence[str]) -> list[str]:
    """The lines of the forward of Training: a call of the net, and what the losses and the metrics add."""
    block, wanted, shared = net.block, training_values(net), _shared(net)
    inputs = (*block.inputs, *net.targets)
    inside = {v for step in needed(block.body, block.outputs) for v in step.outputs}
    read = {v for s in needed(block.body, wanted, inside) for v in s.inputs} | set(wanted)
    reserved = writer.classes.names | set(map(variable, block.sizes))
    known = _names([v for v in shared if v in read], inputs, reserved)
    results = f"{_mapping(writer, net.losses)}, {_mapping(writer, net.metrics)}"
    body = forward_body(writer, block.body, wanted, guard, inputs, known, results)
    head = method_head("forward", tensors(body.inputs), RESULT)
    said = docstring("The losses, whose sum is to be minimized, and the metrics, by name.", INDENT)
    return [*head, f"{INDENT}{said}", *_call(writer, net, shared, known, body.inputs), *body.lines]


def _call(
    writer: Writer, net: Net, shared: Sequence[Value], known: Mapping[Value, str], inputs: Sequence[str]
) -> list[str]:
    """The line that runs the net, where the losses read something of it."""
    if not any(v in known for v in shared):
        return []
    first = writer.root if len(shared) == len(net.block.outputs) else f"{writer.root}.{_trunk(writer)}"
    given = ", ".join(inputs[: len(net.block.inputs)])
    return broken(f"{', '.join(known.get(v, '_') for v in shared)} = {first}({given})", INDENT)


def _mapping(writer: Writer, values: Mapping[str, Value]) -> str:
    """A dict of values by name, over markers."""
    return f"{{{', '.join(f'{literal(name)}: {writer.mark(value)}' for name, value in values.items())}}}"


def _names(shared: Sequence[Value], inputs: Sequence[Value], reserved: Set[str]) -> Mapping[Value, str]:
    """A variable for each value that is no input; the input of a reserved name has a `_` behind it."""
    taken = RESERVED | reserved | {name for v in inputs for name in (v.hint, f"{v.hint}_")}
    out: dict[Value, str] = {}
    for value in shared:
        base = name = value.hint or "output"
        n = 2
        while name in taken:
            name, n = f"{base}_{n}", n + 1
        if value not in inputs and value not in out:
            taken |= {name}
            out[value] = name
    return out
