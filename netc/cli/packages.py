"""Turns the name of a module that cannot be imported into the package to install."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from traceback import walk_tb

from netc.diagnostics import Refused
from netc.diagnostics.wording_deploy import missing_package

PACKAGES = {  # by the name that is imported
    "PIL": "pillow", "interegular": "interegular", "lark": "lark", "matplotlib": "matplotlib", "numpy": "numpy",
    "onnx": "onnx", "onnxruntime": "onnxruntime", "rich": "rich", "safetensors": "safetensors", "torch": "torch",
}  # fmt: skip


def require(modules: Iterable[str]) -> None:
    """Refuses, before any work, what needs modules that are not installed, naming all of them."""
    if missing := [name for name in modules if not _is_there(name)]:
        raise Refused(*(missing_package(PACKAGES[name], f"there is no module {name}") for name in missing))


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def refusal(error: ImportError) -> Refused | None:
    """What an import that failed says to a user; None where it is no package's but netc's own fault."""
    modules = [error.name or "", *_modules_of(error)]
    package = next((PACKAGES[top] for name in modules if (top := name.partition(".")[0]) in PACKAGES), None)
    return None if package is None else Refused(missing_package(package, str(error)))


def _modules_of(error: ImportError) -> list[str]:
    """The modules that were being imported, the innermost first: a damaged package names no module."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return [str(frame.f_globals.get("__name__", "")) for frame in reversed(frames)]
