"""Sources, spans and diagnostics: what every message is made of. The messages themselves are loaded when one is needed."""

import sys
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any

from netc.diagnostics.diagnostic import Diagnostic, Note, Refused
from netc.diagnostics.source import Source, Span

__all__ = ["Diagnostic", "Note", "Refused", "Source", "Span"]
MESSAGES = (
    "habits", "habits_dtypes", "habits_names",
    "wording", "wording_calls", "wording_constants", "wording_deploy", "wording_gradient", "wording_names", "wording_recipe",
    "wording_shapes", "wording_train", "wording_weights",
)  # fmt: skip


_LOADING = RLock()


class _Later(ModuleType):
    """A module that runs when an attribute of it is first asked for; no thread sees a part of it before it is whole."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__} has no attribute {name}")
        with _LOADING:
            if "_whole" not in vars(self):
                spec = self.__spec__
                assert spec is not None and spec.loader is not None
                whole = module_from_spec(spec)
                spec.loader.exec_module(whole)
                vars(self).update({**vars(whole), "_whole": whole})
        try:
            return vars(self)[name]
        except KeyError:
            raise AttributeError(f"module {self.__name__} has no attribute {name}") from None


def _later(name: str) -> ModuleType:
    module = _Later(name)
    module.__spec__ = spec = find_spec(name)
    assert spec is not None
    module.__file__, module.__loader__, module.__package__ = spec.origin, spec.loader, spec.parent
    sys.modules[name] = module
    return module


globals().update({name: _later(f"{__name__}.{name}") for name in MESSAGES})
