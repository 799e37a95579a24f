"""The state of one block's elaboration, and of the whole run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from netc.budget import Budget
from netc.diagnostics import Diagnostic, Note, Refused, Span
from netc.dims import AnyDim, Dim, Facts, Guard, Learn, Prover, show, size, substitute
from netc.ir.module import Block, Param, Path, Step, Value
from netc.ops.index_range import IndexRange, Known
from netc.passes.elaboration.values import Definition, Function, Poisoned, Rule
from netc.syntax import tree

NODES = 25_000
FOUND = 100
COPY = 5  # the work of copying a frame
FINDING = 100  # the work of putting a finding into words


@dataclass(frozen=True)
class Variant:
    """A block elaborated, and what it asked of its caller.

    kinds: what of the whole numbers in its inputs is known. ranges: what then is of those in its outputs.
    """

    block: Block
    guards: tuple[Guard, ...]
    kinds: tuple[Any, ...]
    ranges: Known


@dataclass
class Session:
    """What the blocks of one net share: elaborated variants, findings and the work that is left.

    facts, training: what is known of free sizes, and what is where only the losses need it.
    beside: the statements of the net that only the losses need, by number, as an elaboration before told.
    statements: where the steps of each statement of the net begin and end in its body, by number.
    entangled: whether another statement reads what one of `beside` computed that is no tensor.
    dynamic: the names to give to axes that the spec fixes, by input and axis.
    starting, met: the `init` statements run, each with its body, and those that held for some layer.
    blamed: the calls of standard blocks that are at fault.
    """

    budget: Budget
    facts: Facts
    training: Facts = field(default_factory=dict)
    beside: frozenset[int] = frozenset()
    statements: dict[int, tuple[int, int]] = field(default_factory=dict)
    entangled: bool = False
    dynamic: frozenset[str] = frozenset()
    found: dict[tuple[str, Any, int], Diagnostic] = field(default_factory=dict)
    variants: dict[Any, list[Variant]] = field(default_factory=dict)
    stack: list[Definition] = field(default_factory=list)
    starting: list[tuple[Frame, Rule]] = field(default_factory=list)
    met: set[Rule] = field(default_factory=set)
    blamed: set[Span] = field(default_factory=set)
    lost: frozenset[str] = frozenset()

    def size(self, name: str) -> Dim:
        """A free size, in units of what it is known to be a multiple of."""
        return size(name, self.facts[name].multiple if name in self.facts else 1)

    def spend(self, work: int) -> None:
        """Counts work. What has too many findings is given up."""
        self.budget.spend(work)
        if len(self.found) >= FOUND:
            raise Poisoned

    def report(self, refused: Refused) -> None:
        """Keeps each finding once, however many instances meet it."""
        for d in refused.diagnostics:
            place = (id(d.span.source), d.span.start) if d.span else (0, -1)
            if len(self.found) < FOUND:
                self.found.setdefault((d.code, *place), d)


@dataclass(frozen=True)
class Site:
    """A call that led here: the layer called, and where."""

    name: str
    span: Span


@dataclass(frozen=True)
class Owner:
    """Who owns a path: the instance (by identity), what it is, and where it is written."""

    identity: object
    made: object
    span: Span


@dataclass
class Frame:
    """One block being elaborated."""

    session: Session
    definition: Definition
    env: dict[str, Any]
    prover: Prover
    sites: tuple[Site, ...]
    is_net: bool
    inputs: list[Value] = field(default_factory=list)
    body: list[Step] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    targets: list[Value] = field(default_factory=list)
    losses: dict[str, Value] = field(default_factory=dict)
    metrics: dict[str, Value] = field(default_factory=dict)
    params: dict[Path, Param] = field(default_factory=dict)
    owners: dict[Path, Owner] = field(default_factory=dict)
    prefixes: dict[Path, Span] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    origins: dict[Value, Span] = field(default_factory=dict)
    ranges: dict[Value, IndexRange] = field(default_factory=dict)
    of_losses: set[str] = field(
        default_factory=set
    )  # names that statements for the losses bound to no tensor
    freed: dict[tuple[str, int], AnyDim] = field(default_factory=dict)  # axes of inputs and targets
    deferred: list[tree.Result] = field(default_factory=list)
    helpers: tuple[Function, ...] = ()
    rules: tuple[Rule, ...] = ()
    hint: str = ""
    nodes: int = 0
    asserting: bool = False

    @contextmanager
    def numbered(self) -> Iterator[None]:
        """One statement; of the net, it has a number, and what is known is more where only the losses need it."""
        session, before = self.session, self.prover.facts
        if not self.is_net:
            yield
            return
        number, first = len(session.statements), len(self.body)
        session.statements[number] = first, first
        beside = number in session.beside
        held = dict(self.env) if beside else {}
        try:
            self.prover.facts = session.training if beside else before
            yield
        except Learn as learn:
            learn.beside = learn.beside or beside
            raise
        finally:
            self.prover.facts = before
            session.statements[number] = first, len(self.body)
            if beside:
                bound = {name: x for name, x in self.env.items() if x is not held.get(name)}
                self.of_losses |= {name for name, x in bound.items() if not _tensors(x)}

    def refuse(self, diagnostic: Diagnostic) -> Refused:
        """The finding with the calls that led to this block, innermost first.

        One within a standard block is shown where the user calls it, once for each such call.
        """
        if within := self._called_by_user(diagnostic.span):
            if within.span in self.session.blamed:
                return Refused()
            self.session.blamed.add(within.span)
            inside = Note(f"`{within.name}` is of the standard library, which says", diagnostic.span)
            diagnostic = replace(diagnostic, span=within.span, notes=(inside, *diagnostic.notes))
        notes = [
            Note(f"in `{site.name}`, called here", site.span)
            for site in reversed(self.sites)
            if site.span != diagnostic.span
        ]
        return Refused(diagnostic.noting(*notes[:4]))

    def users(self, span: Span) -> Span:
        """`span`, or where it lies within the standard library the user's call that led there."""
        within = self._called_by_user(span)
        return within.span if within else span

    def _called_by_user(self, span: Span | None) -> Site | None:
        """Of a place within the standard library, the innermost call that is not."""
        from netc.passes.standard import standard

        library = standard().sources
        if span is None or span.source not in library:
            return None
        return next((site for site in reversed(self.sites) if site.span.source not in library), None)

    def origin(self, named: Iterable[tuple[str, Value]]) -> tuple[Note, ...]:
        """The type of each of the values, under the name that the message gives it, and where it comes from."""
        return tuple(
            dict.fromkeys(
                Note(f"{name} is {self.shown(value)}", self.origins.get(value)) for name, value in named
            )
        )

    def shown(self, value: Value) -> str:
        """The type of `value`, with the sizes that this block's caller gives where these tell more."""
        here = tuple(substitute(d, self.prover.given) for d in value.type.shape)
        known = any(isinstance(a, int) and a != b for a, b in zip(here, value.type.shape, strict=True))
        return f"{value.type}, here {show(here)}" if known else str(value.type)

    def name_of(self, value: Value) -> str:
        """The name that `value` is bound to, or an empty one."""
        return next((name for name, held in self.env.items() if held is value), "")


def _tensors(x: Any) -> bool:
    """Whether x is a tensor, or nothing but tensors."""
    return isinstance(x, Value) or (isinstance(x, list | tuple) and all(map(_tensors, x)))
