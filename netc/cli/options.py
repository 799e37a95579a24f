"""Options that verbs share, and what they become: a program, a net, settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

import click

from netc.budget.deadline import SECONDS, OutOfTime, deadline
from netc.diagnostics import Refused, wording_names, wording_shapes
from netc.files.project import project_reader
from netc.ir.module import Constraint, Net
from netc.passes.check import check
from netc.passes.elaborate import elaborate
from netc.passes.load import Program, complete, load
from netc.syntax.text import FILE_BYTES

if TYPE_CHECKING:
    from netc.deploy.supervised import Limits

STDIN = "stdin.net"  # what messages call standard input
F = TypeVar("F", bound=Callable[..., Any])


class Whole(click.IntRange):
    """A whole number in a range, called so in messages."""

    name = "whole number"


class Number(click.FloatRange):
    """A finite number in a range."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


spec = click.argument("spec", type=click.Path(path_type=str), metavar="SPEC")
net = click.option(
    "--net",
    "net_name",
    metavar="NAME",
    help="The net to take, where the file defines several; `check` and `verify` take all without it.",
)
settings = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a parameter of the net (classes=100, 'depths=[3,4,6,3]') or one of its sizes (N=8); may be repeated.",
)
dynamic = click.option(
    "--dynamic",
    metavar="AXES",
    help="Free axes that the spec fixes: H,W of images, a parameter in a shape, or image.2; refused with the line "
    "that pins one.",
)
form = click.option(
    "--format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="How findings and results are printed.",
)
force = click.option("--force", is_flag=True, help="Overwrite files that netc did not write.")
opset = click.option(
    "--opset", type=Whole(), default=20, show_default=True, metavar="N", help="The ONNX opset, 17 to 23."
)


timeout = click.option(
    "--timeout",
    type=Number(0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="How long an ONNX file may take to be loaded, and for each batch.",
)
memory = click.option(
    "--memory",
    type=Number(0, min_open=True),
    default=4.0,
    show_default=True,
    metavar="GIB",
    help="How much memory an ONNX file may take; watched on Linux.",
)


def limits(timeout: float, memory: float) -> Limits:
    """What --timeout and --memory say."""
    from netc.deploy.supervised import Limits

    return Limits(timeout, int(memory * (1 << 30)))


def read_program(path: str) -> Program:
    """The program in the file at `path`; `-` is standard input, and the name of a spec that comes with netc is that."""
    path = _shipped(path)
    from_disk = project_reader(path, FILE_BYTES)

    def read(name: str) -> bytes:
        if path != "-" or name != STDIN:
            return from_disk(name)
        if sys.stdin is None:
            raise OSError("standard input is closed")
        return sys.stdin.buffer.read(FILE_BYTES + 1)

    with ends_in_time(path):
        return load(STDIN if path == "-" else path, read)


@contextmanager
def ends_in_time(path: str) -> Iterator[None]:
    """Refuses the spec at `path` where checking it takes too much processor time."""
    try:
        with deadline():
            yield
    except OutOfTime:
        raise Refused(wording_shapes.out_of_time(path, SECONDS)) from None


def _shipped(path: str) -> str:
    """The path of the spec of that name which comes with netc; any other path as it is."""
    from netc.cli.specs import shipped_specs

    if not path.isidentifier() or os.path.exists(path):
        return path
    return str(shipped_specs().get(path, path))


def chosen(program: Program, name: str | None) -> str:
    """The net named, or the only one; Refused with the list otherwise."""
    path = program.source.path
    names = complete(program)
    if name is not None:
        if name not in program.nets:
            raise Refused(*program.found, wording_names.unknown_net(path, name, list(program.nets)))
        return name
    if not program.nets:
        raise Refused(*(program.found or (wording_names.no_net(path),)))
    if len(names) != 1 and len(program.nets) != 1:
        raise Refused(*program.found, wording_names.which_net(path, names or list(program.nets)))
    return names[0] if len(names) == 1 else next(iter(program.nets))


def given_settings(sets: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """--set for the net as values, and for the recipe (train.*) as they are."""
    out: dict[str, Any] = {}
    recipe: list[str] = []
    for text in sets:
        key, equals, value = text.partition("=")
        key = key.strip()
        if key == "train" or key.startswith("train."):
            recipe.append(text)
            continue
        if not equals or not key:
            raise Refused(wording_names.bad_setting(text, "a setting is a name, = and a value"))
        out[key] = _value(text, value.strip())
    return out, recipe


def _value(text: str, value: str) -> Any:
    """A value as TOML writes it; a bare word is a string."""
    import tomllib

    try:
        found = tomllib.loads(f"x = {value}")
        if len(found) == 1 and _is_plain(found["x"]):
            return found["x"]
    except (ValueError, RecursionError):
        if value.isidentifier():
            return value
    raise Refused(wording_names.bad_setting(text, f"`{value}` is not a value"))


def _is_plain(value: Any) -> bool:
    """Whether it is a number, a word, true or false, or a list of them: TOML has tables and dates, too."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str)


def axes(dynamic: str | None) -> list[str]:
    """The names in --dynamic."""
    return [name.strip() for name in (dynamic or "").split(",") if name.strip()]


def read_net(
    path: str, name: str | None, sets: Sequence[str], dynamic: str | None = None
) -> tuple[Program, Net]:
    """The program and the net that the options choose."""
    program = read_program(path)
    return program, elaborated(program, chosen(program, name), settings_of_net(sets), dynamic)


def settings_of_net(sets: Sequence[str]) -> dict[str, Any]:
    """--set of a verb that has no recipe."""
    settings, recipe = given_settings(sets)
    if recipe:
        raise Refused(
            *(
                wording_names.bad_setting(text, "only `netc train` and --target onnx-train have a recipe")
                for text in recipe
            )
        )
    return settings


def elaborated(program: Program, name: str, settings: dict[str, Any], dynamic: str | None = None) -> Net:
    """The net as IR, or everything that is wrong; with --dynamic, what pins an axis is why it cannot be free."""
    wanted = axes(dynamic)
    with ends_in_time(program.source.path):
        try:
            net = elaborate(program, name, settings)
        except Refused as refused:
            raise Refused(*(check(program, [name], settings) or refused.diagnostics)) from None
        if not wanted:
            return net
        try:
            return elaborate(program, name, settings, wanted)
        except Refused as refused:
            raise Refused(
                *(wording_shapes.cannot_be_dynamic(wanted, d) for d in refused.diagnostics)
            ) from None


def demand(constraint: Constraint) -> str:
    """What a free size must meet, and the line that demands it."""
    span = constraint.span
    where = f"  ({span.source.path}:{span.line}: {' '.join(span.text.split())[:60]})" if span else ""
    return f"{'the loss ' if constraint.training else ''}runs where {constraint}{where}"
