"""Checks that emitted source can only build and run tensors: its syntax tree holds nothing else."""

from __future__ import annotations

import ast

from netc.backends.torch_source.allowed import CALLS, NODES


class UnsafeSource(AssertionError):
    """Emitted source holds something that netc never means to emit."""


def check_source(text: str) -> None:
    """Raises UnsafeSource unless `text` is made of the kinds of nodes, names and calls that netc emits."""
    module = ast.parse(text)
    classes = {n.name for n in module.body if isinstance(n, ast.ClassDef)}
    for node in ast.walk(module):
        if type(node).__name__ not in NODES:
            raise UnsafeSource(f"{type(node).__name__} on line {getattr(node, 'lineno', '?')}")
        if isinstance(node, ast.Call):
            _check_call(node, classes)
        if isinstance(node, ast.Attribute) and node.attr.startswith("__") and node.attr != "__init__":
            raise UnsafeSource(f"the attribute {node.attr}")
        if isinstance(node, ast.Import | ast.ImportFrom):
            _check_import(node)


def _check_import(node: ast.Import | ast.ImportFrom) -> None:
    text = ast.unparse(node)
    if text not in ("from collections import OrderedDict", "import torch", "import torch.nn.functional as F", "from torch import nn"):
        raise UnsafeSource(text)


def _check_call(node: ast.Call, classes: set[str]) -> None:
    root = node.func
    while isinstance(root, ast.Attribute | ast.Subscript):
        root = root.value
    if isinstance(root, ast.Call):
        return  # a method of what another call made, which is checked itself
    if isinstance(node.func, ast.Name) and node.func.id not in CALLS | classes and node.func.id != "self":
        raise UnsafeSource(f"a call of {node.func.id}")
