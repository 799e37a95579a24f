"""A mutant: a small edit of one function of netc, made in memory for as long as a process lives."""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any, TypeAlias

Undo: TypeAlias = Callable[[], None]  # puts one thing back


@dataclass(frozen=True)
class Mutant:
    """`old`, which must stand in the source of `where` once, becomes `new`.

    where: "ops.conv:Convolution.onnx", a module within netc and what it defines.
    tests: test files to run where neither samples nor nets notice it.
    equivalent: why nothing can notice it, for one that is kept as a reminder.
    """

    what: str
    where: str
    old: str
    new: str
    oracles: tuple[str, ...]
    tests: tuple[str, ...] = ()
    equivalent: str = ""

    @property
    def module(self) -> ModuleType:
        return import_module(f"netc.{self.where.partition(':')[0]}")

    @property
    def owner(self) -> Any:
        """The class, or the module, that holds what is changed."""
        path = self.where.partition(":")[2].split(".")[:-1]
        found: Any = self.module
        for name in path:
            found = getattr(found, name)
        return found

    @property
    def name(self) -> str:
        return self.where.partition(":")[2].split(".")[-1]

    def source(self) -> str:
        """What is changed, as it stands."""
        return textwrap.dedent(inspect.getsource(_code(inspect.getattr_static(self.owner, self.name))))

    def fits(self) -> bool:
        """Whether the source still holds what the mutant changes, once."""
        return self.source().count(self.old) == 1

    def plant(self) -> list[Undo]:
        """Changes the function everywhere it is known; gives what puts it back."""
        if not self.fits():
            count = self.source().count(self.old)
            raise LookupError(f"{self.what}: {self.old!r} stands {count} times in {self.where}")
        was = inspect.getattr_static(self.owner, self.name)
        made = _compiled(self.source().replace(self.old, self.new), self.name, self.owner, self.module)
        if not isinstance(self.owner, type):
            return _replace_everywhere(was, made)
        inherited = self.name not in vars(self.owner)
        undo = (
            partial(delattr, self.owner, self.name)
            if inherited
            else partial(setattr, self.owner, self.name, was)
        )
        setattr(self.owner, self.name, made)
        if hasattr(made, "__set_name__"):
            made.__set_name__(self.owner, self.name)
        return [undo]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The same for as long as a block of code runs."""
        undo = self.plant()
        try:
            yield
        finally:
            for back in undo:
                back()


def _code(found: Any) -> Any:
    """The function within a property, a static method or a cache."""
    for inner in ("fget", "func", "__func__", "__wrapped__"):
        if not isinstance(found, FunctionType) and hasattr(found, inner):
            return _code(getattr(found, inner))
    return inspect.unwrap(found) if callable(found) else found


def _compiled(source: str, name: str, owner: Any, module: ModuleType) -> Any:
    """The function, with `super()` of its class."""
    scratch: dict[str, Any] = {}
    outer = f"def _outer(__class__):\n{textwrap.indent(source, '    ')}\n    return {name}\n"
    exec(compile(outer, f"mutant of {module.__name__}", "exec"), module.__dict__, scratch)
    return scratch["_outer"](owner if isinstance(owner, type) else None)


def _replace_everywhere(was: Any, made: Any) -> list[Undo]:
    """In each module that has taken the name, and in tables of functions."""
    undo: list[Undo] = []
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", None)
        if not names or not str(getattr(module, "__name__", "")).startswith(
            ("netc", "test", "op_", "emitted")
        ):
            continue
        for name, value in list(names.items()):
            if value is was:
                undo.append(partial(setattr, module, name, was))
                setattr(module, name, made)
            elif isinstance(value, dict) and name.isupper():
                for key in [k for k, v in value.items() if v is was]:
                    undo.append(partial(value.__setitem__, key, was))
                    value[key] = made
    return undo
