"""Checks arguments against the types of parameters, and puts these types in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from netc.budget import spend
from netc.diagnostics import Diagnostic, Refused, Span, wording_names
from netc.passes.elaboration.values import LAYERS, HelperLayer
from netc.syntax import tree

PLURALS = {
    "int": "whole numbers",
    "float": "numbers",
    "bool": "true or false",
    "str": "strings",
    "layer": "layers",
}
TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a string",
    "layer": "a layer",
}


UNFIT: Final = object()  # what `fit` gives for a value that a type does not take


def fit(annotation: tree.Annotation, value: Any) -> Any:
    """`value` as the type takes it."""
    kind = annotation.name
    if kind == "list":
        if not isinstance(value, list | tuple):
            return UNFIT
        spend(len(value))
        items = [fit(annotation.inner, v) if annotation.inner else v for v in value]
        return UNFIT if any(v is UNFIT for v in items) else items
    if kind == "layer":
        value = replace(value, applies=True) if isinstance(value, HelperLayer) else value
        return value if isinstance(value, LAYERS) else UNFIT
    if kind == "float":
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else UNFIT
    wanted = {"int": int, "bool": bool, "str": str}[kind]
    fits = isinstance(value, wanted) and (kind == "bool" or not isinstance(value, bool))
    return value if fits else UNFIT


def unfit_item(
    annotation: tree.Annotation, value: Any, place: str = ""
) -> tuple[str, Any, tree.Annotation] | None:
    """Of a list, the first item that its annotation does not take: where it is, the item, and what it should be."""
    inner = annotation.inner
    spend(len(value) if isinstance(value, list | tuple) else 0)
    for i, item in enumerate(value if inner and isinstance(value, list | tuple) else ()):
        if inner and fit(inner, item) is UNFIT:
            here = f"{place}[{i}]"
            return unfit_item(inner, item, here) or (here, item, inner)
    return None


def expected(annotation: tree.Annotation | None) -> str:
    """What a parameter takes, in words; nothing where it takes any value."""
    if annotation is None:
        return ""
    if annotation.name == "list":
        return f"a list{_of(annotation)}"
    return TYPES.get(annotation.name, annotation.name)


def _of(annotation: tree.Annotation) -> str:
    """What a list is of, in words: of lists of whole numbers."""
    inner = annotation.inner
    if inner is None:
        return ""
    return f" of lists{_of(inner)}" if inner.name == "list" else f" of {PLURALS[inner.name]}"


def check_annotations(parameters: Sequence[tree.Parameter]) -> None:
    """Refuses what is not the type of a parameter, and two parameters of one name."""
    places: dict[str, Span] = {}
    found: list[Diagnostic] = []
    for parameter in parameters:
        name = parameter.name
        if name.text in places:
            found.append(wording_names.redefined(name.span, name.text, places[name.text], "a parameter"))
        places[name.text] = name.span
        annotation = parameter.annotation
        while annotation is not None:
            if annotation.name not in TYPES and annotation.name != "list":
                found.append(wording_names.unknown_annotation(annotation.span, annotation.name))
            annotation = annotation.inner
    if found:
        raise Refused(*found)
