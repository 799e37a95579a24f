"""Turns the settings of a train block into drafts: each argument under its name, nothing checked yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netc.diagnostics import Diagnostic, Note, Span
from netc.diagnostics import wording_recipe as say
from netc.passes.recipe_schema import SETTINGS, Choice, SettingKind, Takes


@dataclass(frozen=True)
class Invocation:
    """`name(positional, keyword=...)`, or a bare name, as the train block writes it.

    `places` are those of the arguments, by their name or their number from 0, where they are known.
    """

    name: str
    positional: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    span: Span | None = None
    places: Mapping[str | int, Span] = field(default_factory=dict)


Entry = Invocation | int | float | str | bool


@dataclass(frozen=True)
class Setting:
    """One line of a train block: a key and its entries, which commas part."""

    key: str
    entries: tuple[Entry, ...]
    span: Span | None = None


@dataclass(frozen=True)
class Given:
    """A value, where it stands, and the --set that it comes from if it does."""

    value: Any
    span: Span | None = None
    said: str = ""

    @property
    def notes(self) -> tuple[Note, ...]:
        return (Note(f"from --set {self.said}"),) if self.said else ()


@dataclass
class Draft:
    """A choice whose arguments have names but are not checked yet."""

    choice: Choice
    arguments: dict[str, Given]
    span: Span | None = None


# A setting that was found wrong stands as None, so that nothing else is reported about it.
Drafts = dict[str, list[Draft] | Given | None]


def draft(settings: Sequence[Setting], found: list[Diagnostic]) -> Drafts:
    """The drafts of all settings; a mistake is added to `found`, and its setting stands as None."""
    drafts: Drafts = {}
    first: dict[str, Span | None] = {}
    for setting in settings:
        if setting.key not in SETTINGS:
            found.append(say.unknown_setting(setting.key, SETTINGS, setting.span))
        elif setting.key in first:
            found.append(say.repeated("setting", setting.key, setting.span, first[setting.key]))
        else:
            first[setting.key] = setting.span
            drafts[setting.key] = _drafted_setting(setting, SETTINGS[setting.key], found)
    return drafts


def _drafted_setting(
    setting: Setting, kind: SettingKind, found: list[Diagnostic]
) -> list[Draft] | Given | None:
    entries = setting.entries
    if not kind.several and len(entries) != 1:
        expected = kind.takes.words if kind.takes else "one choice"
        found.append(say.wrong_form(setting.key, expected, f"{len(entries)} of them", setting.span))
        return None
    if kind.takes:
        return _drafted_value(setting, kind.takes, found)
    drafts: list[Draft] = []
    for entry in entries:
        one = _drafted_choice(setting, entry, kind, found)
        same = next((other for other in drafts if one and other.choice is one.choice), None)
        if one and same:
            found.append(say.repeated(kind.noun, one.choice.name, one.span, same.span))
        elif one:
            drafts.append(one)
    return drafts or None


def _drafted_value(setting: Setting, takes: Takes, found: list[Diagnostic]) -> Given | None:
    entry = setting.entries[0]
    if isinstance(entry, Invocation):
        found.append(say.wrong_form(setting.key, takes.words, f"`{entry.name}`", entry.span or setting.span))
        return None
    return Given(entry, setting.span)


def _drafted_choice(
    setting: Setting, entry: Entry, kind: SettingKind, found: list[Diagnostic]
) -> Draft | None:
    if not isinstance(entry, Invocation):
        expected = f"one of {', '.join(kind.choices)}"
        found.append(say.wrong_form(setting.key, expected, say.shown(entry), setting.span))
        return None
    span = entry.span or setting.span
    if entry.name not in kind.choices:
        found.append(say.unknown_choice(kind.noun, entry.name, kind.choices, span))
        return None
    return _bound(kind.choices[entry.name], entry, span, found)


def _bound(choice: Choice, call: Invocation, span: Span | None, found: list[Diagnostic]) -> Draft:
    """The call's arguments under their names."""
    if len(call.positional) > len(choice.arguments):
        found.append(say.too_many_arguments(choice.name, len(call.positional), choice.names, span))
    arguments = {
        name: Given(value, call.places.get(index, span))
        for index, (name, value) in enumerate(zip(choice.names, call.positional, strict=False))
    }
    for name, value in call.keywords.items():
        place = call.places.get(name, span)
        if name not in choice.names:
            found.append(say.unknown_argument(choice.name, name, choice.names, place))
        elif name in arguments:
            found.append(say.argument_twice(choice.name, name, place))
        else:
            arguments[name] = Given(value, place)
    return Draft(choice, arguments, span)
