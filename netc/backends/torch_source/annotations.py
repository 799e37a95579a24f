"""Tells of an expression whether a type checker takes it for a tensor, or for Any, as it does what a module gives."""

from __future__ import annotations

import ast
from collections.abc import Mapping

ANY = frozenset({"torch.linalg.vector_norm"})  # functions whose result torch does not annotate
OWN = frozenset({"get_parameter", "get_buffer"})  # methods of a module that give a tensor


def is_typed(text: str, variables: Mapping[str, bool]) -> bool:
    """Whether the type of an expression is told. variables: whether that of each variable is; a size's always is."""
    return _typed(ast.parse(text, mode="eval").body, variables)


def untyped(text: str, variables: Mapping[str, bool]) -> list[str]:
    """The variables in an expression of which the type is not told."""
    names = (node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name))
    return [name for name in dict.fromkeys(names) if not variables.get(name, True)]


def _typed(node: ast.expr, variables: Mapping[str, bool]) -> bool:
    match node:
        case ast.Name(id=name):
            return variables.get(name, True)
        case ast.Call(func=ast.Attribute() as function):
            return _gives_typed(function, variables)
        case ast.Call():
            return False
        case ast.BinOp(left=left, right=right) | ast.IfExp(body=left, orelse=right):
            return _typed(left, variables) and _typed(right, variables)
        case ast.Compare(left=left, comparators=[right]):
            return _typed(left, variables) and _typed(right, variables)
        case ast.UnaryOp(operand=inner) | ast.Subscript(value=inner) | ast.Attribute(value=inner):
            return _typed(inner, variables)
    return True


def _gives_typed(function: ast.Attribute, variables: Mapping[str, bool]) -> bool:
    """Of a call: a function of torch gives a tensor, a module gives Any, a method of a tensor what the tensor is."""
    root: ast.expr = function
    while isinstance(root, ast.Attribute):
        root = root.value
    if isinstance(root, ast.Name) and root.id in ("torch", "F"):
        return ast.unparse(function) not in ANY
    if isinstance(root, ast.Name) and root.id == "self":
        return function.attr in OWN or isinstance(function.value, ast.Attribute)  # self.weight.square()
    return _typed(function.value, variables)
