"""Names the classes and orders them: callees first, and of a block's variants the plainest."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from netc.backends.torch_source.arguments import is_default
from netc.backends.torch_source.classes import Class, Classes
from netc.backends.torch_source.draft import constructor
from netc.ir.module import Call, Node, Step


def name_classes(classes: Classes, net: str) -> None:
    """Gives each class a name of its own, the net's class its name, and sorts `classes.order`."""
    groups: dict[str, list[Class]] = {}
    for made in classes.order:
        groups.setdefault(made.block.name, []).append(made)
    top = classes.order[-1]
    groups[top.block.name].remove(top)
    top.name = net
    for variants in groups.values():
        if variants:
            plain = min(variants, key=lambda c: (len(_layers(c)), _chosen(c)))
            variants.sort(key=lambda c: c is not plain)
    taken = {net, *groups}  # elaboration refuses names that the module needs
    taken |= {name for c in classes.order for name in c.block.sizes}
    taken |= {v.hint for v in top.block.inputs}
    for name, variants in groups.items():
        base = _free(f"{name}Block", taken) if name == net and variants else name
        number = _number(variants) if len(variants) > 1 else ""
        for made in variants:
            if number:
                made.name = _free(f"{base}{made.block.parameters[number]}", taken)
            elif made is variants[0]:
                made.name = base
            else:
                made.name = _free(base + next(_additions(classes, variants[0], made), ""), taken)
            taken |= {made.name}
    classes.order = _sorted(classes, [c for variants in groups.values() for c in variants] + [top])
    classes.names = {c.name for c in classes.order}


def _free(name: str, taken: set[str]) -> str:
    candidate, n = name, 2
    while candidate in taken:
        candidate, n = f"{name}{'_' if name[-1].isdigit() else ''}{n}", n + 1
    return candidate


def _number(variants: list[Class]) -> str:
    """The parameter whose whole number tells the variants apart, each having one."""
    for name in variants[0].block.parameters:
        values = [
            {m.block.parameters[name] for m in c.members if type(m.block.parameters[name]) is int}
            for c in variants
        ]
        if all(len(v) == 1 and min(v) > 0 for v in values) and len(set.union(*values)) == len(variants):
            return name
    return ""


def _additions(classes: Classes, plain: Class, made: Class) -> Iterator[str]:
    held = {step.path[0] for step in _layers(plain) if step.path}
    new = [step for step in _layers(made) if step.path and step.path[0] not in held]
    yield from (_camel(s.path[0]) for s in new if s.path and not s.path[0][-1].isdigit())
    if switched := "".join(_switches(plain, made)):
        yield switched
    kinds = {_kind(step) for step in plain.block.body}
    yield from (_camel(_kind(s)) for s in made.block.body if _kind(s) not in kinds)
    yield from (_camel(_kind(s)) for s in new)
    for a, b in zip(plain.block.body, made.block.body, strict=False):
        if isinstance(a, Call) and isinstance(b, Call) and classes.of[a.block] is not classes.of[b.block]:
            yield classes.of[b.block].name.removeprefix(b.block.name)
    for name, value in made.block.parameters.items():
        constant = {repr(m.block.parameters[name]) for m in made.members} == {repr(value)}
        if constant and type(value) is int and value >= 0 and value != plain.block.parameters[name]:
            yield f"{_camel(name)}{value}"


def _chosen(made: Class) -> int:
    """How many parameters are not what they are by default."""
    block = made.block
    return sum(not is_default(block.parameters[n], value) for n, value in block.defaults.items())


def _switches(plain: Class, made: Class) -> Iterator[str]:
    """The parameters that are on or off, or 0 or not, in one class and not in the other."""
    for name in made.block.parameters:
        on, before = _switch(made, name), _switch(plain, name)
        if on is not None and before is not None and on is not before:
            yield f"{'' if on else 'No'}{_camel(name.removeprefix('is_'))}"


def _switch(made: Class, name: str) -> bool | None:
    """Whether a parameter is on, or other than 0, in all members; None where that is not told."""
    values = [m.block.parameters[name] for m in made.members]
    if all(isinstance(v, bool | int | float) for v in values) and len({bool(v) for v in values}) == 1:
        return bool(values[0])
    return None


def _layers(made: Class) -> list[Step]:
    return [s for s in made.block.body if s.path is not None and constructor(s) is not None]


def _kind(step: Step) -> str:
    return step.op.name if isinstance(step, Node) else step.block.name


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.replace("-", "_").split("_"))


def _sorted(classes: Classes, wanted: list[Class]) -> list[Class]:
    """The classes in the order wanted, as far as callees allow."""
    rank = {id(c): i for i, c in enumerate(wanted)}
    callees = {id(c): {id(classes.of[s.block]) for s in c.block.body if isinstance(s, Call)} for c in wanted}
    callers: dict[int, list[int]] = {}
    for caller, called in callees.items():
        for callee in called:
            callers.setdefault(callee, []).append(caller)
    ready = [rank[c] for c, called in callees.items() if not called]
    heapq.heapify(ready)
    out: list[Class] = []
    while ready:
        done = wanted[heapq.heappop(ready)]
        out.append(done)
        for caller in callers.get(id(done), ()):
            callees[caller].discard(id(done))
            if not callees[caller]:
                heapq.heappush(ready, rank[caller])
    return out
