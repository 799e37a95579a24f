"""Turns a syntax tree into the text of a .net file, in one form for each tree; comments are not kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from netc.syntax import tree

STEP = "    "
ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "{": "\\{", "}": "\\}"})
CONSTANTS = {True: "true", False: "false", None: "none"}


def write(file: tree.File) -> str:
    """The text of `file`; parsed and written again, it stays as it is."""
    head = ["netc 1"] if file.version is not None else []
    head += _doc(file.doc, "")
    parts = ["\n".join(head)] if head else []
    return "\n\n".join(parts + ["\n".join(_item(item)) for item in file.items]) + "\n"


def write_expression(node: tree.Expression) -> str:
    """The text of an expression; parentheses are part of the tree."""
    text: str = _EXPRESSIONS[type(node)](node)
    return text


# -- items and statements -----------------------------------------------------------------------------
def _doc(doc: str | None, indent: str) -> list[str]:
    return [] if doc is None else [f'{indent}"""{doc}"""']


def _item(item: tree.Item) -> list[str]:
    if isinstance(item, tree.Import):
        return [f'import "{item.path}"']
    if isinstance(item, tree.Function):
        return [f"fn {item.name.text}({_parameters(item.parameters)}) = {write_expression(item.value)}"]
    if isinstance(item, tree.Preset):
        return [f"net {item.name.text} = {write_expression(item.value)}"]
    if isinstance(item, tree.Train):
        settings = [f"{STEP}{s.key.text} {_list(s.values)}" for s in item.settings]
        return ["train {", *settings, "}"]
    given = f"({_parameters(item.parameters)})" if item.parameters else ""
    body = [*_doc(item.doc, STEP), *_body(item.body, STEP)]
    return [f"{item.role} {item.name.text}{given} {{", *body, "}"]


def _parameters(parameters: Sequence[tree.Parameter]) -> str:
    return ", ".join(map(_parameter, parameters))


def _parameter(parameter: tree.Parameter) -> str:
    kind = f": {parameter.annotation}" if parameter.annotation else ""
    default = f" = {write_expression(parameter.default)}" if parameter.default is not None else ""
    return f"{parameter.name.text}{kind}{default}"


def _body(statements: Sequence[tree.Statement], indent: str) -> list[str]:
    return [line for statement in statements for line in _statement(statement, indent)]


def _statement(node: tree.Statement, indent: str) -> list[str]:
    if isinstance(node, tree.If):
        return _if(node, indent, "")
    if isinstance(node, tree.For):
        names = ", ".join(n.text for n in node.names)
        head = f"{indent}for {names} in {write_expression(node.over)} {{"
        return [head, *_body(node.body, indent + STEP), indent + "}"]
    return [indent + _line(node)]


def _line(node: tree.Statement) -> str:
    """A statement of one line."""
    if isinstance(node, tree.Input):
        return f"{node.role} {', '.join(map(_declaration, node.declarations))}"
    if isinstance(node, tree.RawParam):
        start = f" = {write_expression(node.init)}" if node.init is not None else ""
        return f"{node.role} {_declaration(node.declaration)}{start}"
    if isinstance(node, tree.Assign):
        return f"{', '.join(n.text for n in node.names)} = {write_expression(node.value)}"
    if isinstance(node, tree.Output):
        return f"output {_list(node.values)}"
    if isinstance(node, tree.Initialise):
        return f"init {write_expression(node.value)}"
    assert isinstance(node, tree.Result)
    return f"{node.role} {write_expression(node.value)}"


def _if(node: tree.If, indent: str, word: str) -> list[str]:
    lines = [f"{indent}{word}if {write_expression(node.test)} {{", *_body(node.then, indent + STEP)]
    if not node.other:
        return [*lines, indent + "}"]
    if len(node.other) == 1 and isinstance(node.other[0], tree.If):
        return [*lines, indent + "}", *_if(node.other[0], indent, "else ")]
    return [*lines, indent + "}", indent + "else {", *_body(node.other, indent + STEP), indent + "}"]


def _declaration(node: tree.Declaration) -> str:
    dtype = node.type.dtype.text if node.type.dtype else ""
    return f"{node.name.text}: {dtype}[{_list(node.type.shape)}]"


# -- expressions --------------------------------------------------------------------------------------
def _list(nodes: Sequence[tree.Expression]) -> str:
    return ", ".join(map(write_expression, nodes))


def _text(node: tree.Text) -> str:
    parts = (
        part.translate(ESCAPED) if isinstance(part, str) else f"{{{write_expression(part)}}}"
        for part in node.parts
    )
    return f'"{"".join(parts)}"'


def _tuple(node: tree.Tuple) -> str:
    return f"({_list(node.items)}{',' if len(node.items) == 1 else ''})"


def _argument(node: tree.Argument) -> str:
    return (f"{node.name}=" if node.name else "") + write_expression(node.value)


def _index(node: tree.Index) -> str:
    return f"{write_expression(node.base)}[{', '.join(map(_item_of_index, node.items))}]"


def _item_of_index(node: tree.Expression | tree.Slice | tree.Ellipsis) -> str:
    if isinstance(node, tree.Ellipsis):
        return "..."
    if not isinstance(node, tree.Slice):
        return write_expression(node)
    start, stop, step = ("" if n is None else write_expression(n) for n in (node.start, node.stop, node.step))
    return f"{start}:{stop}" + (f":{step}" if step else "")


def _unary(node: tree.Unary) -> str:
    return node.operator + (" " if node.operator == "not" else "") + write_expression(node.operand)


def _comparison(node: tree.Comparison) -> str:
    text = write_expression(node.operands[0])
    for operator, operand in zip(node.operators, node.operands[1:], strict=True):
        text += f" {operator} {write_expression(operand)}"
    return text


_EXPRESSIONS: dict[type, Callable[[Any], str]] = {
    tree.Name: lambda n: n.text,
    tree.Number: lambda n: repr(n.value),
    tree.Literal: lambda n: CONSTANTS[n.value],
    tree.Text: _text,
    tree.List: lambda n: f"[{_list(n.items)}]",
    tree.Tuple: _tuple,
    tree.Group: lambda n: f"({write_expression(n.inner)})",
    tree.Attribute: lambda n: f"{write_expression(n.base)}.{n.name}",
    tree.Index: _index,
    tree.Call: lambda n: f"{write_expression(n.function)}({', '.join(map(_argument, n.arguments))})",
    tree.Unary: _unary,
    tree.Binary: lambda n: f"{write_expression(n.left)} {n.operator} {write_expression(n.right)}",
    tree.Comparison: _comparison,
    tree.Conditional: lambda n: (
        f"{write_expression(n.then)} if {write_expression(n.test)} else {write_expression(n.other)}"
    ),
    tree.Labelled: lambda n: f"{write_expression(n.label)}: {write_expression(n.step)}",
    tree.Pipe: lambda n: " -> ".join(map(write_expression, n.steps)),
}
