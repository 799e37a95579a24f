"""Turns a gradient check's subject into the gradients of its number at its point, and how far rounding moves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy.typing as npt

from netc.autodiff.interpret import interpret
from netc.autodiff.reverse import reverse
from netc.autodiff.rounding import rounding
from netc.autodiff.subject import Subject
from netc.ir.module import Value
from netc.passes.locate import Located

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Gradients:
    """One array for each of `wrt`. located: the graph that gives them, behind `skipped` outputs."""

    located: Located
    skipped: int
    wrt: tuple[Value, ...]
    inputs: Mapping[str, Array]
    weights: Mapping[str, Array]

    @cached_property
    def values(self) -> tuple[Array, ...]:
        """All outputs of the graph; the first is the number."""
        return interpret(self.located.flat, self.inputs, self.weights)

    @property
    def arrays(self) -> tuple[Array, ...]:
        return self.values[self.skipped :]

    @cached_property
    def _rounding(self) -> tuple[Array, ...]:
        outputs = self.located.flat.outputs[self.skipped :]
        return rounding(replace(self.located.flat, outputs=outputs), self.inputs, self.weights)

    def rounding(self, value: Value) -> Array:
        """How far rounding may move each element of the gradient for `value`."""
        return self._rounding[self.wrt.index(value)]


def backward(subject: Subject, wrt: Sequence[Value]) -> Gradients:
    """The gradients by the graph that `reverse` makes."""
    outputs = subject.located.flat.outputs
    made = reverse(subject.located, outputs[:1], wrt, {})
    return Gradients(made, len(outputs), tuple(wrt), subject.inputs, subject.weights)
