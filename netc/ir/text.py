"""Turns IR into text that a person can read: each block with its values, types and parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from math import prod

from netc.ir.module import LOSS, Block, Call, Constant, Net, Node, Param, Step, Value, blocks, is_number

SHOWN = 8  # numbers of a constant


def text(net: Net) -> str:
    """The blocks of `net`, callees first; each value is numbered, with the name that the spec has for it."""
    every = list(blocks(net.block))
    names = _names(every)
    parts = ["\n".join(_block(b, names, net if b is net.block else None)) for b in every]
    return "\n\n".join(parts) + "\n"


def graph_text(
    inputs: Sequence[Value],
    nodes: Sequence[Node],
    places: Sequence[str],
    outputs: Sequence[tuple[str, Value]],
) -> str:
    """A flat graph, with a heading wherever the place of the nodes changes; `outputs` with their names."""
    made = [*inputs, *(v for node in nodes for v in node.outputs)]
    values = {v: f"%{i}{'.' + v.hint if v.hint else ''}" for i, v in enumerate(made)}
    lines = [f"input {values[v]}: {v.type}" for v in inputs]
    before = None
    for node, place in zip(nodes, places, strict=True):
        lines += ["", f"# {place}"] if place != before else []
        before = place
        lines.append(_step(node, values, {}))
    lines += ["", *(f"output {name}: {v.type} = {_reference(v, values)}" for name, v in outputs)]
    return "\n".join(lines) + "\n"


def _names(every: list[Block]) -> Mapping[Block, str]:
    """A name for each block: variants of one are numbered."""
    out: dict[Block, str] = {}
    for block in every:
        count = sum(other.name == block.name for other in out)
        out[block] = block.name if not count else f"{block.name}'{count + 1}"
    return out


def _block(block: Block, names: Mapping[Block, str], net: Net | None) -> Iterator[str]:
    values = _numbered(block, net)
    given = ", ".join(f"{k}={_argument(v)}" for k, v in block.parameters.items())
    inputs = ", ".join(f"{values[v]}: {v.type}" for v in block.inputs)
    yield f"{'net' if net else 'block'} {names[block]}({given}) [{inputs}] {{"
    for constraint in net.constraints if net else ():
        yield f"  requires {constraint}{' for the loss' if constraint.training else ''}"
    for target in net.targets if net else ():
        yield f"  target {values[target]}: {target.type}"
    for param in block.params:
        if len(param.path) == 1:
            yield f"  {'param' if param.trainable else 'buffer'} {'.'.join(param.path)}: {param.type}"
    for step in block.body:
        yield "  " + _step(step, values, names)
    yield f"  output {', '.join(_reference(v, values) for v in block.outputs)}"
    for name, loss in net.losses.items() if net else ():
        yield f"  loss {f'{name}: ' if name != LOSS else ''}{_reference(loss, values)}"
    for name, metric in net.metrics.items() if net else ():
        yield f"  metric {name}: {_reference(metric, values)}"
    yield "}"


def _argument(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_argument, value))}]"
    return str(value) if isinstance(value, int | float | str | bool) or value is None else "layer"


def _numbered(block: Block, net: Net | None) -> dict[Value, str]:
    values = [*block.inputs, *(net.targets if net else ()), *(v for s in block.body for v in s.outputs)]
    return {v: f"%{i}{'.' + v.hint if v.hint else ''}" for i, v in enumerate(values)}


def _reference(value: Value, values: Mapping[Value, str]) -> str:
    if isinstance(value, Param):
        return "@" + ".".join(value.path)
    if isinstance(value, Constant):
        return _constant(value)
    return values[value]


def _constant(value: Constant) -> str:
    """A number as it is, and so is a tensor of few numbers; of others the type."""
    if is_number(value) and not value.type.shape:
        return str(value.number)
    shape = value.type.shape
    if prod(d for d in shape if isinstance(d, int)) > SHOWN:
        return f"constant {value.type}"
    return f"tensor({value.number.tolist()}: {value.type})"


def _step(step: Step, values: Mapping[Value, str], names: Mapping[Block, str]) -> str:
    outputs = ", ".join(values[v] for v in step.outputs)
    types = ", ".join(str(v.type) for v in step.outputs)
    read = (*step.inputs, *step.given) if isinstance(step, Node) else step.inputs
    inputs = ", ".join(_reference(v, values) for v in read)
    path = f" @{'.'.join(step.path)}" if step.path else ""
    if isinstance(step, Call):
        sizes = ", ".join(f"{k}={d}" for k, d in step.sizes.items() if "." not in k)
        return f"{outputs} = call {names[step.block]}{path}({inputs}) where {sizes} : {types}"
    return f"{outputs} = {step.op.name}{path}({inputs}){_attributes(step)}{_parameters(step)} : {types}"


def _attributes(node: Node) -> str:
    parts = [f"{f.name}={getattr(node.op, f.name)}" for f in fields(node.op)]
    return f" {{{', '.join(parts)}}}" if parts else ""


def _parameters(node: Node) -> str:
    parts = [f"{p.path[-1]}: {p.type}" for p in node.params]
    return f" with {', '.join(parts)}" if parts else ""
