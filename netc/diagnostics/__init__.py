"""Sources, spans and diagnostics: what every message is made of."""

from netc.diagnostics.diagnostic import Diagnostic, Note, Refused
from netc.diagnostics.source import Source, Span

__all__ = ["Diagnostic", "Note", "Refused", "Source", "Span"]
