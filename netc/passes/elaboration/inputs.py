"""Turns the declarations of a net's inputs and targets into values, with the axes freed that `--dynamic` names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from netc.diagnostics import Refused, wording_names, wording_shapes
from netc.dims import AnyDim
from netc.ir.module import Type
from netc.passes.elaboration.assertions import mentions
from netc.passes.elaboration.frame import Frame
from netc.passes.elaboration.instantiate import check_dtype, declarations, dimension, enter, fresh
from netc.passes.elaboration.values import POISON, Poisoned
from netc.syntax import tree

ALIASES = {4: {0: "N", 2: "H", 3: "W"}, 3: {0: "N", 2: "L"}, 2: {0: "N"}}  # of axes of inputs, by rank


@dataclass
class _Sizes:
    """The sizes of a net as they are entered. settings: the numbers given for them, which each size takes out."""

    frame: Frame
    settings: dict[str, Any]
    free: list[str] = field(default_factory=list)

    def size(self, name: str) -> AnyDim:
        """The size of that name: a number where one is given, else free."""
        if name not in self.settings:
            self.free.append(name)
            return self.frame.session.size(name)
        number = self.settings.pop(name)
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number < 2**31:
            raise Refused(
                wording_names.bad_setting(f"{name}={number}", "a size is a whole number of at least 1")
            )
        return number


def declare(frame: Frame, settings: dict[str, Any]) -> list[str]:
    """Enters the net's inputs; gives the names of its free sizes. What settings give for sizes is taken out."""
    declared = declarations(frame.definition.tree, "input")
    if not declared and "input" in frame.session.lost:
        return []
    if not declared:
        raise Refused(wording_names.no_input(frame.definition.tree.span, frame.definition.name))
    every = (*declared, *declarations(frame.definition.tree, "target"))
    sizes = _Sizes(frame, settings)
    for expression in (e for d in every for e in d.type.shape):
        if fresh(expression, frame.env):
            assert isinstance(expression, tree.Name)
            frame.env[expression.text] = sizes.size(expression.text)
    named = [
        name for name in frame.env if name not in {p.name.text for p in frame.definition.tree.parameters}
    ]
    for token in sorted(frame.session.dynamic):
        if token not in named:
            _free(frame, token, declared, every, sizes)
    for declaration in declared:
        try:
            _enter_input(frame, declaration)
        except (Refused, Poisoned) as error:
            if isinstance(error, Refused):
                frame.session.report(error)
            frame.env[declaration.name.text] = POISON
    return sizes.free


def declared_shape(frame: Frame, declaration: tree.Declaration) -> tuple[AnyDim, ...]:
    """The shape of an input or a target, as declared but for what is freed."""
    name = declaration.name.text
    return tuple(
        frame.freed[name, i] if (name, i) in frame.freed else dimension(frame, expression)
        for i, expression in enumerate(declaration.type.shape)
    )


def _enter_input(frame: Frame, declaration: tree.Declaration) -> None:
    if declaration.type.dtype is None:
        raise Refused(wording_shapes.dtype_needed(declaration.name.span, declaration.name.text))
    shape = declared_shape(frame, declaration)
    enter(frame, declaration, Type(check_dtype(frame, declaration.type.dtype), shape), frame.inputs)


# -- axes that are freed -----------------------------------------------------------------------------------


def _free(
    frame: Frame,
    token: str,
    inputs: Sequence[tree.Declaration],
    every: Sequence[tree.Declaration],
    sizes: _Sizes,
) -> None:
    """Frees what `token` names: an axis by input and number, a parameter in a shape, or N, H, W or L by its place."""
    fixed = dict(_fixed(frame, every))
    places = [place for place in fixed if f"{place[0]}.{place[1]}" == token]
    if places:
        frame.freed[places[0]] = sizes.size(_unused(frame, token.replace(".", "_"), sizes))
    elif any(isinstance(e, tree.Name) and e.text == token for d in every for e in d.type.shape):
        _free_parameter(frame, token, every, sizes)
    else:
        places = [(d.name.text, i) for d in inputs for i, alias in _aliases(d) if alias == token]
        places = [place for place in places if place in fixed]
        if len({fixed[place] for place in places}) != 1:  # none, or several that are not one size
            raise Refused(
                wording_shapes.no_such_axis(token, len(places), _choices(frame, inputs, every, fixed))
            )
        size = sizes.size(_unused(frame, token, sizes))
        frame.freed.update(dict.fromkeys(places, size))


def _free_parameter(frame: Frame, name: str, every: Sequence[tree.Declaration], sizes: _Sizes) -> None:
    """In the shapes of inputs and targets, the parameter is a free size; elsewhere it stays the number that it is."""
    size = sizes.size(name)
    shapes = replace(frame, env={**frame.env, name: size})
    for declaration in every:
        for i, expression in enumerate(declaration.type.shape):
            if mentions(expression, name):
                frame.freed[declaration.name.text, i] = dimension(shapes, expression)


def _unused(frame: Frame, name: str, sizes: _Sizes) -> str:
    """`name`, or the next like it that neither a size nor anything of the net bears."""
    taken = {*frame.env, *sizes.free, *(p.name.text for p in frame.definition.tree.parameters)}
    while name in taken:
        name += "_"
    return name


def _fixed(frame: Frame, every: Sequence[tree.Declaration]) -> Iterator[tuple[tuple[str, int], int]]:
    """The axes that the spec fixes and that are not freed yet, with their sizes."""
    for declaration in every:
        for i, expression in enumerate(declaration.type.shape):
            place = declaration.name.text, i
            with suppress(Refused, Poisoned):  # which is told where the input is entered
                if place not in frame.freed and isinstance(number := dimension(frame, expression), int):
                    yield place, number


def _aliases(declaration: tree.Declaration) -> list[tuple[int, str]]:
    return list(ALIASES.get(len(declaration.type.shape), {}).items())


def _choices(
    frame: Frame,
    inputs: Sequence[tree.Declaration],
    every: Sequence[tree.Declaration],
    fixed: Mapping[tuple[str, int], int],
) -> list[str]:
    """What `--dynamic` may name here."""
    places = [((d.name.text, i), e) for d in every for i, e in enumerate(d.type.shape)]
    names = {e.text for place, e in places if place in fixed and isinstance(e, tree.Name)}
    aliases = {alias: set[int]() for d in inputs for _, alias in _aliases(d)}
    for declaration in inputs:
        for i, alias in _aliases(declaration):
            aliases[alias] |= {fixed[place] for place in [(declaration.name.text, i)] if place in fixed}
    names |= {alias for alias, numbers in aliases.items() if len(numbers) == 1 and alias not in frame.env}
    return [*sorted(names), *(f"{name}.{i}" for name, i in fixed)]
