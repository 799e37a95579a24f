"""Tells the buffers that hold the constants of a class: their names, what they are made of, and which are equal."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator

from netc.ir.module import ConstantTensor, Param, Value


def names_of(constants: Iterable[ConstantTensor], taken: Iterable[str]) -> dict[ConstantTensor, str]:
    """The buffer that holds each constant: by its name in the spec, or that of what it is made of."""
    used = set(taken)
    out: dict[ConstantTensor, str] = {}
    for constant in sorted(dict.fromkeys(constants), key=lambda c: not c.hint):  # its own name comes first
        hints = (c.hint for c in (constant, *within(constant)) if c.hint)
        name = base = next(hints, "constant")
        n = 2
        while name in used or keyword.iskeyword(name):
            name, n = f"{base}_{n}", n + 1
        used.add(name)
        out[constant] = name
    return out


def within(constant: ConstantTensor) -> Iterator[ConstantTensor]:
    """The constants that one is made of, each once."""
    seen: set[Value] = {constant}
    waiting = [constant]
    while waiting:
        node = waiting.pop().made
        for value in node.inputs if node is not None else ():
            if isinstance(value, ConstantTensor) and value not in seen:
                seen.add(value)
                waiting.append(value)
                yield value


def key_of(param: Param) -> object:
    """What two parameters must share to be written alike, where they start as tensors."""
    return None if param.start is None else same_key(param.start)


def same_key(constant: ConstantTensor) -> object:
    """Equal for constants of equal numbers."""
    return constant.type, constant.hint, constant.number.tobytes()
