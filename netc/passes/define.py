"""Turns a definition as it is written into what its name stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netc.passes.elaboration.annotations import check_annotations
from netc.passes.elaboration.naming import check_class
from netc.passes.elaboration.values import Alias, Definition, Function
from netc.syntax import tree


def define(item: tree.Function | tree.Block | tree.Preset, scope: Mapping[str, Any]) -> Any:
    """The block, net, preset or helper; `scope` holds the names that its file sees."""
    if not isinstance(item, tree.Function):
        check_class(item.name.text, item.role if isinstance(item, tree.Block) else "net", item.name.span)
    if isinstance(item, tree.Preset):
        return Alias(item, scope)
    check_annotations(item.parameters)
    return Function(item, scope) if isinstance(item, tree.Function) else Definition(item, scope)
