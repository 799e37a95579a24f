"""Turns a net into what a gradient check looks at: a graph of one number, its sizes, and a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.objective import objective
from netc.autodiff.training import drawing, training
from netc.autodiff.trial import chosen_sizes, drawn_trial, random_weights
from netc.dims import substitute
from netc.ir.module import Net, Path, Value
from netc.passes.fix import fix
from netc.passes.initial import numbers, state
from netc.passes.locate import Located

Array: TypeAlias = npt.NDArray[Any]

BATCHES = (2, 8)  # what the batch's size may be
SIDES = (16, 32, 64, 128, 256)  # what other free sizes may be, about
STATISTIC = 8  # values that a mean and a variance of training are taken over, at least


@dataclass(frozen=True)
class Subject:
    """A graph without free sizes whose first output is the number, and a point at which to look.

    inputs, weights: in float64, of numbers that float32 has. masks, weighing: the inputs that the check adds,
    draws such as masks of dropout, and weights of outputs. buffers: the outputs that follow the number are what these become.
    """

    net: Net
    located: Located
    sizes: Mapping[str, int]
    inputs: Mapping[str, Array]
    weights: Mapping[str, Array]
    masks: tuple[Value, ...] = ()
    weighing: tuple[Value, ...] = ()
    buffers: tuple[Path, ...] = ()

    @property
    def fixed(self) -> tuple[Value, ...]:
        """The inputs that are not differentiated by."""
        return (*self.masks, *self.weighing)


def subject(
    net: Net, trains: bool = True, seed: int = 0, weighed: bool = False, beside: Sequence[Value] = ()
) -> Subject:
    """`net` in training (or in evaluation) at random weights and inputs, its free sizes as small as makes sense.

    weighed: the number is one of all outputs and losses, each element times a weight, as it is without a loss.
    beside: values of the net's body that the graph gives, too, behind those that the number is made of.
    """
    made = objective(net, weighed or not net.losses, beside)
    sizes = _sizes(net, made.located, trains)
    located = fix(made.located, sizes)
    mode = training(located, {}) if trains else drawing(located, {})
    rng = np.random.default_rng([seed, 2])
    inputs = dict(drawn_trial(net, made.located.flat, sizes, [seed, min(BATCHES)]).inputs)
    for mask in mode.masks:
        inputs[mask.value.hint] = mask.noise.drawn(rng, numbers(mask.value.type.shape))
    names = {w.hint for w in made.weights}
    weighing = tuple(v for v in located.flat.inputs if v.hint in names)
    for value in weighing:
        drawn = rng.standard_normal(numbers(value.type.shape))
        inputs[value.hint] = drawn.astype(value.type.dtype)  # so that either precision has the same numbers
    masks, weights = tuple(m.value for m in mode.masks), _wide(random_weights(state(net), seed))
    return Subject(net, mode.located, sizes, _wide(inputs), weights, masks, weighing, tuple(mode.buffers))


def _wide(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {k: a.astype(np.float64) if a.dtype.kind == "f" else a for k, a in arrays.items()}


def _sizes(net: Net, located: Located, trains: bool) -> dict[str, int]:
    """The smallest sizes at which each statistic of training is one of enough values."""
    for batch, side in product(BATCHES, SIDES):
        sizes = chosen_sizes(net, batch, side - batch + min(BATCHES))  # which adds it for a larger batch
        if not trains or all(n >= STATISTIC for n in _statistics(located, sizes)):
            return sizes
    return chosen_sizes(net, min(BATCHES), min(SIDES))


def trains_on_enough(net: Net) -> bool:
    """Whether, at the least batch, each statistic of training is one of enough values."""
    sizes = chosen_sizes(net, min(BATCHES))
    return all(n >= STATISTIC for n in _statistics(objective(net, not net.losses).located, sizes))


def _statistics(located: Located, sizes: Mapping[str, int]) -> list[int]:
    """Over how many values each layer that trains otherwise takes its statistics."""
    out = []
    for node in located.flat.nodes:
        buffers = [p for p in node.params if not p.trainable]
        if node.op.trains and buffers:
            elements = prod(numbers(tuple(substitute(d, sizes) for d in node.inputs[0].type.shape)))
            out.append(elements // prod(numbers(buffers[0].type.shape)))
    return out
