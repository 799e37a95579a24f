"""Prints one class: its constructor, and the lines of its methods."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from netc.backends.torch_source.arguments import ARGUMENT, Explainer, defaults, is_default
from netc.backends.torch_source.children import child_lines, raw_lines, sequential_lines
from netc.backends.torch_source.classes import Argument, Class, Classes
from netc.backends.torch_source.draft import Draft, marker
from netc.backends.torch_source.forward import Body, forward_body
from netc.backends.torch_source.layout import STEP, broken
from netc.backends.torch_source.literal import docstring, literal
from netc.backends.torch_source.prose import doc_of
from netc.backends.torch_source.roll import is_sequential, roll
from netc.backends.torch_source.shapes import shape_text
from netc.backends.torch_source.starts import start_lines
from netc.backends.torch_source.units import parameter
from netc.ir.module import Block, ConstantTensor, Node, Param, Step, Value
from netc.ops.code import Code, Keyword
from netc.passes.elaboration.naming import hides


@dataclass
class Writer:
    """The text of one class under way.

    root: the expression for an instance of `made`. stored: the arguments that methods need. added: values that
    the block itself does not have.
    """

    classes: Classes
    made: Class
    root: str = "self"
    stored: dict[str, None] = field(default_factory=dict)
    shapes: dict[Value, str] = field(default_factory=dict)
    added: list[Value] = field(default_factory=list)
    positions: dict[Step, int] = field(init=False)

    def __post_init__(self) -> None:
        self.positions = {step: i for i, step in enumerate(self.made.block.body)}

    @property
    def draft(self) -> Draft:
        return self.classes.drafts[self.made.block]

    def value(self, number: int) -> Value:
        """The value that a marker stands for."""
        known = self.draft.values
        return known[number] if number < len(known) else self.added[number - len(known)]

    def mark(self, value: Value) -> str:
        """The marker of a value; one that the block does not have is added."""
        if value not in self.draft.index and value not in self.added:
            self.added.append(value)
        index = self.draft.index
        return marker(index[value] if value in index else len(index) + self.added.index(value))

    def text(self, locate: Callable[[Block], Code], owner: str, inside: bool = False) -> str:
        """An expression with its holes filled; `locate` finds it in a member's block."""
        explainer = Explainer(self.classes, self.made, inside)
        codes = [locate(m.block) for m in self.made.members]
        first = codes[0]
        out = ""
        for i, piece in enumerate(first.pieces):
            if isinstance(piece, str):
                out += piece
                continue
            held = tuple(code.pieces[i].value for code in codes)  # type: ignore[union-attr]  # alike in structure
            if isinstance(piece, Keyword):
                if piece.default is not ... and all(
                    is_default(v, piece.default) for v in explainer.column(held)
                ):
                    continue
                out += "" if out.endswith("(") else ", "
                out += f"{piece.name}="
            shown = explainer.text(held, piece.name, owner)
            out += _operand(shown, first.pieces[i + 1 :]) if first.infix else shown
        return out

    def in_constructor(self, locate: Callable[[Block], Code], owner: str) -> str:
        return ARGUMENT.sub(r"\1", self.text(locate, owner))

    def in_forward(self, step: Node) -> str:
        """The expression of a plain function, where an argument is an attribute."""
        at = self.positions[step]
        text = self.text(lambda b: self.classes.drafts[b].lines[b.body[at]], "", inside=True)

        def attribute(match: re.Match[str]) -> str:
            self.stored[match[1]] = None
            return f"{self.root}.{self.attribute(match[1])}"

        return ARGUMENT.sub(attribute, text)

    def attribute(self, name: str) -> str:
        """The attribute in which an argument is kept; a child of that name comes first."""
        kept, others = name, {*self.made.block.parameters} - {name}
        others |= {*self.draft.raws, *self.draft.constants.values()}
        while kept in self.draft.children or kept in others or hides(kept):
            kept += "_"
        return kept

    def parameter(self, value: Value) -> str | None:
        """The expression for a parameter or a constant; None for other values."""
        if isinstance(value, ConstantTensor):
            return f"{self.root}.{self.draft.constants[value]}"
        return parameter(self, value.path, value.trainable) if isinstance(value, Param) else None

    def shape(self, value: Value, operands: Sequence[Value] = ()) -> str:
        """The shape of a value for a comment; `operands` is what it is made of."""
        if value not in self.shapes:
            every = [self._shapes(v) for v in operands]
            self.shapes[value] = shape_text(self.made, self._shapes(value), every)
        return self.shapes[value]

    def _shapes(self, value: Value) -> list[Any]:
        """The shape of a value in each member."""
        at = self.draft.index.get(value)
        if at is None:
            return [value.type.shape for _ in self.made.members]
        return [self.classes.drafts[m.block].values[at].type.shape for m in self.made.members]


def _operand(text: str, following: Sequence[Any]) -> str:
    """A number or an expression beside an operator, in brackets where that binds tighter."""
    power = bool(following) and isinstance(following[0], str) and following[0].strip() == "**"
    loose = " " in text or (power and ("**" in text or text.startswith("-")))
    return f"({text})" if loose else text


def render_class(
    classes: Classes,
    made: Class,
    extra: Callable[[Writer, Body], list[str]] | None = None,
    guard: Sequence[str] = (),
) -> list[str]:
    """The lines of a class. extra: what makes its methods from forward's lines. guard: what opens forward."""
    writer = Writer(classes, made)
    block = made.block
    if (plain := sequential_lines(writer)) is not None and extra is None:
        return [*_head(writer, "nn.Sequential"), *_constructor(writer, [*plain, *start_lines(writer)])]
    children = child_lines(writer)
    body = forward_body(writer, block.body, block.outputs, guard)
    made_children, lines = roll(children, [line.removeprefix(STEP * 2) for line in body.lines])
    alone = not writer.draft.raws and not writer.draft.constants
    if alone and is_sequential(made_children, lines) and extra is None and not writer.stored:
        return [
            *_head(writer, "nn.Sequential"),
            *_constructor(writer, ["super().__init__()", *made_children, *start_lines(writer)]),
        ]
    rolled = Body(body.inputs, tuple(STEP * 2 + line for line in lines))
    methods = extra(writer, rolled) if extra else ["", *forward_method(writer, rolled)]
    stored = [f"self.{writer.attribute(name)} = {name}" for name in writer.stored]
    made_lines = [*stored, *raw_lines(writer), *made_children, *start_lines(writer)]
    constructor = _constructor(writer, ["super().__init__()", *made_lines])
    buffers = [f"{STEP}{name}: Tensor" for name in _buffers(writer)]
    buffers += [""] if buffers else []
    return [*_head(writer, "nn.Module"), *buffers, *constructor, *methods[0 if constructor else 1 :]]


def _buffers(writer: Writer) -> list[str]:
    """The buffers that the constructor registers: torch does not say what these are."""
    raws = [name for name, param in writer.draft.raws.items() if not param.trainable]
    return [*raws, *writer.draft.constants.values()]


def _head(writer: Writer, base: str) -> list[str]:
    lines = [f"class {writer.made.name}({base}):"]
    if doc := doc_of(writer.made):
        lines += [*(STEP + docstring(doc, STEP)).split("\n"), ""]
    return lines


def _constructor(writer: Writer, lines: Sequence[str]) -> list[str]:
    if lines == ["super().__init__()"] and not writer.made.arguments:
        return []
    head = method_head("__init__", ", ".join(_signature(writer.made)), "None")
    return [*head, *(STEP * 2 + line if line else "" for line in lines)]


def _signature(made: Class) -> list[str]:
    defaulted = defaults(made)
    return [
        f"{a.name}: {_type(a)}" + (f" = {literal(defaulted[a.name])}" if a.name in defaulted else "")
        for a in made.arguments
    ]


def _type(argument: Argument) -> str:
    kinds = {_kind(v) for v in argument.column}
    if kinds == {"int", "float"}:
        return "float"
    return " | ".join(sorted(kinds, key=lambda k: (k == "None", k)))


def _kind(value: Any) -> str:
    """The type of a value as an annotation has it."""
    if isinstance(value, tuple):
        return f"tuple[{', '.join(map(_kind, value))}]"
    return "None" if value is None else type(value).__name__


def forward_method(writer: Writer, body: Body) -> list[str]:
    """The lines of forward."""
    count = len(writer.made.block.outputs)
    result = "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"
    return [*method_head("forward", tensors(body.inputs), result), *body.lines]


def tensors(names: Sequence[str]) -> str:
    return ", ".join(f"{name}: Tensor" for name in names)


def method_head(name: str, arguments: str, result: str) -> list[str]:
    """The first line of a method, or several where it is long."""
    return broken(f"def {name}({f'self, {arguments}' if arguments else 'self'}) -> {result}:", STEP)
