"""Turns the docstring of an op into its parts: the formula, prose, and what it says on shape, gradient and source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from inspect import cleandoc

SECTION = re.compile(r"(Shape|Gradient|Source): *(.*)")


@dataclass(frozen=True)
class Prose:
    """What the docstring of an op says. A part that it lacks is empty.

    formula: the first paragraph. notes: paragraphs that belong to no section, in order.
    """

    formula: str = ""
    notes: str = ""
    shape: str = ""
    gradient: str = ""
    source: str = ""

    @property
    def lacks(self) -> tuple[str, ...]:
        """The parts that every op must have and this one has not."""
        wanted = ("formula", "shape", "gradient", "source")
        return tuple(part for part in wanted if not getattr(self, part))

    @property
    def headline(self) -> str:
        """The formula, in one line."""
        return self.formula.split("\n")[0]


def prose(docstring: str | None) -> Prose:
    """The parts of `docstring`. A section runs to the next one or to an empty line."""
    parts: dict[str, list[str]] = {"formula": [], "notes": [], "shape": [], "gradient": [], "source": []}
    current = "formula"
    for line in cleandoc(docstring or "").split("\n"):
        found = SECTION.fullmatch(line)
        if found:
            current = found[1].lower()
        elif not line and parts[current]:
            current = "notes"
        parts[current].append(found[2] if found else line)
    joined = {name: "\n".join(lines).strip() for name, lines in parts.items()}
    joined["notes"] = re.sub(r"\n{3,}", "\n\n", joined["notes"])
    return Prose(**joined)
