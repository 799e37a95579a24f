"""Turns a seed and the number of a program into the text of a random .net program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice
from random import Random
from typing import Any

from netc.diagnostics import Source
from netc.dims import AnyDim
from netc.fuzz.draft import Call, Draft, N
from netc.fuzz.draws import describe
from netc.fuzz.fit import Fit
from netc.fuzz.held import Array, Held, computed, soundness
from netc.fuzz.spell import Unspellable, dimension
from netc.ops.contract import OPS, Op
from netc.syntax.parse import parse
from netc.syntax.write import write

NET = "Fuzz"
MOST = 12  # ops
STARTS, TURNS = 8, 8  # how many applications of an op are tried, and how often
SETTING = re.compile(r"(\w+)=(\d+\.\d+|\d+|true|false)(?=[,)])")
Pair = tuple[str, str]


def registry() -> tuple[type[Op], ...]:
    """Every op, by name."""
    return tuple(sorted(set(OPS.values()), key=lambda op: op.name))


def generate(seed: int, index: int, pairs: Sequence[Pair] = ()) -> str:
    """Program number `index` of `seed`; it has the `pairs` of ops, one behind the other, as far as they fit."""
    rng = Random(f"{seed}/{index}")
    writer = _Writer(Draft(rng, registry()))
    goal = rng.randint(2, MOST)
    for first, second in pairs:
        writer.chain(OPS[first], OPS[second])
    for _ in range(6 * MOST):
        if len(writer.draft.calls) >= goal:
            break
        writer.step()
    return writer.text()


def generate_pair(
    seed: int, index: int, pair: Pair, starts: Iterable[Fit] = (), narrow: bool = False
) -> str | None:
    """A program of no more than the second op on what the first makes; None where they do not fit.

    starts: applications of the first to begin with; random ones are tried where there are none. narrow: as in Draft.
    """
    rng = Random(f"{seed}/{index}")
    for start in islice(starts, STARTS):
        for _ in range(TURNS):
            writer = _Writer(Draft(rng, registry(), narrow=narrow))
            if writer.after(start, OPS[pair[1]]):
                return writer.text()
    writer = _Writer(Draft(rng, registry(), narrow=narrow))
    return writer.text() if not starts and writer.chain(OPS[pair[0]], OPS[pair[1]]) else None


class _Writer:
    """A net being written, and the blocks that it has so far."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.blocks: list[str] = []

    def chain(self, first: type[Op], second: type[Op]) -> bool:
        """Applies `first`, and `second` to what it made."""
        rng = self.draft.rng
        for attempt in range(6):
            start = self.draft.pick() if rng.random() < 0.4 and attempt < 4 else None
            for value in self.draft.op(first, start) or ():
                if not value.sound:
                    continue
                for slot in (0, 1, 2)[: max(1, len(second.operands))] if attempt else (None,):
                    if self.draft.op(second, value, slot):
                        return True
        return False

    def after(self, start: Fit, second: type[Op]) -> bool:
        """Applies `second` to what the application `start` makes of new inputs."""
        made = self.draft.begin(start)
        slots = range(max(1, len(second.operands)))
        return any(self.draft.op(second, v, s) for v in made if v.sound for s in slots for _ in range(TURNS))

    def step(self, draft: Draft | None = None, depth: int = 0) -> None:
        body = draft or self.draft
        way = body.rng.random()
        if way < 0.1 and depth < 2:
            self.block(body, depth)
        elif way < 0.16:
            body.repeat()
        elif way < 0.3 and body.again():
            pass
        else:
            start = None if body.fresh and body.rng.random() < 0.15 else body.pick()
            body.op(body.rng.choice(body.ops), start)

    # -- blocks -----------------------------------------------------------------------------------
    def block(self, body: Draft, depth: int) -> None:
        """Defines a block for some values at hand, and calls it, maybe twice."""
        sound = [h for h in body.held if h.sound]
        if not sound:
            return
        given = body.rng.sample(sound, min(len(sound), body.rng.choice((1, 1, 2, 3))))
        inner = Draft(body.rng, body.ops, False, body.names)
        inner.held = [Held(body.name("a"), h.type, h.array) for h in given]
        inner.inputs = list(inner.held)
        for _ in range(body.rng.randint(2, 6)):
            self.step(inner, depth + 1)
        read = [(h, i) for h, i in zip(given, inner.inputs, strict=True) if i.name in inner.used]
        outputs = [h for h in inner.leaves() if h.sound][:3]
        if not read or not outputs:
            return
        inner.inputs = [i for _, i in read]
        try:
            name, setting = self._define(inner, outputs)
        except Unspellable:
            return
        self._call(body, name, inner, outputs, [h for h, _ in read])
        others = [[h for h in body.held if h.sound and h.type == i.type] for i in inner.inputs]
        if body.rng.random() < 0.4:
            if setting and len(read) == 1:
                name = self._passed(name, setting, read[0][1])
            self._call(body, name, inner, outputs, [body.rng.choice(found) for found in others])

    def _passed(self, name: str, setting: str, given: Held) -> str:
        """A block that takes the block `name`, which has some of its arguments, and gives it the others."""
        rng, taker = self.draft.rng, self.draft.name("Taker")
        before, after = (setting, "") if rng.random() < 0.5 else ("", setting)
        sizes = ", ".join(self.draft.name("S") for _ in given.type.shape)
        lines = [f"    input x: [{sizes}]", f"    output x -> unit({after})"]
        self.blocks.append("\n".join([f"block {taker}(unit: layer = {name}({before})) {{", *lines, "}"]))
        return f"{taker}({name}({before}))" if rng.random() < 0.5 else taker

    def _define(self, inner: Draft, outputs: Sequence[Held]) -> tuple[str, str]:
        """The name of a block of what `inner` holds, and an argument that it takes, if any."""
        rng, name = inner.rng, inner.name("Unit")
        inputs = []
        for held in inner.inputs:
            dtype = held.type.dtype if rng.random() < 0.7 else ""
            inputs.append(
                f"    input {held.name}: {dtype}[{', '.join(self._size(inner, n) for n in held.type.shape)}]"
            )
        body = [f"    {line}" for line in inner.lines]
        if any(re.search(r"\bN\b", line) for line in body) and not any(
            N in h.type.shape for h in inner.inputs
        ):
            raise Unspellable("a size that no input has")
        parameter = self._parameter(rng, body) if rng.random() < 0.5 else ""
        output = f"    output {', '.join(h.name for h in outputs)}"
        self.blocks.append("\n".join([f"block {name}{parameter} {{", *inputs, *body, output, "}"]))
        setting = re.sub(r"^\((\w+): \w+ = (.*)\)$", r"\1=\2", parameter)
        return name, setting

    def _size(self, inner: Draft, dim: AnyDim) -> str:
        if dim == N:
            return "N"
        if isinstance(dim, int) and inner.rng.random() < 0.5:
            return dimension(dim)
        return inner.name("S")

    def _parameter(self, rng: Random, body: list[str]) -> str:
        """Makes one setting of the body a parameter of the block."""
        found = [(i, m) for i, line in enumerate(body) for m in SETTING.finditer(line)]
        if not found:
            return ""
        i, match = rng.choice(found)
        kind = "bool" if match[2] in ("true", "false") else "float" if "." in match[2] else "int"
        body[i] = f"{body[i][: match.start(2)]}setting{body[i][match.end(2) :]}"
        return f"(setting: {kind} = {match[2]})"

    def _call(
        self, body: Draft, name: str, inner: Draft, outputs: Sequence[Held], given: Sequence[Held]
    ) -> None:
        values = replayed(inner.calls, dict(zip(inner.inputs, (h.array for h in given), strict=True)))
        arrays = [values[h] for h in outputs if h in values]
        if len(arrays) != len(outputs) or not all(soundness(a) for a in arrays):
            return
        names = [h.name for h in given]
        text = f"{name}({', '.join(names)})"
        if body.rng.random() < 0.4 or ")" in name:
            text = f"{names[0] if len(names) == 1 else '(' + ', '.join(names) + ')'} -> {name}"
        types = [h.type for h in outputs]
        if len(names) == 1 and types == [given[0].type] and body.rng.random() < 0.3:
            text = f"{names[0]} -> {name} * 2"
        body.used.update(names)
        body._bind(text, types, arrays, [True] * len(arrays), False)
        body.calls += inner.calls[:1]

    # -- the net ----------------------------------------------------------------------------------
    def text(self) -> str:
        """The program, as the language writes it."""
        draft = self.draft
        leaves = draft.leaves()
        kept = [
            h for h in draft.held if h not in leaves and h not in draft.inputs and draft.rng.random() < 0.1
        ]
        losses = [h for h in leaves if h.sound and not h.type.shape and h.type.dtype == "float32"][:1]
        losses = losses if len(leaves) + len(kept) > 1 and draft.rng.random() < 0.5 else []
        outputs = [h for h in (*kept, *leaves) if h not in losses] or draft.inputs
        used = [h for h in draft.inputs if h.name in draft.used or h in outputs]
        doc = {name: rule for name, rule in draft.rules.items() if any(h.name == name for h in used)}
        lines = [f'"""{describe(doc)}"""'] if doc else []
        lines += [f"input {h.name}: {h.type.dtype}[{', '.join(map(dimension, h.type.shape))}]" for h in used]
        lines += [*draft.lines, f"output {', '.join(h.name for h in outputs)}"]
        lines += [f"loss {h.name}" for h in losses]
        net = "\n".join([f"net {NET} {{", *(f"    {line}" for line in lines), "}"])
        text = "\n\n".join(["netc 1", *self.blocks, net]) + "\n"
        tree, found = parse(Source("fuzz.net", text))
        if found:
            raise ValueError(f"what was generated does not parse: {found[0].message}\n{text}")
        return write(tree)


def replayed(calls: Sequence[Call], values: dict[Any, Array]) -> dict[Any, Array]:
    """What the values of a block become where its inputs are others."""
    known = dict(values)
    for call in calls:
        arrays = [known.get(h, h.array) for h in call.operands]
        made = computed(call.fit, arrays, call.params)
        if made is None:
            return {}
        known.update(zip(call.outputs, made, strict=True))
    return known
