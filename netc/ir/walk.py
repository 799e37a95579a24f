"""Walks over the IR: what is needed for some values, and what uses a value."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from netc.ir.module import Step, Value, operands


def needed(body: Sequence[Step], values: Iterable[Value], known: Collection[Value] = ()) -> tuple[Step, ...]:
    """The steps of `body` without which `values` cannot be computed from `known` and the inputs, in order."""
    wanted = set(values) - set(known)
    kept: list[Step] = []
    for step in reversed(body):
        if any(output in wanted for output in step.outputs):
            kept.append(step)
            wanted.update(operands(step))
            if known:
                wanted.difference_update(known)
    return tuple(reversed(kept))
