"""Turns a train block and the --set overrides of it into a checked recipe, or into all of its mistakes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netc.diagnostics import Diagnostic, Refused, Span
from netc.diagnostics import wording_recipe as say
from netc.passes.recipe_draft import Draft, Drafts, Entry, Given, Invocation, Setting, draft
from netc.passes.recipe_override import override
from netc.passes.recipe_schema import REQUIRED, SETTINGS, Argument, SettingKind, Takes

__all__ = ["Chosen", "Entry", "Invocation", "Recipe", "Setting", "read_recipe"]


@dataclass(frozen=True)
class Chosen:
    """An optimiser, a schedule or an augmentation with every argument settled."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Recipe:
    """How to train: everything checked, nothing left to a default."""

    optimizer: Chosen
    schedule: Chosen | None
    augment: tuple[Chosen, ...]
    batch: int
    epochs: int
    ema: float | None
    seed: int


def read_recipe(settings: Sequence[Setting], overrides: Sequence[str] = ()) -> Recipe:
    """The recipe; raises Refused with one diagnostic for each independent mistake."""
    found: list[Diagnostic] = []
    drafts = draft(settings, found)
    override(drafts, overrides, found)
    values = {name: _settled(name, kind, drafts, found) for name, kind in SETTINGS.items()}
    values["epochs"] = _epochs(values, drafts, found)
    _contradictions(values, drafts, found)
    if found:
        raise Refused(*sorted(found, key=_place))
    return Recipe(**values)


def _place(diagnostic: Diagnostic) -> tuple[bool, int]:
    """In the order of the spec, and the overrides after it."""
    span = diagnostic.span
    return (span is None, span.start if span else 0)


def _settled(name: str, kind: SettingKind, drafts: Drafts, found: list[Diagnostic]) -> Any:
    """The value of a setting with its defaults filled in."""
    here = drafts.get(name)
    if isinstance(here, Given):
        assert kind.takes
        return _value(name, kind.takes, here, found)
    if isinstance(here, list):
        chosen = tuple(_chosen(one, found) for one in here)
        return chosen if kind.several else chosen[0]
    if kind.several:
        return ()
    if kind.choices and kind.default:
        choice = kind.choices[kind.default]
        return Chosen(choice.name, {a.name: a.default for a in choice.arguments})
    return kind.default


def _chosen(one: Draft, found: list[Diagnostic]) -> Chosen:
    return Chosen(one.choice.name, {a.name: _argument(a, one, found) for a in one.choice.arguments})


def _argument(argument: Argument, one: Draft, found: list[Diagnostic]) -> Any:
    if argument.name in one.arguments:
        return _value(argument.name, argument.takes, one.arguments[argument.name], found)
    if argument.default is REQUIRED:
        found.append(say.missing_argument(one.choice.name, argument.name, argument.takes.words, one.span))
        return None
    return argument.default


def _value(name: str, takes: Takes, given: Given, found: list[Diagnostic]) -> Any:
    """The value in its type; None, with a finding, where it is wrong."""
    typed = takes.typed(given.value)
    if typed is None:
        found.append(say.wrong_type(name, takes.words, given.value, given.span, given.notes))
    elif not takes.within(typed):
        found.append(say.out_of_range(name, takes.words, given.value, given.span, given.notes))
        return None
    return typed


def _epochs(values: dict[str, Any], drafts: Drafts, found: list[Diagnostic]) -> Any:
    """The number of epochs, said by the schedule or by the setting; the schedule then holds it no more."""
    schedule = values["schedule"]
    if schedule is None:
        return values["epochs"]
    scheduled = schedule.arguments["epochs"]
    values["schedule"] = Chosen(schedule.name, {k: v for k, v in schedule.arguments.items() if k != "epochs"})
    if scheduled is None:
        return values["epochs"]
    setting = drafts.get("epochs")
    if isinstance(setting, Given) and values["epochs"] not in (None, scheduled):
        spans = (_span(drafts, "schedule"), setting.span)
        found.append(say.epochs_differ(schedule.name, scheduled, values["epochs"], spans))
    return scheduled


def _contradictions(values: dict[str, Any], drafts: Drafts, found: list[Diagnostic]) -> None:
    arguments = values["optimizer"].arguments
    if arguments.get("nesterov") and arguments.get("momentum") == 0:
        found.append(say.nesterov_alone(_span(drafts, "optimizer")))


def _span(drafts: Drafts, name: str) -> Span | None:
    here = drafts.get(name)
    return here[0].span if isinstance(here, list) else None
