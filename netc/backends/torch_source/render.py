"""Prints one class: its constructor, and the lines of forward with a shape beside each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from netc.backends.torch_source.classes import Argument, Class, Classes, column, explain, shape_text
from netc.backends.torch_source.draft import Child, Module, raw_fill, raw_parameter
from netc.backends.torch_source.forward import Body, forward_body
from netc.backends.torch_source.literal import docstring, literal
from netc.backends.torch_source.roll import is_sequential, roll
from netc.ir.module import Block, Call, Path, Value
from netc.ops.code import Code, Keyword

WIDTH = 100
STEP = "    "


@dataclass
class Writer:
    """The text of one class under way. stored: the arguments that forward needs later."""

    classes: Classes
    made: Class
    stored: dict[str, None] = field(default_factory=dict)

    def text(self, locate: Callable[[Block], Code], owner: str) -> str:
        """An expression with its holes filled; `locate` finds it in a member's block."""
        codes = {m.block: locate(m.block) for m in self.made.members}
        out = ""
        for i, piece in enumerate(codes[self.made.block].pieces):
            if isinstance(piece, str):
                out += piece
                continue
            values = column(self.classes, self.made, lambda b, i=i: codes[b].pieces[i].value)  # type: ignore[misc]
            if isinstance(piece, Keyword):
                if piece.default is not ... and all(type(v) is type(piece.default) and v == piece.default for v in values):
                    continue
                out += "" if out.endswith("(") else ", "
                out += f"{piece.name}="
            shown = explain(self.made, values, piece.name, owner)
            assert shown is not None, (self.made.block.name, values)
            out += shown
        return out

    def in_forward(self, locate: Callable[[Block], Code]) -> str:
        """The same for forward, where an argument is an attribute."""
        text = self.text(locate, "")
        names = {a.name for a in self.made.arguments}

        def attribute(match: re.Match[str]) -> str:
            if match[0] in names:
                self.stored[match[0]] = None
                return f"self.{self.attribute(match[0])}"
            return match[0]

        return re.sub(r"(?<![\w.\x00\"'])[A-Za-z_]\w*(?!\w|\s*=[^=]|\()", attribute, text)

    def attribute(self, name: str) -> str:
        """The attribute in which an argument is kept; a child of that name comes first."""
        return f"{name}_" if name in self.classes.drafts[self.made.block].children else name

    def shape(self, value: Value) -> str:
        index = self.classes.drafts[self.made.block].index[value]
        values = {b: {i: v for v, i in self.classes.drafts[b].index.items()} for b in {m.block for m in self.made.members}}
        return shape_text(self.made, lambda b: values[b][index].type.shape)


def render_class(classes: Classes, made: Class, extra: Callable[[Writer], list[str]] | None = None,
                 guard: Sequence[str] = ()) -> list[str]:
    """The lines of a class. `extra`: further methods. `guard`: lines that open forward."""
    writer = Writer(classes, made)
    block = made.block
    if (plain := _as_sequential(writer)) is not None:
        return [*_head(writer, "nn.Sequential"), *_constructor(writer, plain)]
    body = forward_body(writer, block.body, block.outputs, guard)
    children, lines = roll(_children(writer), body.lines)
    if is_sequential(children, lines) and extra is None and not writer.stored:
        return [*_head(writer, "nn.Sequential"), *_constructor(writer, ["super().__init__()", *children])]
    method = _forward(writer, replace(body, lines=tuple(lines)))
    more = extra(writer) if extra else []
    return [*_head(writer, "nn.Module"), *_constructor(writer, ["super().__init__()", *_stored(writer), *children]),
            "", *method, *more]


def _head(writer: Writer, base: str) -> list[str]:
    lines = [f"class {writer.made.name}({base}):"]
    if writer.made.block.doc:
        lines += [*(STEP + docstring(writer.made.block.doc, STEP)).split("\n"), ""]
    return lines


def _stored(writer: Writer) -> list[str]:
    return [f"self.{writer.attribute(name)} = {name}" for name in writer.stored]


def _constructor(writer: Writer, lines: Sequence[str]) -> list[str]:
    head = method_head("__init__", ", ".join(_signature(writer.made)), "None")
    return [*head, *(STEP * 2 + line if line else "" for line in lines)]


def _signature(made: Class) -> list[str]:
    defaulted = defaults(made)
    return [f"{a.name}: {_type(a)}" + (f" = {literal(defaulted[a.name])}" if a.name in defaulted else "")
            for a in made.arguments]


def defaults(made: Class) -> Mapping[str, Any]:
    """The arguments at the end of the list that have a default in the spec, and it."""
    out: dict[str, Any] = {}
    for argument in reversed(made.arguments):
        if not argument.parameter or argument.name not in made.block.defaults:
            break
        out[argument.name] = made.block.defaults[argument.name]
    return out


def _type(argument: Argument) -> str:
    kinds = {type(v).__name__ for v in argument.column}
    return kinds.pop() if len(kinds) == 1 else " | ".join(sorted(kinds))


def _children(writer: Writer) -> list[str]:
    lines: list[str] = []
    for param in writer.classes.drafts[writer.made.block].raws:
        name = param.path[0]
        lines.append(f"self.{name} = " + writer.text(_raw(writer, name), name))
        if (fill := raw_fill(name, param.init)) is not None:
            lines.append(writer.text(lambda b, f=fill: f, name))  # type: ignore[misc]
    for name, module in writer.classes.drafts[writer.made.block].children.items():
        text = module_text(writer, (name,), module, STEP * 2, f"self.{name} = ")
        if name.isidentifier():
            lines += f"self.{name} = {text}".split("\n")
        else:
            lines += f"self.add_module({name!r}, {text})".split("\n")
    return [line[len(STEP) * 2:] if line.startswith(STEP * 2) else line for line in lines]


def _raw(writer: Writer, name: str) -> Callable[[Block], Code]:
    return lambda b: raw_parameter(next(p for p in writer.classes.drafts[b].raws if p.path == (name,)))


def _as_sequential(writer: Writer) -> list[str] | None:
    """The constructor of a class that only chains children named 0, 1, 2, ...: an nn.Sequential."""
    from netc.backends.torch_source.draft import constructor, is_chain

    block = writer.made.block
    made = [constructor(step) for step in block.body]
    if not any(s.path is not None and s.path[0] == "0" for s in block.body) or any(c is None and s.path is not None for c, s in zip(made, block.body, strict=True)):
        return None
    if [s.path or (str(i),) for i, s in enumerate(block.body)] != [(str(i),) for i in range(len(block.body))]:
        return None
    if len(block.inputs) != 1 or block.outputs != block.body[-1].outputs or block.body[0].inputs != block.inputs \
            or not is_chain(block.body, block.body, ()):
        return None
    texts = []
    for i, step in enumerate(block.body):
        if isinstance(step, Call):
            texts.append(_call_text(writer, lambda b, i=i: b.body[i], str(i)))  # type: ignore[misc]
        elif _module_code(block, i) is None:
            return None
        else:
            texts.append(writer.text(lambda b, i=i: _module_code(b, i), str(i)))  # type: ignore[misc]
    return ["super().__init__(", *(f"{STEP}{t}," for t in texts), ")"]


def _module_code(block: Block, i: int) -> Code | None:
    step = block.body[i]
    assert not isinstance(step, Call)
    return step.op.module(*(v.type.shape for v in (*step.inputs, *step.params)))


# -- children -----------------------------------------------------------------------------------------


def module_text(writer: Writer, path: Path, module: Module, indent: str, before: str = "") -> str:
    """The constructor of a child or a container."""
    if module.call is not None:
        return _call_text(writer, lambda b: find(writer, b, path).call, path[-1])  # type: ignore[return-value,arg-type]
    if module.code is not None:
        return writer.text(lambda b: find(writer, b, path).code, path[-1])  # type: ignore[arg-type,return-value]
    inner = [(name, module_text(writer, (*path, name), child, indent + STEP)) for name, child in module.children.items()]
    numbered = [name for name, _ in inner] == [str(i) for i in range(len(inner))]
    if module.sequential and numbered:
        return _brackets("nn.Sequential(", _repeats([text for _, text in inner]), ")", indent, before)
    if module.sequential:
        pairs = [f'("{name}", {text})' for name, text in inner]
        return "nn.Sequential(" + _brackets("OrderedDict([", pairs, "])", indent, before + "nn.Sequential()") + ")"
    if numbered:
        return _brackets("nn.ModuleList([", _repeats([text for _, text in inner]), "])", indent, before)
    return _brackets("nn.ModuleDict({", [f'"{name}": {text}' for name, text in inner], "})", indent, before)


def _brackets(opening: str, items: Sequence[str], closing: str, indent: str, before: str) -> str:
    line = opening + ", ".join(items) + closing
    if "\n" not in line and len(indent) + len(before) + len(line) <= WIDTH:
        return line
    return "\n".join([opening, *(f"{indent}{STEP}{item}," for item in items), f"{indent}{closing}"])


def _repeats(texts: Sequence[str]) -> list[str]:
    """Equal neighbours as a comprehension."""
    out: list[str] = []
    i = 0
    while i < len(texts):
        n = 1
        while i + n < len(texts) and texts[i + n] == texts[i]:
            n += 1
        out.append(f"*({texts[i]} for _ in range({n}))" if n > 1 else texts[i])
        i += n
    return out


def find(writer: Writer, block: Block, path: Path) -> Module:
    """The child at `path` of a member's block."""
    level = writer.classes.drafts[block].children
    for segment in path[:-1]:
        level = level[segment].children
    return level[path[-1]]


def _call_text(writer: Writer, locate: Callable[[Block], Call], owner: str) -> str:
    """The construction of a called block's class with its arguments."""
    callee = writer.classes.of[locate(writer.made.block).block]
    defaulted = defaults(callee)
    parts = []
    for i, argument in enumerate(callee.arguments):
        values = column(writer.classes, writer.made, lambda b, i=i: Child(locate(b), i))  # type: ignore[misc]
        if argument.name in defaulted and all(type(v) is type(defaulted[argument.name]) and v == defaulted[argument.name] for v in values):
            continue
        text = explain(writer.made, values, argument.name, owner)
        parts.append(f"{argument.name}={text}" if argument.name in defaulted else str(text))
    return f"{callee.name}({', '.join(parts)})"


def _forward(writer: Writer, body: Body) -> list[str]:
    inputs = ", ".join(f"{name}: torch.Tensor" for name in body.inputs)
    result = "torch.Tensor" if len(writer.made.block.outputs) == 1 else f"tuple[{', '.join(['torch.Tensor'] * len(writer.made.block.outputs))}]"
    return [*method_head("forward", inputs, result), *(STEP * 2 + line for line in body.lines)]


def method_head(name: str, arguments: str, result: str) -> list[str]:
    """The first line of a method, or three where it is long."""
    every = f"self, {arguments}" if arguments else "self"
    line = f"{STEP}def {name}({every}) -> {result}:"
    return [line] if len(line) <= WIDTH else [f"{STEP}def {name}(", f"{STEP * 2}{every}", f"{STEP}) -> {result}:"]
