"""Turns random choices into statements of a net's or a block's body: ops, shared layers, repeats, loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from math import prod
from random import Random
from typing import Any

import numpy as np

from netc.dims import AnyDim, Prover, proving, size, substitute
from netc.fuzz.draws import WHOLE, Rule, draw
from netc.fuzz.fit import Fit, applied, distinct, fits, good_samples, shape_of
from netc.fuzz.held import BATCH, Array, Held, computed, parameters, soundness, within
from netc.fuzz.spell import (
    INDEX,
    SIGN,
    Unspellable,
    arguments,
    dtype_argument,
    is_spellable,
    layer,
    literal,
    spelled,
)
from netc.ir.module import Type
from netc.ops.contract import FLOATS, Op, Sample
from netc.passes.initial import numbers

N = size("N")
TRIES = 4
NARROW = (Rule(0.3, 0.31), Rule(0.5, 0.5), Rule(0.5, 0.9))
KNOWN = 0.2  # of the operands that would be new inputs: these are known at compile time instead
LISTED = 24  # numbers of such a tensor
NUMBERS = (0.5, 2.0, -1.0, 0.0, 1.5, 3.0)


@dataclass(frozen=True)
class Call:
    """An application as it was made, so that a block can be run again on other values."""

    fit: Fit
    operands: tuple[Held, ...]
    params: tuple[Array, ...]
    outputs: tuple[Held, ...]


@dataclass(frozen=True)
class Shared:
    """A layer that a name stands for, with the application that made its weights."""

    name: str
    fit: Fit
    params: tuple[Array, ...]


@dataclass
class Draft:
    """A body being written. fresh: whether it may declare inputs; names: counts through the whole program.

    narrow: whether inputs are drawn so that what is computed is likely to stay between 0 and 1.
    """

    rng: Random
    ops: Sequence[type[Op]]
    fresh: bool = True
    names: Any = field(default_factory=count)
    held: list[Held] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    inputs: list[Held] = field(default_factory=list)
    rules: dict[str, Rule] = field(default_factory=dict)
    shared: list[Shared] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    narrow: bool = False

    def name(self, letter: str) -> str:
        return f"{letter}{next(self.names)}"

    # -- one op -----------------------------------------------------------------------------------
    def op(self, op_class: type[Op], start: Held | None = None, slot: int | None = None) -> list[Held] | None:
        """Applies an op, to `start` or to inputs of its own; what it made, or None where nothing fits."""
        sample = self.rng.choice(good_samples(op_class))
        if not sample.operands or (start is None and not self.fresh):
            return None
        place = self.rng.randrange(len(sample.operands)) if slot is None else slot % len(sample.operands)
        type_ = start.type if start else self._fresh_type(sample, place)
        if start and not within(op_class, place, sample.operands[place], start.array):
            return None
        for fit in islice(fits(self.rng, op_class, sample, place, type_, TRIES), 3):
            if (made := self._apply(fit, place, start)) is not None:
                return made
        return None

    def _apply(self, fit: Fit, place: int, start: Held | None) -> list[Held] | None:
        before = (len(self.inputs), len(self.held), len(self.lines))
        operands = self._operands(fit, place, start)
        made = self._made(fit, operands) if operands else None
        if made is None:
            self._forget(*before)
        return made

    def begin(self, fit: Fit) -> list[Held]:
        """An application of which every operand is a new input; nothing where it is not sound."""
        return self._apply(fit, 0, None) or []

    def _forget(self, inputs: int, held: int, lines: int) -> None:
        for dropped in self.inputs[inputs:]:
            self.rules.pop(dropped.name, None)
        del self.inputs[inputs:], self.held[held:], self.lines[lines:]

    def _operands(self, fit: Fit, place: int, start: Held | None) -> list[Held] | None:
        chosen: list[Held | None] = [None] * len(fit.operands)
        chosen[place] = start or self._input(fit, place)
        for i in range(len(fit.operands)):
            if i != place:
                chosen[i] = self._operand(fit, i)
        return [h for h in chosen if h is not None] if None not in chosen else None

    def _operand(self, fit: Fit, place: int) -> Held | None:
        """A value for another operand: a number, one at hand, or a new input."""
        type_, drawn, kind = fit.operands[place], fit.draws[place], type(fit.op)
        alike = sum(t.dtype == type_.dtype for t in fit.operands) > 1
        complete = alike and len(fit.operands) == len(kind.operands)
        if not type_.shape and type_.dtype in FLOATS and complete and self.rng.random() < 0.5:
            number = self.rng.choice(NUMBERS)
            return Held(literal(number), type_, np.asarray(number))
        found = [h for h in self.held if h.sound and h.type == type_ and within(kind, place, drawn, h.array)]
        if found and (not self.fresh or self.rng.random() < 0.7):
            return self.rng.choice(found)
        if self.rng.random() < KNOWN and (known := self._known(fit, place)) is not None:
            return known
        return self._input(fit, place) if self.fresh else None

    def _made(self, fit: Fit, operands: Sequence[Held]) -> list[Held] | None:
        params = parameters(fit)
        arrays = computed(fit, [h.array for h in operands], params)
        if arrays is None or any((soundness(a) is None) for a in arrays):
            return None
        sound = [bool(soundness(a)) for a in arrays]
        if not all(sound) and self.rng.random() < 0.7:
            return None
        names = [h.name for h in operands]
        try:
            shared = bool(params) and self.rng.random() < 0.3
            text = self._bound(fit, params, names) if shared else spelled(self.rng, fit.op, names)
        except Unspellable:
            return None
        self.used.update(names)
        made = self._bind(text, fit.outputs, arrays, sound, fit.op.cuts)
        self.calls.append(Call(fit, tuple(operands), tuple(params), tuple(made)))
        return made

    def _bound(self, fit: Fit, params: Sequence[Array], names: Sequence[str]) -> str:
        """A call of a layer that is given a name first."""
        text, name = layer(self.rng, fit.op), self.name("u")
        if "(" not in text:
            text += "()"
        self.lines.append(f"{name} = {text}")
        self.shared.append(Shared(name, fit, tuple(params)))
        return f"{name}({', '.join(names)})"

    def _bind(
        self, text: str, types: Sequence[Type], arrays: Sequence[Array], sound: Sequence[bool], cuts: bool
    ) -> list[Held]:
        """A statement that names what `text` makes."""
        made = [Held(self.name("v"), *parts) for parts in zip(types, arrays, sound, strict=True)]
        whole = f"({text})[0]" if cuts and len(made) == 1 else text
        self.lines.append(f"{', '.join(h.name for h in made)} = {whole}")
        self.held += made
        return made

    # -- inputs -----------------------------------------------------------------------------------
    def _fresh_type(self, sample: Sample, place: int) -> Type:
        """The type of a new input: the sample's, mostly with a free first axis, sometimes with an odd size."""
        draw = sample.operands[place]
        shape: list[AnyDim] = list(shape_of(draw))
        if shape and self.rng.random() < 0.3:
            axis = self.rng.randrange(len(shape))
            shape[axis] = self.rng.choice((1, 1, 2, 3, shape[axis] + 1, shape[axis] + 2))
        if shape and self.rng.random() < 0.75:
            shape[0] = N
        double = draw.dtype in FLOATS and self.rng.random() < 0.03
        return Type("float64" if double else draw.dtype, tuple(shape))

    def _input(self, fit: Fit, place: int) -> Held | None:
        """A new input; None where a spec cannot write its sizes."""
        type_ = fit.operands[place]
        if not all(map(is_spellable, type_.shape)):
            return None
        name = self.name("x")
        rule = self._rule(fit, place)
        if rule is not None:
            self.rules[name] = rule
        shape = numbers(tuple(substitute(n, {"N": BATCH}) for n in type_.shape))
        array = draw(name, type_.dtype, shape, rule, BATCH)
        held = Held(name, type_, array.astype(np.float64) if array.dtype.kind == "f" else array)
        self.inputs.append(held)
        self.held.append(held)
        return held

    def _known(self, fit: Fit, place: int) -> Held | None:
        """A tensor from numbers, or a buffer that starts as one; None where it would be long."""
        type_ = fit.operands[place]
        shape = [n for n in type_.shape if isinstance(n, int)]
        if len(shape) < len(type_.shape) or not 1 <= len(shape) <= prod(shape) <= LISTED:
            return None
        rule = self._rule(fit, place)
        name = self.name("t")
        array = draw(name, type_.dtype, shape, rule, BATCH)
        text = f"tensor({literal(array.tolist())}{dtype_argument(type_.dtype)})"
        # the numbers of a buffer of floats are drawn again, and may leave what the op takes
        if (rule is None or type_.dtype not in FLOATS) and self.rng.random() < 0.4:
            text = f"buffer {name}: {type_.dtype}[{', '.join(map(str, shape))}] = {text}"
        else:
            text = f"{name} = {text}"
        self.lines.append(text)
        self.held.append(Held(name, type_, array.astype(np.float64) if array.dtype.kind == "f" else array))
        return self.held[-1]

    def _rule(self, fit: Fit, place: int) -> Rule | None:
        type_, drawn = fit.operands[place], fit.draws[place]
        if type_.dtype == "bool":
            return None
        if type_.dtype not in FLOATS:
            with proving(Prover()):
                limit = fit.op.below(*(t.shape for t in fit.operands))[place]
            if limit is not None:
                last, apart = (limit if isinstance(limit, int) else BATCH) - 1, distinct(type(fit.op), place)
                return Rule(0, last if apart else min(8, last), apart=apart)
            last = min(100, int(drawn.high)) - 1 if drawn.kind == "integers" else 2
            return Rule(0, 0 if self.narrow else max(0, last))
        if drawn.kind == "uniform":
            low, high = sorted((round(drawn.low, 3), round(drawn.high, 3)))
            return Rule(low, high)
        if self.narrow:
            return self.rng.choice(NARROW)
        ways = (None, None, None, None, None, Rule(0.1, 0.9), Rule(0.5, 2.0), Rule(-0.9, -0.1), WHOLE)
        return self.rng.choice(ways)

    # -- more than one op -------------------------------------------------------------------------
    def again(self) -> list[Held] | None:
        """Applies a layer that has a name already to another value."""
        if not self.shared or not self.held:
            return None
        shared = self.rng.choice(self.shared)
        others = [h for h in self.held if h.sound and h.type.dtype == shared.fit.operands[0].dtype]
        if len(shared.fit.operands) != 1 or not others:
            return None
        start = self.rng.choice(others)
        given = {f: getattr(shared.fit.op, f) for f in arguments(shared.fit.op)}
        fit = applied(type(shared.fit.op), given, [start.type], shared.fit.draws)
        if fit is None or [p.shape for p in parameters(fit)] != [p.shape for p in shared.params]:
            return None
        arrays = computed(fit, [start.array], shared.params)
        if arrays is None or not all(soundness(a) for a in arrays):
            return None
        self.used.add(start.name)
        made = self._bind(
            f"{shared.name}({start.name})", fit.outputs, arrays, [True] * len(arrays), fit.op.cuts
        )
        self.calls.append(Call(fit, (start,), shared.params, tuple(made)))
        return made

    def repeat(self) -> list[Held] | None:
        """Chains copies of one or two layers that give back the type that they got, or loops over them."""
        start = self.pick()
        if start is None:
            return None
        chain = self._circle(start.type)
        times, array = self.rng.choice((2, 2, 3)), start.array
        for fit in chain * times:
            made = computed(fit, [array], parameters(fit))
            if made is None or not soundness(made[0]):
                return None
            array = made[0]
        if not chain or (len(chain) == 1 and not parameters(chain[0])):
            return None
        try:
            steps = " -> ".join(layer(self.rng, fit.op) for fit in chain)
        except Unspellable:
            return None
        self.used.add(start.name)
        return self._repeated(start, steps, times, len(chain) > 1, array)

    def _repeated(self, start: Held, steps: str, times: int, many: bool, array: Array) -> list[Held]:
        if self.rng.random() < 0.5:
            text = f"({steps})" if many else steps
            return self._bind(f"{start.name} -> {text} * {times}", [start.type], [array], [True], False)
        made = Held(self.name("v"), start.type, array)
        body = f"{made.name} = {made.name} -> {steps}"
        index = self.name("i")
        self.lines += [f"{made.name} = {start.name}", f"for {index} in range({times}) {{", f"    {body}", "}"]
        self.held.append(made)
        return [made]

    def _circle(self, type_: Type) -> list[Fit]:
        """One or two layers that lead from `type_` back to it."""
        chain: list[Fit] = []
        for _ in range(12):
            op_class = self.rng.choice(self.ops)
            samples = [s for s in good_samples(op_class) if len(s.operands) == 1]
            if not samples or op_class.operator in (INDEX, SIGN) or op_class.cuts:
                continue
            current = chain[-1].outputs[0] if chain else type_
            for fit in islice(fits(self.rng, op_class, self.rng.choice(samples), 0, current, 2), 2):
                back = fit.outputs == (type_,)
                if back or (not chain and len(fit.outputs) == 1):
                    chain.append(fit)
                    break
            if chain and chain[-1].outputs == (type_,) and (len(chain) == 2 or self.rng.random() < 0.5):
                return chain
            if len(chain) == 2:
                chain.pop()
        return chain if chain and chain[-1].outputs == (type_,) else []

    def pick(self) -> Held | None:
        """A value to go on from: of the latest, rather."""
        sound = [h for h in self.held if h.sound]
        if not sound:
            return None
        return self.rng.choice(sound[-3:]) if self.rng.random() < 0.7 else self.rng.choice(sound)

    def leaves(self) -> list[Held]:
        """What was made and is not used."""
        given = {h.name for h in self.inputs}
        return [h for h in self.held if h.name not in self.used and h.name not in given]
