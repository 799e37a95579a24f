"""Turns a gradient check's subject into what it is differentiated by."""

from __future__ import annotations

from collections.abc import Iterator

from netc.autodiff.subject import Subject
from netc.ir.module import Value
from netc.ops.contract import FLOATS


def differentiable(subject: Subject) -> Iterator[Value]:
    """The trainable parameters and the float inputs that the graph reads, but what the check itself adds."""
    flat = subject.located.flat
    read = {v for node in flat.nodes for v in node.operands}
    yield from (p for p in flat.params.values() if p.trainable and p in read)
    for value in flat.inputs:
        if value.type.dtype in FLOATS and value in read and value not in subject.fixed:
            yield value
