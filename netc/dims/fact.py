"""What is known of a free size: a multiple of, at least, at most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import lcm
from typing import TypeAlias


@dataclass(frozen=True)
class Fact:
    """What must hold of a free size for the network to be right. maximum: None where there is none."""

    name: str
    multiple: int = 1
    minimum: int = 1
    maximum: int | None = None

    def __str__(self) -> str:
        parts = [f"{self.name} % {self.multiple} == 0"] if self.multiple > 1 else []
        parts += [f"{self.name} >= {self.minimum}"] if self.minimum > max(1, self.multiple) else []
        parts += [f"{self.name} <= {self.maximum}"] if self.maximum is not None else []
        return " and ".join(parts)

    def joined(self, other: Fact) -> Fact:
        """Both facts of one size."""
        limits = [m for m in (self.maximum, other.maximum) if m is not None]
        return Fact(
            self.name,
            lcm(self.multiple, other.multiple),
            max(self.minimum, other.minimum),
            min(limits, default=None),
        )

    @property
    def least(self) -> int:
        """The least size that meets the fact, where any does."""
        return max(1, -(-self.minimum // self.multiple)) * self.multiple

    @property
    def possible(self) -> bool:
        """Whether any size meets the fact."""
        return self.maximum is None or self.least <= self.maximum

    def admits(self, number: int) -> bool:
        """Whether `number` meets the fact."""
        above = self.maximum is not None and number > self.maximum
        return number >= self.minimum and number % self.multiple == 0 and not above


Facts: TypeAlias = Mapping[str, Fact]


def joined(facts: Iterable[Fact]) -> dict[str, Fact]:
    """One fact for each size."""
    out: dict[str, Fact] = {}
    for fact in facts:
        held = out.get(fact.name)
        out[fact.name] = held.joined(fact) if held is not None else fact
    return out
