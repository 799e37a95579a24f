"""What a layer of several results calls them, and what to write where they are taken or joined wrongly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from netc.diagnostics import Span, wording_calls
from netc.ir.module import Call, Node, Step, Value
from netc.ops.contract import Op
from netc.passes.elaboration.frame import Frame
from netc.passes.elaboration.values import BlockLayer, Chain, HelperLayer, Layer, OpLayer, Repeat

WRITTEN = re.compile(r"(?:^|`)((?:\w+, )+\w+) = ")  # in the docstring of an op: `y, h, c = x -> LSTM(8)`
PLAIN = re.compile(r"\w+\([^()\n]*\)")


def unpacking(frame: Frame, found: Sequence[object], taken: Sequence[str]) -> list[str]:
    """Names for the results `found` of a step, those that the user has `taken` first; none for a list."""
    maker = _maker(frame, found)
    if maker is None:
        return []
    rest = [name for name in _names(maker, len(found))[len(taken) :] if name not in taken]
    names = [*taken, *rest][: len(found)]
    return names if len(names) == len(found) else []


def several(frame: Frame, found: Sequence[object], behind: str) -> str | None:
    """How the results `found` of a step are told apart, where `behind` stands behind them; None for a list."""
    maker = _maker(frame, found)
    if maker is None:
        return None
    kind, names = _kind(maker), _names(maker, len(found))
    before = f"{', '.join(names)} = ... -> {_as_written(maker.span, kind)}"
    return wording_calls.unpack_first(kind, len(names), before, f"{names[0]}{behind}")


def check_count(frame: Frame, op: Op, operands: Sequence[Any], span: Span) -> None:
    """Refuses inputs that are more or fewer than `op` takes."""
    variadic = op.operands[0].startswith("*")
    required = sum(not n.endswith("?") for n in op.operands)
    if not variadic and not required <= len(operands) <= len(op.operands):
        names = [n.rstrip("?") for n in op.operands]
        written = written_layer(frame, span, op.name, operands)
        help_ = chained(frame, operands, written) if len(operands) > len(names) else None
        raise frame.refuse(
            wording_calls.wrong_input_count(span, op.name, names, required, len(operands), written, help_)
        )


def check_led(frame: Frame, layer: Layer, inputs: Sequence[Value], span: Span) -> None:
    """Refuses to lead the several values of a step into optional inputs of an op: those are written out."""
    op = _first(layer)
    if op is None or op.operands[0].startswith("*"):
        return
    required = sum(not n.endswith("?") for n in op.operands)
    if required < len(inputs) <= len(op.operands):
        written = written_layer(frame, span, op.name, inputs)
        names = [n.rstrip("?") for n in op.operands[: len(inputs)]]
        help_ = chained(frame, inputs, written) or wording_calls.written_out(names, written)
        raise frame.refuse(
            wording_calls.led_into_optional(span, op.name, names[required:], len(inputs), help_)
        )


def _first(layer: Layer) -> type[Op] | None:
    """The op that gets what comes into `layer`; None where a block does."""
    while not isinstance(layer, OpLayer):
        if isinstance(layer, BlockLayer | HelperLayer) or (isinstance(layer, Repeat) and not layer.count):
            return None
        layer = layer.steps[0] if isinstance(layer, Chain) else layer.layer
    return layer.kind


def chained(frame: Frame, inputs: Sequence[Value], layer: str) -> str | None:
    """What to write instead of a chain that leads several results into `layer`, which takes fewer."""
    maker = _maker(frame, inputs)
    if maker is None or len(inputs) < 2:
        return None
    names = _names(maker, len(inputs))
    before = f"{', '.join(names)} = ... -> {_as_written(maker.span, _kind(maker))}"
    return wording_calls.unpack_first(_kind(maker), len(names), before, f"{names[0]} -> {layer}")


def written_layer(frame: Frame, span: Span, name: str, inputs: Sequence[object]) -> str:
    """The layer as the user wrote it, with its arguments where no input stands among them."""
    text = _as_written(span, name)
    named = {key for key, held in frame.env.items() if any(held is x for x in inputs)}
    return name if named & set(re.findall(r"\w+", text)) else text


def _as_written(span: Span, name: str) -> str:
    return span.text if PLAIN.fullmatch(span.text) and span.text.startswith(f"{name}(") else name


def _maker(frame: Frame, found: Sequence[object]) -> Step | None:
    """The step that has made all of `found`, and nothing else."""
    return next((s for s in reversed(frame.body) if list(s.outputs) == list(found)), None)


def _kind(step: Step) -> str:
    return step.block.name if isinstance(step, Call) else step.op.name


def _names(step: Step, count: int) -> list[str]:
    """As the op's docstring or the block's outputs call them, else letters."""
    if isinstance(step, Node):
        found = WRITTEN.search(step.op.__doc__ or "")
        names = found[1].split(", ") if found else []
    else:
        names = [v.hint for v in step.block.outputs]
    distinct = len(set(names)) == count and all(name.isidentifier() for name in names)
    return names if distinct else list("abcdefghijklmnopqrstuvwxyz"[:count])
