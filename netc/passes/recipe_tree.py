"""Turns the train block of a syntax tree and the --set overrides of it into a checked recipe."""

from collections.abc import Sequence
from typing import Any

from netc.diagnostics import Diagnostic, Refused
from netc.diagnostics import wording_recipe as say
from netc.passes.elaboration.numbers import binary
from netc.passes.recipe import Recipe, read_recipe
from netc.passes.recipe_draft import Entry, Invocation, Setting
from netc.syntax import tree


def recipe_of(train: tree.Train | None, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a spec; raises Refused with one diagnostic for each independent mistake."""
    settings: list[Setting] = []
    found: list[Diagnostic] = []
    for setting in train.settings if train else ():
        try:
            settings.append(_setting(setting))
        except Refused as refused:
            found += refused.diagnostics
        except RecursionError:  # a sum of thousands of terms
            found.append(say.not_a_setting(setting.span))
    try:
        recipe = read_recipe(settings, overrides)
    except Refused as refused:
        raise Refused(*found, *refused.diagnostics) from None
    if found:
        raise Refused(*found)
    return recipe


def _setting(setting: tree.Setting) -> Setting:
    return Setting(setting.key.text, tuple(_entry(value) for value in setting.values), setting.span)


def _entry(node: tree.Expression) -> Entry:
    """A bare name is a call without arguments."""
    if isinstance(node, tree.Name):
        return Invocation(node.text, span=node.span)
    if isinstance(node, tree.Call) and isinstance(node.function, tree.Name):
        return _call(node.function.text, node)
    entry: Entry = _value(node)
    return entry


def _call(name: str, node: tree.Call) -> Invocation:
    by_place = [argument for argument in node.arguments if argument.name is None]
    by_name = [argument for argument in node.arguments if argument.name is not None]
    names = [str(argument.name) for argument in by_name]
    if twice := next((a for i, a in enumerate(by_name) if a.name in names[:i]), None):
        raise Refused(say.argument_twice(name, str(twice.name), twice.span))
    places = {i: a.span for i, a in enumerate(by_place)} | dict(
        zip(names, (a.span for a in by_name), strict=True)
    )
    keywords = {key: _value(argument.value) for key, argument in zip(names, by_name, strict=True)}
    return Invocation(name, tuple(_value(a.value) for a in by_place), keywords, node.span, places)


def _value(node: tree.Expression) -> Any:
    """A number, a string, a list or arithmetic on them."""
    match node:
        case tree.Number(value=value) | tree.Literal(value=value):
            return value
        case tree.Text(parts=parts) if all(isinstance(part, str) for part in parts):
            return "".join(str(part) for part in parts)
        case tree.List(items=items) | tree.Tuple(items=items):
            return [_value(item) for item in items]
        case tree.Group(inner=inner):
            return _value(inner)
        case tree.Unary(operator="-", operand=operand):
            return binary("-", 0, _value(operand), node.span)
        case tree.Binary(operator=operator, left=left, right=right) if operator not in ("and", "or"):
            return binary(operator, _value(left), _value(right), node.span)
    raise Refused(say.not_a_setting(node.span))
