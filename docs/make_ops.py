"""Turns the registry of ops into docs/ops.md: `python docs/make_ops.py` writes it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import MISSING
from pathlib import Path
from typing import Any

import netc.ops  # noqa: F401  # enters the ops
from netc.ops.attributes import bind, parameters_of
from netc.ops.contract import OPS, Op

PAGE = Path(__file__).with_name("ops.md")
HEAD = """# Layers and functions

Written by `docs/make_ops.py` from the definitions in `netc/ops/`. [language.md](language.md) says how calls
work.

An operand is a tensor, given first in a call or by `->`. What follows are attributes, by position or by
keyword, known at compile time; one without a default is required. A `*` takes all arguments that are left.
In a formula y is the result, g the gradient that comes in, and dx the one that goes out to x.
"""


def page() -> str:
    """The text of the page."""
    families: dict[str, list[type[Op]]] = {}
    for name, op in OPS.items():
        if name == op.name:
            families.setdefault(op.__module__, []).append(op)
    parts = [HEAD, _index(families)]
    for module, ops in sorted(families.items(), key=lambda item: _title(item[0])):
        parts.append(f"## {_title(module)}\n")
        parts += ["\n".join(_entry(op)) for op in ops]
    return "\n".join(parts)


def _index(families: dict[str, list[type[Op]]]) -> str:
    names = sorted((op.name for ops in families.values() for op in ops), key=lambda n: (n.lower(), n))
    return ", ".join(f"[{n}](#{n.lower()})" for n in names) + "\n"


def _title(module: str) -> str:
    """What the family's file says it holds."""
    first = (sys.modules[module].__doc__ or module).strip().split("\n")[0]
    return first.split(":")[0].rstrip(".")


def _entry(op: type[Op]) -> Iterator[str]:
    yield f"### {op.name}\n"
    yield f"`{_signature(op)}`\n"
    yield f"```text\n{inspect.getdoc(op)}\n```\n"
    yield " ".join(_facts(op)) + "\n"
    attributes = parameters_of(op)
    if attributes and op.operator != "[]":
        yield "| attribute | takes | default |\n| --- | --- | --- |"
        for name, takes, default in attributes:
            yield f"| `{name}` | {takes} | {_default(default)} |"
        yield ""


def _signature(op: type[Op]) -> str:
    """As in a call: the operands, then the attributes with their defaults."""
    attributes = []
    for name, _, default in parameters_of(op):
        star = "*" if name == op.variadic else "**" if name == op.extra else ""
        attributes.append(star + name + ("" if star or default is MISSING else f"={_shown(default)}"))
    return f"{op.name}({', '.join([*op.operands, *attributes])})"


def _facts(op: type[Op]) -> Iterator[str]:
    spelled = [f"`{alias}`" for alias in op.aliases]
    if op.operator:
        sign = {"[]": "x[...]", "-x": "-x"}.get(op.operator, f"a {op.operator} b")
        spelled.append(f"`{sign}`")
    if spelled:
        yield f"Also spelled {', '.join(spelled)}."
    yield f"Operands are {' or '.join(op.accepts)}."
    if params := _params(op):
        names = ", ".join(f"`{p}`" for p in params)
        yield f"Without a label it is named `{op.short}1`, `{op.short}2`, ...; it holds {names}."


def _params(op: type[Op]) -> list[str]:
    """The names of what the op owns, as its first good sample shows them."""
    if op.params is Op.params:
        return []
    good = next(s for s in op.samples if not s.rejects)
    return list(bind(op, (), good.attributes).params(*(d.shape for d in good.operands)))


def _default(default: Any) -> str:
    return "required" if default is MISSING else f"`{_shown(default)}`"


def _shown(value: Any) -> str:
    """A default as the language writes it; a pair of equal numbers is one number."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return _shown(value[0]) if len(set(value)) == 1 else f"[{', '.join(map(_shown, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
