"""Says how values of dtypes that do not go together are brought together: netc converts nothing unasked."""

from __future__ import annotations

import re
from collections.abc import Mapping

FLOATS = ("float32", "float64")
INTEGERS = ("int64", "int32")
Held = Mapping[str, tuple[str, str]]  # of each operand what a message calls it, and its dtype


def dtype_habit(layer: str, at: str, message: str, held: Held) -> str | None:
    """What to write where the dtype of the operand `at` is refused by `message`; None where it is not at fault."""
    if at not in held or not message.startswith(f"{at} is {held[at][1]}"):
        return None
    name, dtype = held[at]
    if list(held) == ["logits", "target"] and (said := _classes(layer, at, held)):
        return said
    wanted = message.partition(dtype)[2]
    if dtype != "bool" and "bool" in wanted:
        return f"a mask is bool: write `{_written(name)} {'!=' if dtype in INTEGERS else '>'} 0`"
    if dtype in FLOATS and {*FLOATS, *held}.isdisjoint(re.findall(r"\w+", wanted)):
        return f"if it holds whole numbers, declare it so: `{_written(name)}: int64[...]`"
    return _converted(at, held)


def _classes(layer: str, at: str, held: Held) -> str | None:
    """Of a loss or a metric of logits and classes."""
    (logits, first), (target, second) = held.values()
    if first in INTEGERS and second in FLOATS:
        return f"the logits stand first: write `{layer}({_written(target)}, {_written(logits)})`"
    if at == "logits" and first in INTEGERS:
        return f"give `{layer}` the logits: it takes the class of the greatest itself"
    if at == "target" and second in FLOATS:
        return f"of shares give the class of the greatest: `argmax({_written(target)}, 1)`"
    return None


def _converted(at: str, held: Held) -> str | None:
    """The operand that is no float, or else the one at fault, in the dtype of a float beside it."""
    strange = next((o for o, (_, dtype) in held.items() if dtype not in FLOATS), at)
    floats = [name for o, (name, dtype) in held.items() if o != strange and dtype in FLOATS]
    name = held[strange][0]
    if floats:
        return f"write `type_as({_written(name)}, {_written(floats[0])})` for its numbers in that dtype"
    if len(held) == 1 and not name.isidentifier():
        return 'convert it first: `-> cast("float32")`'
    return f'convert it first: `cast({_written(name)}, "float32")`'


def _written(name: str) -> str:
    return name if name.isidentifier() else "..."
