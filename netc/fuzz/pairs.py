"""Ordered pairs of ops, the second on what the first makes: which a program has, which can be, which come next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from random import Random

from netc.fuzz.fit import Fit, fits, good_samples, shape_of
from netc.fuzz.generate import Pair, registry
from netc.ir.module import Type, Value
from netc.ops.contract import DTYPES, FLOATS, OPS, Op
from netc.passes.inline import Flat

AT_ONCE = 2  # pairs that a program is asked to have
TYPES = 48  # of what an op makes, that are looked at
TRIES = 12


def pairs_of(flat: Flat) -> Counter[Pair]:
    """The pairs that a graph has."""
    made: dict[Value, str] = {v: node.op.name for node in flat.nodes for v in node.outputs}
    return Counter((made[v], node.op.name) for node in flat.nodes for v in node.inputs if v in made)


@cache
def _order(seed: int) -> tuple[Pair, ...]:
    names = [op.name for op in registry()]
    every = [(a, b) for a in names for b in names]
    Random(seed).shuffle(every)
    return tuple(every)


def asked(seed: int, index: int) -> tuple[Pair, ...]:
    """The pairs that program `index` should have: each in its turn, so that none is rare for long."""
    order = _order(seed)
    return tuple(order[(AT_ONCE * index + k) % len(order)] for k in range(AT_ONCE))


# -- which can be -------------------------------------------------------------------------------------
@dataclass
class Chains:
    """An exhaustive search over the samples: what each op makes of what is at hand, and which op takes it."""

    made: dict[str, Mapping[Type, Fit]] = field(default_factory=dict)
    taken: dict[tuple[str, Type], bool] = field(default_factory=dict)

    def starts(self, pair: Pair) -> Iterator[Fit]:
        """Applications of the first op that make something which the second takes."""
        return (fit for type_, fit in self._types(pair[0]).items() if self._takes(pair[1], type_))

    def can(self, pair: Pair) -> bool:
        """Whether there is one."""
        return any(True for _ in self.starts(pair))

    def _types(self, name: str) -> Mapping[Type, Fit]:
        if name not in self.made:
            found = dict(_outputs(OPS[name]))
            ranked = sorted(found, key=lambda t: (len(t.shape), t.dtype, str(t)))
            step = max(1, len(ranked) // TYPES)
            self.made[name] = {type_: found[type_] for type_ in ranked[::step]}
        return self.made[name]

    def _takes(self, name: str, type_: Type) -> bool:
        key = (name, type_)
        if key not in self.taken:
            self.taken[key] = any(True for _ in _applications(OPS[name], type_, 1))
        return self.taken[key]


def _outputs(op_class: type[Op]) -> Iterator[tuple[Type, Fit]]:
    """Types that an op makes of sample operands of every op that it takes, each with how."""
    own = [Type(d.dtype, shape_of(d)) for s in good_samples(op_class) for d in s.operands[:1]]
    for type_ in dict.fromkeys((*own, *_catalogue())):
        for fit in islice(_applications(op_class, type_, 2), 3):
            yield from ((made, fit) for made in fit.outputs)


@cache
def _catalogue() -> tuple[Type, ...]:
    """A few shapes of each rank, of every dtype."""
    shapes = [
        (),
        (1,),
        (3,),
        (2, 3),
        (1, 4),
        (2, 3, 4),
        (2, 4, 1),
        (1, 4, 6, 6),
        (2, 3, 4, 5),
        (2, 3, 1, 4),
        (1, 2, 4, 4, 4),
        (2, 3, 1, 1, 4),
    ]
    return tuple(Type(dtype, shape) for shape in shapes for dtype in DTYPES)


def _applications(op_class: type[Op], type_: Type, tries: int) -> Iterator[Fit]:
    """Applications of an op to an operand of `type_`."""
    rng = Random(f"{op_class.name} {type_}")
    for sample in good_samples(op_class):
        for slot, draw in enumerate(sample.operands):
            if (draw.dtype in FLOATS) == (type_.dtype in FLOATS) or type_.dtype in op_class.accepts:
                yield from islice(fits(rng, op_class, sample, slot, type_, TRIES), tries)
