"""Turns --set strings such as `train.optimizer.lr=0.1` into changes of a drafted recipe."""

import re
import tomllib
from collections.abc import Sequence
from typing import Any

from netc.diagnostics import Diagnostic
from netc.diagnostics import wording_recipe as say
from netc.passes.recipe_draft import Draft, Drafts, Given
from netc.passes.recipe_schema import SETTINGS, SettingKind

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
NONE = "none"


def override(drafts: Drafts, overrides: Sequence[str], found: list[Diagnostic]) -> None:
    """Apply each override in turn; a later one wins."""
    for text in overrides:
        key, equals, right = text.partition("=")
        path = tuple(part.strip() for part in key.split("."))
        value, why = _read(right.strip()) if equals else (None, "it has no `=`")
        if why or path[0] != "train" or len(path) < 2:
            found.append(say.bad_override(text, why or "a setting is train.NAME"))
        else:
            _apply(drafts, path[1:], Given(value, said=text), found)


def _read(text: str) -> tuple[Any, str]:
    """The TOML value that `text` writes, or why it is none; a bare word stands for itself."""
    if WORD.fullmatch(text) and text not in ("true", "false", "inf", "nan"):
        return text, ""
    if "\n" in text or "\r" in text:
        return None, "a value stands on one line"
    try:
        return tomllib.loads(f"value = {text}")["value"], ""
    except (tomllib.TOMLDecodeError, ValueError, RecursionError):
        return None, "what follows `=` is not a TOML value"


def _apply(drafts: Drafts, path: tuple[str, ...], given: Given, found: list[Diagnostic]) -> None:
    name, rest = path[0], path[1:]
    if name not in SETTINGS:
        _apply_short(drafts, path, given, found)
    elif not rest:
        _replace(drafts, name, SETTINGS[name], given, found)
    elif not SETTINGS[name].choices:
        found.append(say.unknown_override(given.said, rest[0], [f"train.{name}"], f"train.{name}"))
    else:
        _apply_argument(drafts, name, rest, given, found)


def _apply_short(drafts: Drafts, path: tuple[str, ...], given: Given, found: list[Diagnostic]) -> None:
    """`train.lr` stands for the argument of that name of the optimiser or the schedule."""
    one_of = {n: _one(drafts, n) for n in ("optimizer", "schedule")}
    owners = [n for n, draft in one_of.items() if draft and path[0] in draft.choice.names]
    if len(path) == 1 and owners:
        _apply_argument(drafts, owners[0], path, given, found)
        return
    short = [a for draft in one_of.values() if draft for a in draft.choice.names]
    found.append(say.unknown_override(given.said, path[0], [*SETTINGS, *short], "train"))


def _one(drafts: Drafts, name: str) -> Draft | None:
    """The draft of a setting with one choice; its default where the block is silent."""
    kind = SETTINGS[name]
    if name not in drafts and kind.default:
        drafts[name] = [Draft(kind.choices[kind.default], {})]
    draft = drafts.get(name)
    return draft[0] if isinstance(draft, list) else None


def _replace(drafts: Drafts, name: str, kind: SettingKind, given: Given, found: list[Diagnostic]) -> None:
    if given.value == NONE and kind.default is None:
        drafts.pop(name, None)
    elif kind.takes:
        drafts[name] = given
        if name == "epochs" and (schedule := _one(drafts, "schedule")):
            schedule.arguments.pop("epochs", None)
    else:
        drafts[name] = _chosen_anew(name, kind, given, found)


def _chosen_anew(name: str, kind: SettingKind, given: Given, found: list[Diagnostic]) -> list[Draft] | None:
    """The choices that the value names, with their default arguments."""
    names = given.value if kind.several and isinstance(given.value, list) else [given.value]
    drafts: dict[str, Draft] = {}
    for one in names:
        if not isinstance(one, str):
            expected = f"one of {', '.join(kind.choices)}"
            found.append(say.wrong_form(name, expected, say.shown(one), None, given.notes))
        elif one not in kind.choices:
            found.append(say.unknown_choice(kind.noun, one, kind.choices, None, given.notes))
        else:
            drafts[one] = Draft(kind.choices[one], {})
    return list(drafts.values()) or None


def _apply_argument(
    drafts: Drafts, name: str, rest: tuple[str, ...], given: Given, found: list[Diagnostic]
) -> None:
    kind = SETTINGS[name]
    if name in drafts and drafts[name] is None:
        return  # the setting itself is already reported
    draft, argument = _target(drafts, name, kind, rest)
    where = f"train.{name}" if draft is None else f"`{draft.choice.name}`"
    if draft is None:
        here = drafts.get(name)
        known = [one.choice.name for one in here] if isinstance(here, list) else []
        found.append(say.unknown_override(given.said, rest[0], known or [*kind.choices], where))
    elif argument not in draft.choice.names:
        found.append(say.unknown_override(given.said, argument, draft.choice.names, where))
    else:
        draft.arguments[argument] = given
        if (name, argument) == ("schedule", "epochs"):
            drafts.pop("epochs", None)


def _target(drafts: Drafts, name: str, kind: SettingKind, rest: tuple[str, ...]) -> tuple[Draft | None, str]:
    """Whose argument is meant, and its name: train.schedule.warmup, train.augment.random_crop.padding."""
    if not kind.several:
        return (_one(drafts, name) if len(rest) == 1 else None), rest[-1]
    here = drafts.get(name)
    known = {one.choice.name: one for one in here} if isinstance(here, list) else {}
    return (known.get(rest[0]) if len(rest) == 2 else None), rest[-1]
