"""Builds the syntax tree while the parser runs: one method a rule of the grammar."""

from __future__ import annotations

import math
import re
from typing import Any

from lark import Token, Transformer

from netc.diagnostics import wording
from netc.diagnostics.diagnostic import Refused
from netc.diagnostics.source import Source, Span
from netc.syntax import tree

KEPT = {
    "NAME",
    "INT",
    "FLOAT",
    "STRING",
    "DOC",
    "CONSTANT",
    "OR",
    "AND",
    "NOT",
    "PLUS",
    "MINUS",
    "STAR",
    "OPERATOR",
    "POWER",
    "COMPARE",
    "ELLIPSIS",
}
NAME_LENGTH = 64
BRANCHES = 64  # of `else if`, each of which is within the one before
STRING_LENGTH = 4096
HOLE = re.compile(r"(?<!\\)\{([^{}]*)\}")
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "{": "{", "}": "}"}


class Build(Transformer[Token, tree.Tree]):
    """Lark calls a rule's method with all its tokens and parts; `source` and `offset` are set for each parse."""

    source: Source = Source("", "")
    offset: int = 0

    def __init__(self) -> None:
        super().__init__(visit_tokens=False)

    # -- places -----------------------------------------------------------------------------------
    def _span(self, parts: list[Any]) -> Span:
        """From the first of `parts` to the last; newlines do not count."""
        solid = [p for p in parts if isinstance(p, tree.Tree) or (isinstance(p, Token) and p.type != "_NL")]
        if not solid:
            return Span(self.source, self.offset, self.offset)
        return self._of(solid[0]).to(self._of(solid[-1]))

    def _of(self, part: Any) -> Span:
        if isinstance(part, Token):
            return Span(self.source, (part.start_pos or 0) + self.offset, (part.end_pos or 0) + self.offset)
        span: Span = part.span
        return span

    def _parts(self, parts: list[Any]) -> list[Any]:
        return [p for p in parts if not isinstance(p, Token) or p.type in KEPT]

    def _name(self, token: Token) -> tree.Name:
        span = self._of(token)
        if len(token) > NAME_LENGTH:
            raise Refused(wording.name_too_long(span, NAME_LENGTH))
        if token.startswith("__"):
            raise Refused(wording.name_of_python(span))
        return tree.Name(span, str(token))

    # -- items ------------------------------------------------------------------------------------
    def file(self, parts: list[Any]) -> tree.File:
        kept = self._parts(parts)
        version = next((p for p in kept if isinstance(p, int)), None)
        doc = next((p for p in kept if isinstance(p, str)), None)
        items: Any = tuple(p for p in kept if isinstance(p, tree.Tree))
        return tree.File(Span(self.source, 0, len(self.source.text)), version, doc, items)

    def version(self, parts: list[Any]) -> int:
        token = self._parts(parts)[0]
        if str(token) != "1":
            raise Refused(wording.unknown_version(self._of(token), str(token)))
        return 1

    def doc(self, parts: list[Any]) -> str:
        return str(self._parts(parts)[0])[3:-3].strip()

    def import_(self, parts: list[Any]) -> tree.Import:
        return tree.Import(self._span(parts), str(self._parts(parts)[0])[1:-1])

    def function(self, parts: list[Any]) -> tree.Function:
        name, parameters, value = self._parts(parts)
        return tree.Function(self._span(parts), self._name(name), parameters, value)

    def block(self, parts: list[Any]) -> tree.Block:
        return self._block("block", parts)

    def net(self, parts: list[Any]) -> tree.Block:
        return self._block("net", parts)

    def _block(self, role: str, parts: list[Any]) -> tree.Block:
        name, *rest = self._parts(parts)
        parameters = rest[0] if len(rest) == 2 else ()
        doc, body = rest[-1]
        return tree.Block(self._span(parts), role, self._name(name), parameters, doc, body)

    def preset(self, parts: list[Any]) -> tree.Preset:
        name, value = self._parts(parts)
        return tree.Preset(self._span(parts), self._name(name), value)

    def train(self, parts: list[Any]) -> tree.Train:
        return tree.Train(self._span(parts), tuple(self._parts(parts)))

    def setting(self, parts: list[Any]) -> tree.Setting:
        key, *values = self._parts(parts)
        return tree.Setting(self._span(parts), self._name(key), tuple(values))

    def parameters(self, parts: list[Any]) -> tuple[tree.Parameter, ...]:
        return tuple(self._parts(parts))

    def parameter(self, parts: list[Any]) -> tree.Parameter:
        name, *rest = self._parts(parts)
        annotation = rest.pop(0) if rest and isinstance(rest[0], tree.Annotation) else None
        return tree.Parameter(self._span(parts), self._name(name), annotation, rest[0] if rest else None)

    def annotation(self, parts: list[Any]) -> tree.Annotation:
        name, *inner = self._parts(parts)
        return tree.Annotation(self._span(parts), str(name), inner[0] if inner else None)

    # -- statements -------------------------------------------------------------------------------
    def body(self, parts: list[Any]) -> tuple[str | None, tuple[tree.Statement, ...]]:
        kept = self._parts(parts)
        doc = kept.pop(0) if kept and isinstance(kept[0], str) else None
        return doc, tuple(kept)

    def input(self, parts: list[Any]) -> tree.Input:
        return tree.Input(self._span(parts), "input", tuple(self._parts(parts)))

    def target(self, parts: list[Any]) -> tree.Input:
        return tree.Input(self._span(parts), "target", tuple(self._parts(parts)))

    def declaration(self, parts: list[Any]) -> tree.Declaration:
        name, type_ = self._parts(parts)
        return tree.Declaration(self._span(parts), self._name(name), type_)

    def type(self, parts: list[Any]) -> tree.TypeSpec:
        kept = self._parts(parts)
        dtype = self._name(kept.pop(0)) if kept and isinstance(kept[0], Token) else None
        return tree.TypeSpec(self._span(parts), dtype, tuple(kept))

    def param(self, parts: list[Any]) -> tree.RawParam:
        return self._raw("param", parts)

    def buffer(self, parts: list[Any]) -> tree.RawParam:
        return self._raw("buffer", parts)

    def _raw(self, role: str, parts: list[Any]) -> tree.RawParam:
        declaration, *init = self._parts(parts)
        return tree.RawParam(self._span(parts), role, declaration, init[0] if init else None)

    def assign(self, parts: list[Any]) -> tree.Assign:
        *names, value = self._parts(parts)
        return tree.Assign(self._span(parts), tuple(map(self._name, names)), value)

    def names(self, parts: list[Any]) -> list[tree.Name]:
        return [self._name(p) for p in self._parts(parts)]

    def for_(self, parts: list[Any]) -> tree.For:
        names, over, (_, body) = (p for p in parts if not isinstance(p, Token))
        return tree.For(self._span([parts[0], over]), tuple(names), over, body)

    def if_(self, parts: list[Any]) -> tree.If:
        test, (_, then), *other = (p for p in parts if not isinstance(p, Token))
        last: tuple[tree.Statement, ...] = ()
        if other:
            last = (other[0],) if isinstance(other[0], tree.If) else other[0][1]
        made = tree.If(self._span([parts[0], test]), test, then, last)
        count = 0
        while len(last) == 1 and isinstance(last[0], tree.If):
            count, last = count + 1, last[0].other
        if count > BRANCHES:
            raise Refused(wording.too_many_branches(made.span, BRANCHES))
        return made

    def output(self, parts: list[Any]) -> tree.Output:
        return tree.Output(self._span(parts), tuple(self._parts(parts)))

    def loss(self, parts: list[Any]) -> tree.Result:
        return tree.Result(self._span(parts), "loss", self._parts(parts)[0])

    def metric(self, parts: list[Any]) -> tree.Result:
        return tree.Result(self._span(parts), "metric", self._parts(parts)[0])

    def init(self, parts: list[Any]) -> tree.Initialise:
        return tree.Initialise(self._span(parts), self._parts(parts)[0])

    def assert_(self, parts: list[Any]) -> tree.Result:
        return tree.Result(self._span(parts), "assert", self._parts(parts)[0])

    # -- expressions ------------------------------------------------------------------------------
    def conditional(self, parts: list[Any]) -> tree.Conditional:
        return tree.Conditional(self._span(parts), *self._parts(parts))

    def pipe(self, parts: list[Any]) -> tree.Pipe:
        return tree.Pipe(self._span(parts), tuple(self._parts(parts)))

    def labelled(self, parts: list[Any]) -> tree.Labelled:
        return tree.Labelled(self._span(parts), *self._parts(parts))

    def binary(self, parts: list[Any]) -> tree.Binary:
        left, operator, right = self._parts(parts)
        return tree.Binary(self._span(parts), str(operator), left, right)

    def unary(self, parts: list[Any]) -> tree.Unary:
        operator, operand = self._parts(parts)
        return tree.Unary(self._span(parts), str(operator), operand)

    def comparison(self, parts: list[Any]) -> tree.Comparison:
        kept = self._parts(parts)
        return tree.Comparison(self._span(parts), tuple(kept[::2]), tuple(map(str, kept[1::2])))

    def call(self, parts: list[Any]) -> tree.Call:
        function, *arguments = self._parts(parts)
        made = tuple(a if isinstance(a, tree.Argument) else tree.Argument(a.span, None, a) for a in arguments)
        named = False
        for argument in made:
            if named and argument.name is None:
                raise Refused(wording.positional_after_keyword(argument.span))
            named = named or argument.name is not None
        return tree.Call(self._span(parts), function, made)

    def keyword(self, parts: list[Any]) -> tree.Argument:
        name, value = self._parts(parts)
        return tree.Argument(self._span(parts), str(name), value)

    def index(self, parts: list[Any]) -> tree.Index:
        base, *items = self._parts(parts)
        made = tuple(tree.Ellipsis(self._of(i)) if isinstance(i, Token) else i for i in items)
        return tree.Index(self._span(parts), base, made)

    def slice(self, parts: list[Any]) -> tree.Slice:
        bounds: list[tree.Expression | None] = [None]
        for part in parts:
            if isinstance(part, Token):
                bounds.append(None)
            else:
                bounds[-1] = part
        start, stop, *step = bounds
        return tree.Slice(self._span(parts), start, stop, step[0] if step else None)

    def bound(self, parts: list[Any]) -> tree.Expression:
        inner: tree.Expression = parts[0]
        return inner

    def attribute(self, parts: list[Any]) -> tree.Attribute:
        base, name = self._parts(parts)
        out = base
        for part in str(name).split("."):
            out = tree.Attribute(self._span(parts), out, part)
        return out  # type: ignore[no-any-return]

    def name(self, parts: list[Any]) -> tree.Name:
        return self._name(parts[0])

    def integer(self, parts: list[Any]) -> tree.Number:
        text = str(parts[0])
        if len(text) > 19 or int(text) >= 2**63:
            raise Refused(wording.number_too_large(self._of(parts[0]), "2^63"))
        return tree.Number(self._of(parts[0]), int(text))

    def real(self, parts: list[Any]) -> tree.Number:
        number = float(str(parts[0])[:400])
        if not math.isfinite(number):
            raise Refused(wording.number_too_large(self._of(parts[0]), "1.8e308"))
        return tree.Number(self._of(parts[0]), number)

    def constant(self, parts: list[Any]) -> tree.Literal:
        return tree.Literal(self._of(parts[0]), {"true": True, "false": False, "none": None}[str(parts[0])])

    def text(self, parts: list[Any]) -> tree.Text:
        span = self._of(parts[0])
        if len(parts[0]) - 2 > STRING_LENGTH:
            raise Refused(wording.string_too_long(span, STRING_LENGTH))
        return tree.Text(span, self._interpolate(str(parts[0])[1:-1], span.start + 1))

    def _interpolate(self, text: str, start: int) -> tuple[str | tree.Expression, ...]:
        from netc.syntax.parse import parse_expression

        parts: list[str | tree.Expression] = []
        for i, part in enumerate(HOLE.split(text)):
            if i % 2:
                parts.append(parse_expression(self.source, Span(self.source, start, start + len(part))))
                start += 1
            elif part:
                parts.append(re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[0]), part))
            start += len(part) + (1 if i % 2 == 0 else 0)
        return tuple(parts)

    def group(self, parts: list[Any]) -> tree.Group:
        return tree.Group(self._span(parts), self._parts(parts)[0])

    def tuple_(self, parts: list[Any]) -> tree.Tuple:
        return tree.Tuple(self._span(parts), tuple(self._parts(parts)))

    def list_(self, parts: list[Any]) -> tree.List:
        return tree.List(self._span(parts), tuple(self._parts(parts)))
