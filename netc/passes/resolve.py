"""Finds names that nothing defines and arguments that no layer has, in branches not taken, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, replace
from typing import Any

from netc.budget import spend
from netc.diagnostics import Diagnostic, Refused, wording_calls, wording_names, wording_shapes
from netc.ops.attributes import BadArgument, bind, parameters_of
from netc.ops.contract import DTYPES, OPS, Mismatch, Op
from netc.ops.initialiser import INITIALISERS, start_keywords
from netc.passes.elaboration.calls import call_places, operand_words, wrong_call
from netc.passes.elaboration.frame import FOUND
from netc.passes.elaboration.instantiate import declarations
from netc.passes.elaboration.numbers import HELPERS
from netc.passes.elaboration.statements import bound
from netc.passes.elaboration.values import Alias, Definition, Function
from netc.passes.load import ANY, Program
from netc.passes.standard import standard
from netc.syntax import tree


def resolve(program: Program) -> list[Diagnostic]:
    """What is wrong whatever the parameters are: the same findings, at the same places, as elaboration's."""
    found: list[Diagnostic] = []
    shared = standard()
    for name in program.scope:
        made = None if name in shared else program.scope[name]
        if not isinstance(made, Definition | Function | Alias):
            continue
        walk = _Walk(made.scope, program.lost, found)
        if isinstance(made, Definition):
            walk.block(made.tree)
        elif isinstance(made, Function):
            walk.parameters(made.tree.parameters)
            walk.expression(made.tree.value)
        else:
            walk.expression(made.tree.value)
    return found


@dataclass
class _Walk:
    """Walks one definition. scope: the names of its file; local: those of the definition itself.

    applied: the calls that are steps of a chain, by identity: these get no more arguments.
    """

    scope: Mapping[str, Any]
    lost: frozenset[str]
    found: list[Diagnostic]
    local: set[str] = field(default_factory=set)
    asserting: bool = False  # an assertion may ask for the number of parameters, `params`
    applied: set[int] = field(default_factory=set)

    def block(self, block: tree.Block) -> None:
        self.parameters(block.parameters)
        body = tuple(tree.all_statements(block.body))
        self.local |= {*bound(block.body), *_sizes(block)}
        self.local |= {n.text for s in body if isinstance(s, tree.For) for n in s.names}
        for statement in body:
            self.statement(statement)

    def parameters(self, parameters: Sequence[tree.Parameter]) -> None:
        """Each default sees the parameters before it."""
        for parameter in parameters:
            if parameter.default is not None:
                self.expression(parameter.default)
            self.local.add(parameter.name.text)

    def statement(self, statement: tree.Statement) -> None:
        match statement:
            case tree.Input(declarations=declared):
                for declaration in declared:
                    self.declared(declaration.type)
            case tree.RawParam(declaration=declaration, init=init):
                self.declared(declaration.type)
                self.all([init] if init is not None else [])
            case tree.Initialise(value=value):
                self.expression(value.step if isinstance(value, tree.Labelled) else value)
            case tree.Assign(value=value) | tree.For(over=value) | tree.If(test=value):
                self.expression(value)
            case tree.Output(values=values):
                self.all(values)
            case tree.Result(role=role, value=value):
                self.result(role, value)

    def result(self, role: str, value: tree.Expression) -> None:
        """The label of a loss or a metric is no layer's; an assertion may ask for the number of parameters."""
        self.asserting = role == "assert"
        self.expression(value.step if role != "assert" and isinstance(value, tree.Labelled) else value)
        self.asserting = False

    def declared(self, spec: tree.TypeSpec) -> None:
        if spec.dtype is not None and spec.dtype.text not in DTYPES:
            self.found.append(wording_names.unknown_dtype(spec.dtype.span, spec.dtype.text, DTYPES))
        for size in spec.shape:
            if not isinstance(size, tree.Name):
                self.expression(size)
            elif not (size.text in self.local or size.text in self.scope or self._lost(size.text)):
                self.found.append(wording_names.unknown_size(size.span, size.text))

    def all(self, nodes: Sequence[Any]) -> None:
        for node in nodes:
            self.expression(node)

    def expression(self, root: Any) -> None:
        """Walks an expression without recursion: a sum may be a very deep tree."""
        stack = [root]
        while stack and len(self.found) < FOUND:
            node = stack.pop()
            spend(1)
            if isinstance(node, tree.Name):
                self.name(node)
            elif isinstance(node, tree.Labelled):
                stack += [*_label_parts(node.label), node.step]
            elif isinstance(node, tree.Tree):
                self.node(node)
                stack += _children(node)

    def name(self, node: tree.Name) -> None:
        name = node.text
        tables = (self.local, self.scope, OPS, INITIALISERS, HELPERS)
        asked = self.asserting and name == "params"
        if not (asked or any(name in table for table in tables) or self._lost(name)):
            known = [n for table in tables for n in table]
            self.found.append(wording_names.unknown_name(node.span, name, known))

    def _lost(self, name: str) -> bool:
        return name in self.lost or ANY in self.lost

    def node(self, node: tree.Tree) -> None:
        if isinstance(node, tree.Call) and isinstance(node.function, tree.Name):
            self.call(node, node.function.text, id(node) not in self.applied)
        elif isinstance(node, tree.Pipe):
            for step in node.steps[1:]:
                step = step.step if isinstance(step, tree.Labelled) else step
                if isinstance(step, tree.Name):
                    self.call(tree.Call(step.span, step, ()), step.text, False)
                self.applied.add(id(step))

    def call(self, node: tree.Call, name: str, waits: bool) -> None:
        """A direct call of an op or of a block: its arguments exist, and none lacks, unless a later call may give it."""
        if name in self.local:
            return
        made = self.scope.get(name)
        if isinstance(made, Definition | Function):
            self.keywords(node, name, [p.name.text for p in made.tree.parameters])
        elif (
            made is None and name in OPS and not (name in HELPERS and not any(a.name for a in node.arguments))
        ):
            self.op(node, OPS[name], waits)
        elif made is None and name in INITIALISERS:
            self.initialiser(node, INITIALISERS[name])

    def initialiser(self, node: tree.Call, kind: Any) -> None:
        """It has no operands and no parameters, and is bound as an op is."""
        if self.keywords(node, kind.name, [name for name, _, _ in parameters_of(kind)]):
            self.bound(node, kind)

    def keywords(self, node: tree.Call, name: str, known: Sequence[str], inputs: Sequence[str] = ()) -> bool:
        wrong = [a for a in node.arguments if a.name is not None and a.name not in known]
        self.found += [
            wording_calls.unknown_argument(a.span, name, str(a.name), known, inputs) for a in wrong[:FOUND]
        ]
        return not wrong

    def op(self, node: tree.Call, kind: type[Op], waits: bool) -> None:
        known = [name for name, _, _ in parameters_of(kind)]
        starts = start_keywords(kind)
        if not kind.extra and not self.keywords(node, kind.name, [*known, *starts], operand_words(kind)):
            return
        bare = replace(node, arguments=tuple(a for a in node.arguments if a.name not in starts))
        self.bound(bare, kind, waits)

    def bound(self, node: tree.Call, kind: type[Op], waits: bool = False) -> None:
        positional = [a.value for a in node.arguments if a.name is None]
        if all(_literal(a.value) for a in node.arguments):
            self.literal(node, kind, positional, waits)
        elif not waits:
            self.missing(node, kind, len(positional))

    def literal(
        self, node: tree.Call, kind: type[Op], positional: Sequence[tree.Expression], waits: bool
    ) -> None:
        """Arguments that are all written out are bound, as elaboration binds them."""
        keywords = {str(a.name): _value(a.value) for a in node.arguments if a.name is not None}
        places = call_places(kind, node, 0)
        try:
            bind(kind, [_value(p) for p in positional], keywords)
        except BadArgument as error:
            if error.kind != "missing" or not waits:
                self.found.append(wrong_call(error, kind, places, node))
        except Mismatch as error:
            self.found.append(
                wording_shapes.mismatch(places.get(error.at, node.span), kind.name, error.message, {}, ())
            )

    def missing(self, node: tree.Call, kind: type[Op], placed: int) -> None:
        given = {a.name for a in node.arguments}
        for i, (name, expected, default) in enumerate(parameters_of(kind)):
            if default is MISSING and i >= placed and name not in given and name != kind.variadic:
                self.found.append(wording_calls.missing_argument(node.span, kind.name, name, expected))
                return


def _sizes(block: tree.Block) -> Iterator[str]:
    """The sizes that declared shapes name for the first time; of targets in nets only."""
    roles = ("input", "target") if block.role == "net" else ("input",)
    for declaration in (d for role in roles for d in declarations(block, role)):
        for size in declaration.type.shape:
            if isinstance(size, tree.Name) and size.text[0].isupper():
                yield size.text


def _label_parts(label: tree.Expression) -> list[Any]:
    """What a label computes: what stands in its brackets and in the holes of its string."""
    parts: list[Any] = []
    while isinstance(label, tree.Index | tree.Attribute):
        parts = [*(label.items if isinstance(label, tree.Index) else ()), *parts]
        label = label.base
    return [*parts, *label.parts] if isinstance(label, tree.Text) else parts


def _children(node: tree.Tree) -> list[Any]:
    parts: list[Any] = []
    for key, value in vars(node).items():
        if key != "span":
            parts += value if isinstance(value, tuple) else [value]
    return parts[::-1]


def _literal(node: tree.Expression) -> bool:
    if isinstance(node, tree.List | tree.Tuple):
        return all(map(_literal, node.items))
    if isinstance(node, tree.Text):
        return all(isinstance(p, str) for p in node.parts)
    return isinstance(node, tree.Number | tree.Literal)


def _value(node: tree.Expression) -> Any:
    match node:
        case tree.Number(value=value) | tree.Literal(value=value):
            return value
        case tree.List(items=items):
            return [_value(i) for i in items]
        case tree.Tuple(items=items):
            return tuple(_value(i) for i in items)
        case tree.Text(parts=parts):
            return "".join(str(p) for p in parts)
    raise Refused()
