"""A diagnostic is data: what is wrong, where, how it came about and what to write instead."""

from dataclasses import dataclass, replace

from netc.diagnostics.source import Span


@dataclass(frozen=True, slots=True)
class Note:
    """One more fact, with the place it comes from where there is one."""

    text: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `code` leads to a page; `message` is one sentence in the user's terms."""

    code: str
    message: str
    span: Span | None = None
    notes: tuple[Note, ...] = ()
    help: str | None = None

    def noting(self, *notes: Note) -> "Diagnostic":
        """The same finding with more notes behind its own."""
        return replace(self, notes=(*self.notes, *notes))


class Refused(Exception):
    """What was asked cannot be done; `diagnostics` says why."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(f"{d.code}: {d.message}" for d in diagnostics))
        self.diagnostics = diagnostics
