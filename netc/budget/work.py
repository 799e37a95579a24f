"""Counts the work of one check, whoever does it, and ends what would take too much."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

WORK = 2_000_000  # steps of a whole check; evaluating one expression is a step, about a microsecond
TOKEN = 8  # steps for reading a word or a sign
ITEMS = 16  # items of a list, or characters of a string, that are copied in one step


class Exhausted(Exception):
    """The work is spent. `place`: where, filled in by the driver."""

    place: Any = None


@dataclass
class Budget:
    """The work of one check. memo: answers that are asked for again within it."""

    limit: int = WORK
    spent: int = 0
    memo: dict[Any, Any] = field(default_factory=dict)
    closed: bool = False

    def spend(self, work: int) -> None:
        """Counts `work`, before it is done. Raises Exhausted where that is too much, from then on always."""
        self.spent += work
        if self.spent > self.limit:
            raise Exhausted

    def close(self) -> None:
        """Ends the check after a finding of its own that makes all that follows too much."""
        self.closed, self.spent = True, self.limit + 1

    @property
    def exhausted(self) -> bool:
        return self.spent > self.limit


_budget: ContextVar[Budget] = ContextVar("_budget")


def budget() -> Budget:
    """The budget in charge; without one, a new one, which ends nothing but what is alone too much."""
    return _budget.get(None) or Budget()


def spend(work: int) -> None:
    """Counts `work` in the budget in charge."""
    budget().spend(work)


@contextmanager
def spending(own: Budget | None = None) -> Iterator[Budget]:
    """Puts `own` in charge; unless it is given, the budget in charge stays, or a new one comes."""
    chosen = own or budget()
    token = _budget.set(chosen)
    try:
        yield chosen
    finally:
        _budget.reset(token)
