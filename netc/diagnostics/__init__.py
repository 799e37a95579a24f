"""Sources, spans and diagnostics: what every message is made of. The messages themselves are loaded when one is needed."""

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType

from netc.diagnostics.diagnostic import Diagnostic, Note, Refused
from netc.diagnostics.source import Source, Span

__all__ = ["Diagnostic", "Note", "Refused", "Source", "Span"]
MESSAGES = (
    "habits", "habits_dtypes", "habits_names",
    "wording", "wording_calls", "wording_constants", "wording_deploy", "wording_gradient", "wording_names", "wording_recipe",
    "wording_shapes", "wording_train", "wording_weights",
)  # fmt: skip


def _lazy(name: str) -> ModuleType:
    """The module of that name, which runs when an attribute of it is first asked for."""
    spec = find_spec(name)
    assert spec is not None and spec.loader is not None
    spec.loader = LazyLoader(spec.loader)
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


globals().update({name: _lazy(f"{__name__}.{name}") for name in MESSAGES})
