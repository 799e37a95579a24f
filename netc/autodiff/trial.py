"""Turns a net into random weights, statistics, sizes and inputs on which its targets can be compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import ceil, prod
from typing import Any, TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt

from netc.dims import Dim, Fact, names, substitute
from netc.ir.module import Net, Param, Value
from netc.passes.initial import State, draw, numbers
from netc.passes.inline import Flat

Array: TypeAlias = npt.NDArray[Any]
SIDE = 32  # about what a size that is not the batch's is
BATCHES = (2, 3)


@dataclass(frozen=True)
class Trial:
    """One set of inputs and targets by name, and the free sizes that they have."""

    sizes: Mapping[str, int]
    inputs: Mapping[str, Array]


def trials(net: Net, flat: Flat, seed: int = 0) -> tuple[Trial, ...]:
    """One trial a batch size. flat: the graph of all that is compared; it tells what inputs are used for."""
    return tuple(drawn_trial(net, flat, chosen_sizes(net, batch), [seed, batch]) for batch in BATCHES)


def drawn_trial(net: Net, flat: Flat, sizes: Mapping[str, int], seed: Sequence[int]) -> Trial:
    """The trial at `sizes`."""
    generator = np.random.default_rng(seed)
    values = (*net.block.inputs, *net.targets)
    return Trial(sizes, {v.hint: _input(v, v in net.targets, flat, sizes, generator) for v in values})


def chosen_sizes(net: Net, batch: int, side: int = SIDE) -> dict[str, int]:
    """Each free size as small as is sensible, no two alike, and within the net's constraints.

    side: about what a size is that is not the batch's.
    """
    facts = net.training_facts
    first = _batch_name(net)
    sizes: dict[str, int] = {}
    for name in sorted(net.free, key=lambda n: (n != first, n)):
        fact = facts.get(name, Fact(name))
        count = batch if name == first else ceil(side / fact.multiple) + batch - BATCHES[0]
        sizes[name] = _admitted(fact, count * fact.multiple, set(sizes.values()))
    return sizes


def _admitted(fact: Fact, wanted: int, taken: Collection[int]) -> int:
    """A size that `fact` admits and that is none of `taken`, where there is one: from `wanted` up, else down."""
    step = fact.multiple
    first = max(-(-wanted // step) * step, fact.least)
    last = first + step * len(taken) if fact.maximum is None else fact.maximum // step * step
    choices = chain(range(first, last + 1, step), range(min(first - step, last), fact.least - 1, -step))
    return next((n for n in choices if n not in taken), min(first, last))


def _batch_name(net: Net) -> str | None:
    """The free size that the first axis of an input is."""
    for value in net.block.inputs:
        if value.type.shape and isinstance(value.type.shape[0], Dim):
            return min(names(value.type.shape[0]))
    return None


def _input(
    value: Value, target: bool, flat: Flat, sizes: Mapping[str, int], generator: np.random.Generator
) -> Array:
    shape = numbers(tuple(substitute(d, sizes) for d in value.type.shape))
    dtype = value.type.dtype
    if dtype == "bool":
        return generator.random(shape) < 0.5
    if dtype.startswith("int"):
        least = int(_divides(value, flat))
        return generator.integers(least, least + _classes(value, flat, sizes), shape, dtype=dtype)
    if target:  # what a probability may be, too
        return generator.random(shape).astype(dtype)
    return generator.standard_normal(shape).astype(dtype)


def _divides(value: Value, flat: Flat) -> bool:
    """Whether an op divides by `value`."""
    for node in flat.nodes:
        names = node.op.operand_names(len(node.inputs)) if node.op.divisors else ()
        if any(v is value and n in node.op.divisors for n, v in zip(names, node.inputs, strict=False)):
            return True
    return False


def _classes(value: Value, flat: Flat, sizes: Mapping[str, int]) -> int:
    """How many whole numbers from 0 may stand in `value`: what its op says, the classes that it picks from, or two."""
    rank = len(value.type.shape)
    found: list[int] = []
    for node in flat.nodes:
        if value not in node.inputs:
            continue
        limits = node.op.below(*(v.type.shape for v in node.inputs))
        said = [n for v, n in zip(node.inputs, limits, strict=True) if v is value and n is not None]
        if said:
            found += numbers(tuple(substitute(n, sizes) for n in said))
            continue
        scores = [v.type.shape for v in node.inputs if len(v.type.shape) == rank + 1]
        found += [d for shape in scores if isinstance(d := shape[min(1, rank)], int)]
        tables = [p.type.shape for p in node.params if len(p.type.shape) == 2]
        found += [d for shape in tables if isinstance(d := shape[0], int)]
    return min(found, default=2)


def random_weights(state: State, seed: int = 0) -> dict[str, Array]:
    """Weights by which activations neither vanish nor explode, with statistics that normalisation feels."""
    return {name: _random(name, param, seed) for name, param in state.items()}


def _random(name: str, param: Param, seed: int) -> Array:
    shape, dtype = numbers(param.type.shape), param.type.dtype
    generator = np.random.default_rng([seed, crc32(name.encode())])
    if not dtype.startswith("float"):
        return draw(name, param, seed)
    if param.start is not None:
        return np.asarray(param.start.number * generator.uniform(0.5, 1.5, shape), dtype)
    if param.init.kind in ("ones", "constant"):  # scales and variances
        return generator.uniform(0.5, 1.5, shape).astype(dtype)
    normal = generator.standard_normal(shape)
    if len(shape) < 2:  # biases and means
        return np.asarray(0.1 * normal, dtype)
    return np.asarray(normal / np.sqrt(_fan_in(shape)), dtype)


def _fan_in(shape: Sequence[int]) -> int:
    return max(1, prod(shape[1:]))
