"""The syntax tree of a .net file: what was written, with its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from netc.diagnostics import Span


@dataclass(frozen=True, eq=False)
class Tree:
    """A part of a file."""

    span: Span


@dataclass(frozen=True, eq=False)
class Name(Tree):
    text: str


@dataclass(frozen=True, eq=False)
class Number(Tree):
    value: int | float


@dataclass(frozen=True, eq=False)
class Literal(Tree):
    """true, false or none."""

    value: bool | None


@dataclass(frozen=True, eq=False)
class Text(Tree):
    """A string: pieces of text and the expressions between them."""

    parts: tuple[str | Expression, ...]


@dataclass(frozen=True, eq=False)
class List(Tree):
    items: tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class Tuple(Tree):
    items: tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class Group(Tree):
    """Parentheses."""

    inner: Expression


@dataclass(frozen=True, eq=False)
class Attribute(Tree):
    """`base.name`; a number after the dot is a name, too."""

    base: Expression
    name: str


@dataclass(frozen=True, eq=False)
class Slice(Tree):
    start: Expression | None
    stop: Expression | None
    step: Expression | None


@dataclass(frozen=True, eq=False)
class Ellipsis(Tree):
    pass


@dataclass(frozen=True, eq=False)
class Index(Tree):
    base: Expression
    items: tuple[Expression | Slice | Ellipsis, ...]


@dataclass(frozen=True, eq=False)
class Argument(Tree):
    """An argument of a call, by position (no name) or by keyword."""

    name: str | None
    value: Expression


@dataclass(frozen=True, eq=False)
class Call(Tree):
    function: Expression
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, eq=False)
class Unary(Tree):
    operator: str
    operand: Expression


@dataclass(frozen=True, eq=False)
class Binary(Tree):
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, eq=False)
class Comparison(Tree):
    """a < b == c: each neighbouring pair holds."""

    operands: tuple[Expression, ...]
    operators: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Conditional(Tree):
    then: Expression
    test: Expression
    other: Expression


@dataclass(frozen=True, eq=False)
class Labelled(Tree):
    label: Expression
    step: Expression


@dataclass(frozen=True, eq=False)
class Pipe(Tree):
    """a -> b -> c."""

    steps: tuple[Expression, ...]


Expression: TypeAlias = (
    Name
    | Number
    | Literal
    | Text
    | List
    | Tuple
    | Group
    | Attribute
    | Index
    | Call
    | Unary
    | Binary
    | Comparison
    | Conditional
    | Labelled
    | Pipe
)


@dataclass(frozen=True, eq=False)
class TypeSpec(Tree):
    """float32[N, 3, H, W]; without a dtype any will do."""

    dtype: Name | None
    shape: tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class Declaration(Tree):
    name: Name
    type: TypeSpec


@dataclass(frozen=True, eq=False)
class Input(Tree):
    """`input` or `target`."""

    role: str
    declarations: tuple[Declaration, ...]


@dataclass(frozen=True, eq=False)
class RawParam(Tree):
    """`param` or `buffer`."""

    role: str
    declaration: Declaration
    init: Expression | None


@dataclass(frozen=True, eq=False)
class Assign(Tree):
    names: tuple[Name, ...]
    value: Expression


@dataclass(frozen=True, eq=False)
class For(Tree):
    names: tuple[Name, ...]
    over: Expression
    body: tuple[Statement, ...]


@dataclass(frozen=True, eq=False)
class If(Tree):
    test: Expression
    then: tuple[Statement, ...]
    other: tuple[Statement, ...]


@dataclass(frozen=True, eq=False)
class Output(Tree):
    values: tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class Result(Tree):
    """`loss`, `metric` or `assert`."""

    role: str
    value: Expression


@dataclass(frozen=True, eq=False)
class Initialise(Tree):
    """`init`: how the parameters of the layers below start; a label says of which."""

    value: Expression


Statement: TypeAlias = Input | RawParam | Assign | For | If | Output | Result | Initialise


@dataclass(frozen=True, eq=False)
class Annotation(Tree):
    """int, float, bool, str, layer, or list[...] of one."""

    name: str
    inner: Annotation | None = None

    def __str__(self) -> str:
        return f"{self.name}[{self.inner}]" if self.inner else self.name


@dataclass(frozen=True, eq=False)
class Parameter(Tree):
    name: Name
    annotation: Annotation | None
    default: Expression | None


@dataclass(frozen=True, eq=False)
class Import(Tree):
    path: str


@dataclass(frozen=True, eq=False)
class Function(Tree):
    name: Name
    parameters: tuple[Parameter, ...]
    value: Expression


@dataclass(frozen=True, eq=False)
class Block(Tree):
    """A block, or a net."""

    role: str
    name: Name
    parameters: tuple[Parameter, ...]
    doc: str | None
    body: tuple[Statement, ...]


def all_statements(body: Sequence[Statement]) -> Iterator[Statement]:
    """Those of a body and of the bodies within it."""
    for statement in body:
        yield statement
        if isinstance(statement, For):
            yield from all_statements(statement.body)
        elif isinstance(statement, If):
            yield from all_statements((*statement.then, *statement.other))


@dataclass(frozen=True, eq=False)
class Preset(Tree):
    """net Name = Net(arguments)."""

    name: Name
    value: Expression


@dataclass(frozen=True, eq=False)
class Setting(Tree):
    key: Name
    values: tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class Train(Tree):
    settings: tuple[Setting, ...]


Item: TypeAlias = Import | Function | Block | Preset | Train


@dataclass(frozen=True, eq=False)
class File(Tree):
    """A file. `lost`: the names that statements which could not be read would have bound."""

    version: int | None
    doc: str | None
    items: tuple[Item, ...]
    lost: frozenset[str] = field(default=frozenset())
