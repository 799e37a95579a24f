"""Writes the methods of a net's class: forward, loss, and what the two share where the losses need more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set

from netc.backends.torch_source.forward import Body, forward_body
from netc.backends.torch_source.layout import STEP, broken
from netc.backends.torch_source.literal import docstring, literal, variable
from netc.backends.torch_source.render import Writer, forward_method, method_head, tensors
from netc.backends.torch_source.variables import RESERVED
from netc.ir.module import Net, Value
from netc.ir.walk import needed

INDENT = STEP * 2
RESULT = "tuple[Tensor, dict[str, Tensor]]"


def methods_of(net: Net, guard: Sequence[str], more: Sequence[str]) -> Callable[[Writer, Body], list[str]]:
    """What makes the lines of the methods from those of forward. `guard`: the lines that open it; `more`: the loss."""

    def methods(writer: Writer, body: Body) -> list[str]:
        if not net.losses:
            return ["", *forward_method(writer, body)]
        shared = _shared(net)
        if len(shared) == len(net.block.outputs):
            return ["", *forward_method(writer, body), "", *_loss(writer, net, shared, "self", more)]
        return _with_trunk(writer, net, shared, guard, more)

    return methods


def _shared(net: Net) -> list[Value]:
    """The outputs, and what else the losses read of what the outputs need."""
    block, wanted = net.block, (*net.losses, *(v for _, v in net.metrics))
    inside = {v for step in needed(block.body, block.outputs) for v in step.outputs}
    outside = needed(block.body, wanted, inside)
    read = dict.fromkeys(v for v in (*(v for s in outside for v in s.inputs), *wanted) if v in inside)
    return [*block.outputs, *(v for v in read if v not in block.outputs)]


def _with_trunk(
    writer: Writer, net: Net, shared: Sequence[Value], guard: Sequence[str], for_loss: Sequence[str]
) -> list[str]:
    """forward and loss, both on a method that also gives what only the losses read."""
    name = "_trunk_" if "_trunk" in writer.draft.children else "_trunk"
    block = net.block
    body = forward_body(writer, block.body, shared, guard)
    count = len(block.outputs)
    names = [v.hint for v in shared[count:]]
    more = f", and {_listed(names)} for the loss" if all(names) else ", and what else the loss needs"
    trunk = method_head(name, tensors(body.inputs), f"tuple[{', '.join(['Tensor'] * len(shared))}]")
    said = f"The output{'s' if count > 1 else ''}{more}."
    call = f"self.{name}({', '.join(body.inputs)})[{':' if count > 1 else ''}{count if count > 1 else 0}]"
    forward = forward_method(writer, Body(body.inputs, (f"{INDENT}return {call}",)))
    loss = _loss(writer, net, shared, f"self.{name}", for_loss)
    return ["", *forward, "", *trunk, f"{INDENT}{docstring(said, INDENT)}", *body.lines, "", *loss]


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return " and ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))


def _loss(writer: Writer, net: Net, shared: Sequence[Value], first: str, guard: Sequence[str]) -> list[str]:
    """The lines of loss. shared: what a call of `first` gives. guard: of what the outputs do not need."""
    block = net.block
    wanted = (*net.losses, *(v for _, v in net.metrics))
    inputs = (*block.inputs, *net.targets)
    inside = {v for step in needed(block.body, block.outputs) for v in step.outputs}
    read = {v for s in needed(block.body, wanted, inside) for v in s.inputs} | set(wanted)
    reserved = writer.classes.names | set(map(variable, block.sizes))
    known = _names([v for v in shared if v in read], inputs, reserved)
    metrics = ", ".join(f"{literal(name)}: {writer.mark(v)}" for name, v in net.metrics)
    body = forward_body(writer, block.body, wanted, guard, inputs, known, metrics, net.losses)
    said = (
        "The loss and the metrics by name."
        if len(net.losses) == 1
        else "The sum of the losses, and the metrics by name."
    )
    targets = ", ".join(known.get(v, "_") for v in shared)
    call = broken(f"{targets} = {first}({', '.join(body.inputs[: len(block.inputs)])})", INDENT)
    used = any(v in known for v in shared)
    head = method_head("loss", tensors(body.inputs), RESULT)
    return [*head, f"{INDENT}{docstring(said, INDENT)}", *(call if used else []), *body.lines]


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
