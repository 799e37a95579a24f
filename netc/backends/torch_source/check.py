"""Checks that emitted source can only build and run tensors: its syntax tree holds nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from netc.backends.torch_source.allowed import BASES, BUILTINS, CALLED, IMPORTS, METHODS, NODES, SELF, TORCH
from netc.passes.elaboration.naming import MODULE

START = re.compile(r"# Written by netc [\w.+]+\.\n\n")
MODULES = frozenset({"torch", "nn", "F", "Tensor", "OrderedDict"})
PATH = re.compile(r"[A-Za-z0-9_-]+\Z")
TRUNKS = frozenset({"_trunk", "_trunk_"})


class UnsafeSource(AssertionError):
    """Emitted source holds something that netc never means to emit."""


def check_source(text: str) -> None:
    """Raises UnsafeSource unless `text` is made of the statements, names and calls that netc emits."""
    _require(START.match(text) is not None, "the first two lines")
    _require(all(c == "\n" or c.isprintable() for c in text), "a control character")
    module = ast.parse(text)
    for node in ast.walk(module):
        kind = type(node).__name__
        _require(kind in NODES, f"{kind} on line {getattr(node, 'lineno', '?')}")
    classes = {n.name for n in module.body if isinstance(n, ast.ClassDef)}
    _require(not classes & (MODULES | BUILTINS), "a class that hides a name of the module")
    for statement in module.body:
        if isinstance(statement, ast.ClassDef):
            _class(statement, classes)
        else:
            _require(ast.unparse(statement) in IMPORTS, ast.unparse(statement)[:80])


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise UnsafeSource(what)


def _class(made: ast.ClassDef, classes: set[str]) -> None:
    plain = not made.decorator_list and not made.keywords and len(made.bases) == 1
    _require(plain and ast.unparse(made.bases[0]) in BASES, f"the head of class {made.name}")
    for statement in made.body:
        if isinstance(statement, ast.FunctionDef):
            _method(statement, classes)
        else:
            plain = _is_docstring(statement) or ast.unparse(statement) == f"{_annotated(statement)}: Tensor"
            _require(plain, f"in class {made.name}: {ast.unparse(statement)[:80]}")


def _annotated(node: ast.stmt) -> str:
    """The name of what is annotated and not assigned."""
    return node.target.id if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else ""


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _method(made: ast.FunctionDef, classes: set[str]) -> None:
    named = made.name in ("__init__", "forward", *TRUNKS)
    _require(sum(isinstance(n, ast.FunctionDef) for n in ast.walk(made)) == 1, "a function in a method")
    plain = (
        not made.decorator_list and not made.args.vararg and not made.args.kwarg and not made.args.kwonlyargs
    )
    _require(named and plain, f"the head of {made.name}")
    names = {a.arg for a in made.args.args}
    names |= {n.id for n in ast.walk(made) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    _require(not names & (MODULES | classes), f"a variable of {made.name}")
    _require(not names & BUILTINS, f"a variable of {made.name}")
    callable_names = {*CALLED, *classes}
    for node in ast.walk(made):
        _node(node, {*names, *MODULES, *BUILTINS, *classes}, callable_names)


def _node(node: ast.AST, known: set[str], callable_names: set[str]) -> None:
    if isinstance(node, ast.Name):
        _require(node.id in known, f"the name {node.id}")
    elif isinstance(node, ast.Attribute):
        _attribute(node)
    elif isinstance(node, ast.Call):
        _call(node, callable_names)
    elif isinstance(node, ast.Expr):
        _require(_is_docstring(node) or isinstance(node.value, ast.Call), ast.unparse(node)[:80])
    elif isinstance(node, ast.Raise):
        _require(ast.unparse(node).startswith("raise ValueError("), ast.unparse(node)[:80])
    elif isinstance(node, ast.Import | ast.ImportFrom | ast.ClassDef):
        _require(False, "a definition in a method")
    elif isinstance(node, ast.Constant):
        _require(isinstance(node.value, str | int | float | None), f"the constant {node.value!r}")
    elif isinstance(node, ast.FormattedValue):
        _require(node.conversion == -1 and node.format_spec is None, "a format")


def _chain(node: ast.expr) -> Iterator[str]:
    """The names in torch.nn.init, outermost last; none where it is not so plain."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id
        yield from reversed(names)


def _attribute(node: ast.Attribute) -> None:
    """An attribute read, called or assigned."""
    root, *names = list(_chain(node)) or [""]
    what = f"the attribute {ast.unparse(node)[:80]}"
    if isinstance(node.ctx, ast.Store):
        _require(root == "self" and len(names) == 1 and _is_child(names[0]), what)
    elif root in ("torch", "nn", "F"):
        _require(_is_public(root, names), what)
    elif root == "self":
        names = names[1:] if names[0] == "net" and names[1:] else names  # in Training
        _require(names[0] in SELF | TRUNKS or _is_child(names[0]), what)
        _require(all(n in METHODS or _is_child(n) for n in names[1:]), what)
    else:
        started = isinstance(node.value, ast.Call) and ast.unparse(node) == "super().__init__"
        method = node.attr in METHODS or (
            isinstance(node.value, ast.Call | ast.Subscript) and _is_child(node.attr) and _of_self(node)
        )
        _require(root not in MODULES and (started or method), what)


def _is_child(name: str) -> bool:
    return not name.startswith("__") and name not in MODULE


def _of_self(node: ast.expr) -> bool:
    """Whether an attribute is of a child that is read as an item or by getattr."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "getattr"
    return isinstance(node, ast.Name) and node.id == "self"


def _is_public(root: str, names: list[str]) -> bool:
    """Whether a name of torch is one that builds a layer or computes a tensor."""
    text = ".".join(names)
    if root == "torch":
        return text in TORCH
    if root == "F":
        return re.fullmatch(r"[a-z]\w*", text) is not None
    return re.fullmatch(r"[A-Z]\w*|init(\.[a-z]\w*_)?", text) is not None


def _call(node: ast.Call, callable_names: set[str]) -> None:
    _require(all(k.arg is not None for k in node.keywords), "** in a call")
    if any(isinstance(a, ast.Starred) for a in node.args):
        _require(
            all(not isinstance(a, ast.Starred) or isinstance(a.value, ast.GeneratorExp) for a in node.args),
            "* in a call",
        )
    if isinstance(node.func, ast.Name):
        _require(node.func.id in callable_names, f"a call of {node.func.id}")
        if node.func.id == "getattr":
            _getattr(node)
        if node.func.id == "super":
            _require(not node.args and not node.keywords, "super with arguments")
    else:
        _require(isinstance(node.func, ast.Attribute | ast.Subscript | ast.Call), "what is called")


def _getattr(node: ast.Call) -> None:
    name = node.args[1].value if len(node.args) == 2 and isinstance(node.args[1], ast.Constant) else None
    fits = (
        isinstance(name, str) and PATH.match(name) is not None and _is_child(name) and _of_self(node.args[0])
    )
    _require(fits and not node.keywords, ast.unparse(node)[:80])
