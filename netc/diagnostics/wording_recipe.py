"""Turns a mistake in a train block or in a --set of it into a diagnostic: the wording of E0801 to E0812."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from netc.diagnostics.diagnostic import Diagnostic, Note
from netc.diagnostics.source import Span

RECIPES = {
    "wd": "weight_decay",
    "learning_rate": "lr",
    "max_lr": "lr",
    "adam": "adamw",
    "cosine_annealing": "cosine",
    "onecycle": "one_cycle",
    "onecyclelr": "one_cycle",
    "lr_scheduler": "schedule",
    "randomcrop": "random_crop",
    "flip": "horizontal_flip",
    "random_flip": "horizontal_flip",
    "randomflip": "horizontal_flip",
    "hflip": "horizontal_flip",
    "random_horizontal_flip": "horizontal_flip",
    "randomhorizontalflip": "horizontal_flip",
    "size": "size",
    "batchsize": "batch",
}


def _part(span: Span | None, name: str, value: bool) -> Span | None:
    """Of `name value` or `name=value`, the value or the name."""
    found = re.match(rf"{re.escape(name)}\b\s*=?\s*", span.text) if span else None
    if span is None or found is None or found.end() == len(span.text):
        return span
    return (
        Span(span.source, span.start + found.end(), span.end)
        if value
        else Span(span.source, span.start, span.start + len(name))
    )


def nearest(word: str, known: Iterable[str], what: str = "it is one of") -> str:
    """What to write instead of `word`: the nearest known word, or all of them."""
    words = list(known)
    if RECIPES.get(word.lower()) in words:
        return f"did you mean `{RECIPES[word.lower()]}`?"
    close = get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else f"{what} {', '.join(words)}"


def shown(value: Any) -> str:
    """A value as a spec writes it."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}..."'
    if isinstance(value, list | tuple):
        return f"[{', '.join(shown(item) for item in value)}]"
    if isinstance(value, int | float):
        return repr(value)
    return f"a {type(value).__name__.lower()}"


def unknown_setting(name: str, known: Iterable[str], span: Span | None) -> Diagnostic:
    return Diagnostic(
        "E0801",
        f"a train block has no setting `{name}`",
        _part(span, name, False),
        help=nearest(name, known, "its settings are"),
    )


def repeated(what: str, name: str, span: Span | None, first: Span | None) -> Diagnostic:
    return Diagnostic(
        "E0802",
        f"the {what} `{name}` stands here a second time",
        span,
        (Note("first here", first),),
        help="keep one of them",
    )


def unknown_choice(
    setting: str, name: str, known: Iterable[str], span: Span | None, notes: tuple[Note, ...] = ()
) -> Diagnostic:
    return Diagnostic("E0803", f"there is no {setting} `{name}`", span, notes, nearest(name, known))


def unknown_argument(
    owner: str, name: str, known: Iterable[str], span: Span | None, notes: tuple[Note, ...] = ()
) -> Diagnostic:
    words = list(known)
    instead = nearest(name, words, "it takes") if words else "it takes no arguments"
    return Diagnostic(
        "E0804", f"`{owner}` has no argument `{name}`", _part(span, name, False), notes, instead
    )


def wrong_type(
    name: str, expected: str, value: Any, span: Span | None, notes: tuple[Note, ...] = ()
) -> Diagnostic:
    return Diagnostic(
        "E0805", f"`{name}` takes {expected}, not {shown(value)}", _part(span, name, True), notes
    )


def out_of_range(
    name: str, expected: str, value: Any, span: Span | None, notes: tuple[Note, ...] = ()
) -> Diagnostic:
    return Diagnostic(
        "E0806", f"`{name}` must be {expected}, and is {shown(value)}", _part(span, name, True), notes
    )


def missing_argument(owner: str, name: str, expected: str, span: Span | None) -> Diagnostic:
    return Diagnostic(
        "E0807", f"`{owner}` needs `{name}`, {expected}", span, help=f"write {owner}({name}=...)"
    )


def argument_twice(owner: str, name: str, span: Span | None) -> Diagnostic:
    return Diagnostic("E0808", f"`{owner}` is given `{name}` twice", span)


def too_many_arguments(owner: str, given: int, names: tuple[str, ...], span: Span | None) -> Diagnostic:
    takes = f"takes {', '.join(names)}" if names else "takes no arguments"
    return Diagnostic("E0808", f"`{owner}` is given {given} arguments by place and {takes}", span)


def wrong_form(
    setting: str, expected: str, found: str, span: Span | None, notes: tuple[Note, ...] = ()
) -> Diagnostic:
    return Diagnostic("E0809", f"`{setting}` takes {expected}, not {found}", span, notes)


def not_a_setting(span: Span) -> Diagnostic:
    expected = "numbers, strings, lists of them and calls such as sgd(lr=0.1)"
    return Diagnostic("E0809", f"a train block takes {expected}, and this is none of them", span)


def epochs_differ(
    schedule: str, scheduled: int, epochs: int, spans: tuple[Span | None, Span | None]
) -> Diagnostic:
    message = f"`{schedule}` is given {scheduled} epochs, and the setting `epochs` says {epochs}"
    note = Note("the setting is here", spans[1])
    return Diagnostic("E0810", message, spans[0], (note,), "say the number of epochs once")


def nesterov_alone(span: Span | None) -> Diagnostic:
    return Diagnostic(
        "E0810", "`nesterov` is a form of momentum, and `momentum` is 0", span, help="write momentum=0.9"
    )


CALL = re.compile(r"train\.(\w+)\s*=\s*(\w+)\(\s*((?:\w+\s*=\s*[\w.+-]+\s*,?\s*)*)\)\s*\Z")


def bad_override(text: str, why: str) -> Diagnostic:
    call = CALL.match(text[:200])
    return Diagnostic(
        "E0811",
        f"--set {text[:200]} cannot be read: {why}",
        help=f"write {_one_by_one(*call.groups())}" if call else "write --set train.batch=64",
    )


def _one_by_one(setting: str, choice: str, arguments: str) -> str:
    """`optimizer=adamw(lr=1e-3)` as --set takes it: the choice, then each argument."""
    owner = f"train.{setting}.{choice}" if setting == "augment" else "train"
    given = [f"{owner}.{name}={value}" for name, value in re.findall(r"(\w+)\s*=\s*([\w.+-]+)", arguments)]
    return " ".join(f"--set {part}" for part in (f"train.{setting}={choice}", *given))


def unknown_override(text: str, name: str, known: Iterable[str], owner: str) -> Diagnostic:
    return Diagnostic(
        "E0812", f"--set {text[:200]}: {owner} has no `{name[:64]}`", help=nearest(name, known, "there are")
    )
