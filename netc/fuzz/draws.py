"""Turns what a program says of its inputs, in the docstring of its net, into arrays."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt

from netc.autodiff.trial import chosen_sizes
from netc.dims import substitute
from netc.ir.module import Net, Value
from netc.passes.initial import numbers

Array: TypeAlias = npt.NDArray[Any]
BATCHES = (2, 3)
HEAD = "Draws:"
NUMBER = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
RULE = re.compile(rf"(\w+) (?:in {NUMBER}\.\.{NUMBER}( apart)?|(whole))")


@dataclass(frozen=True)
class Drawn:
    """The inputs and targets of a program at some sizes."""

    sizes: Mapping[str, int]
    arrays: Mapping[str, Array]


@dataclass(frozen=True)
class Rule:
    """How an input is drawn: whole numbers from `low` to `high`, or floats between them.

    apart: none stands twice in a map, which is what the axes after the first two hold.
    """

    low: float
    high: float
    whole: bool = False
    apart: bool = False

    def spelled(self, name: str) -> str:
        if self.whole and (self.low, self.high) == (-2, 2):
            return f"{name} whole"
        return f"{name} in {self.low:g}..{self.high:g}{' apart' * self.apart}"


WHOLE = Rule(-2, 2, True)


def rules(doc: str | None) -> dict[str, Rule]:
    """What a docstring says of inputs, by name."""
    text = (doc or "").partition(HEAD)[2]
    return {m[1]: _rule(m) for m in RULE.finditer(text)}


def _rule(found: re.Match[str]) -> Rule:
    return WHOLE if found[5] else Rule(float(found[2]), float(found[3]), apart=bool(found[4]))


def describe(given: Mapping[str, Rule]) -> str:
    """The docstring that `rules` reads."""
    return f"{HEAD} {', '.join(rule.spelled(name) for name, rule in given.items())}."


def draw(name: str, dtype: str, shape: Sequence[int], rule: Rule | None, batch: int, seed: int = 0) -> Array:
    """The array of an input: the same for the same name, shape and seed, whatever else the program has."""
    rng = np.random.default_rng([crc32(name.encode()), batch, seed])
    if dtype == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    if dtype.startswith("int"):
        low, high = (int(rule.low), int(rule.high)) if rule else (0, 1)
        if rule and rule.apart and prod(shape[2:]) <= high + 1 - low:
            maps = [
                rng.permutation(np.arange(low, high + 1))[: prod(shape[2:])] for _ in range(prod(shape[:2]))
            ]
            return np.asarray(maps, dtype).reshape(shape)
        return np.asarray(rng.integers(low, high + 1, shape), dtype)
    if rule is None:
        drawn = rng.standard_normal(shape)
    elif rule.whole:
        drawn = rng.integers(int(rule.low), int(rule.high) + 1, shape).astype(float)
    else:
        drawn = rng.uniform(rule.low, rule.high, shape)
    return np.asarray(np.asarray(drawn, "float32"), dtype)


def inputs_of(net: Net, seed: int = 0) -> tuple[Drawn, ...]:
    """The inputs of `net` at two batch sizes."""
    given = rules(net.block.doc)
    out = []
    for batch in BATCHES:
        sizes = chosen_sizes(net, batch)
        values: tuple[Value, ...] = (*net.block.inputs, *net.targets)
        shapes = {v.hint: numbers(tuple(substitute(d, sizes) for d in v.type.shape)) for v in values}
        arrays = {
            v.hint: draw(v.hint, v.type.dtype, shapes[v.hint], given.get(v.hint), batch, seed) for v in values
        }
        out.append(Drawn(sizes, arrays))
    return tuple(out)
