"""Writes what a class computes when it is made: tensors from numbers, and what is computed from these alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netc.backends.torch_source.constant_names import within
from netc.backends.torch_source.draft import expression
from netc.backends.torch_source.literal import literal
from netc.backends.torch_source.operands import bracketed, operator_of
from netc.backends.torch_source.variables import RESERVED
from netc.ir.module import Constant, ConstantTensor, Value
from netc.ops.code import Code, Keyword

if TYPE_CHECKING:
    from netc.backends.torch_source.render import Writer

MARK = re.compile("(?:0)?\x00(\\d+)\x00")
LONG = 50  # characters of an expression that has a name in the spec: it gets a line of its own
TORCH_DEFAULTS = ("float32", "int64", "bool")  # what torch.tensor makes of floats, whole numbers and bools


@dataclass(eq=False)
class Constants:
    """The lines that make the constants of a class. texts: the expression for each, and its operator."""

    writer: Writer
    lines: list[str] = field(default_factory=list)
    texts: dict[Value, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        draft = self.writer.draft
        starts = [p.start for p in draft.raws.values() if p.start is not None]
        roots = [*starts, *draft.constants]
        self.uses = Counter(roots)
        for constant in dict.fromkeys(c for root in roots for c in (root, *within(root))):
            self.uses.update(
                {v for v in (constant.made.inputs if constant.made else ()) if isinstance(v, ConstantTensor)}
            )
        self.taken = RESERVED | {a.name for a in self.writer.made.arguments}

    def text(self, root: ConstantTensor) -> str:
        """The expression for a constant; what it shares with others stands in lines before it."""
        order = [root, *within(root)]
        depth = {c: i for i, c in enumerate(_sorted(order))}
        for constant in sorted(order, key=depth.__getitem__):
            if constant in self.texts:
                continue
            made = _made(constant, self.texts)
            if constant is not root and self._alone(constant, made[0]):
                name = self._local(constant)
                self.lines.append(f"{name} = {made[0]}")
                made = (name, "")
            self.texts[constant] = made
        return self.texts[root][0]

    def register(self) -> None:
        """The lines that keep the constants of the methods as buffers, which are no part of the state_dict."""
        names = self.writer.draft.constants
        for constant in filter(names.__contains__, _sorted(names)):
            name = names[constant]
            text = self.text(constant)
            self.lines.append(f'self.register_buffer("{name}", {text}, persistent=False)')
            self.texts[constant] = (f"self.{name}", "")

    def _alone(self, constant: ConstantTensor, text: str) -> bool:
        """Whether an expression gets a line of its own."""
        return self.uses[constant] > 1 or (bool(constant.hint) and len(text) > LONG)

    def _local(self, constant: ConstantTensor) -> str:
        name = base = constant.hint or "constant"
        n = 2
        while name in self.taken:
            name, n = f"{base}_{n}", n + 1
        self.taken = self.taken | {name}
        return name


def _sorted(constants: Iterable[ConstantTensor]) -> list[ConstantTensor]:
    """Constants in an order in which each comes behind what it is made of."""
    out: dict[ConstantTensor, None] = {}
    waiting = list(reversed(list(constants)))
    while waiting:
        constant = waiting[-1]
        inputs = constant.made.inputs if constant.made is not None else ()
        missing = [v for v in inputs if isinstance(v, ConstantTensor) and v not in out]
        if missing:
            waiting += reversed(missing)
        else:
            out.setdefault(constant)
            waiting.pop()
    return list(out)


def _made(constant: ConstantTensor, texts: Mapping[Value, tuple[str, str]]) -> tuple[str, str]:
    """The expression for a constant from those of what it is made of, and the operator that it ends in."""
    node = constant.made
    if node is None:
        return listed(constant), ""
    values = list(dict.fromkeys(node.inputs))
    code = expression(node, {v: i for i, v in enumerate(values)})
    text = _filled(code)
    operator = operator_of(text, code.infix)

    def operand(match: re.Match[str]) -> str:
        inner, binds = texts[values[int(match[1])]]
        return f"({inner})" if binds and bracketed(text, operator, match, binds) else inner

    made = MARK.sub(operand, text)
    if len(node.outputs) > 1:
        made, operator = f"{f'({made})' if operator else made}[{node.outputs.index(constant)}]", ""
    return made, operator


def _filled(code: Code) -> str:
    """The text of an expression with its numbers."""
    out = ""
    for i, piece in enumerate(code.pieces):
        if isinstance(piece, str):
            out += piece
        elif not isinstance(piece, Keyword):
            shown = literal(piece.value)
            after = code.pieces[i + 1 :]
            power = bool(after) and isinstance(after[0], str) and after[0].startswith(" **")
            out += f"({shown})" if power and (shown.startswith("-") or "**" in shown) else shown
        elif (
            piece.default is ...
            or piece.value != piece.default
            or type(piece.value) is not type(piece.default)
        ):
            out += "" if out.endswith("(") else ", "
            out += f"{piece.name}={literal(piece.value)}"
    return out


def listed(constant: Constant) -> str:
    """A tensor by its numbers; successive whole numbers by their bounds."""
    dtype = constant.type.dtype
    more = "" if dtype in TORCH_DEFAULTS else f", dtype=torch.{dtype}"
    values = constant.number.tolist()
    if dtype in ("int64", "int32") and len(constant.type.shape) == 1 and len(values) > 2:
        first, step = values[0], values[1] - values[0]
        if step > 0 and values == list(range(first, first + step * len(values), step)):
            end = values[-1] + 1
            bounds = [end] if (first, step) == (0, 1) else [first, end] if step == 1 else [first, end, step]
            return f"torch.arange({', '.join(map(str, bounds))}{more})"
    return f"torch.tensor({_nested(values)}{more})"


def _nested(values: object) -> str:
    return f"[{', '.join(map(_nested, values))}]" if isinstance(values, list) else literal(values)
