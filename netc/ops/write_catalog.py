"""Turns the files of netc/ops into the catalog of what each defines: `python -m netc.ops.write_catalog` writes it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import netc.ops
from netc.ops.registry import OPERATORS, OPS, Registry

CATALOG = Path(__file__).with_name("catalog.py")
HEAD = '''"""The ops that each file here defines, by their names and operators: only the files that a spec needs are imported.

Written by `python -m netc.ops.write_catalog`; a test compares it with the ops.
"""

'''


def catalog() -> str:
    """The text of the catalog, from the ops themselves."""
    for module in iter_modules(netc.ops.__path__):
        if module.name != Path(__file__).stem:
            import_module(f"netc.ops.{module.name}")
    return HEAD + _table("NAMES", OPS) + "\n" + _table("OPERATORS", OPERATORS)


def _table(name: str, registry: Registry) -> str:
    """The definition of a dictionary from files to keys, as `ruff format` leaves it alone."""
    keys: dict[str, list[str]] = {}
    for key, op in registry.entered().items():
        keys.setdefault(op.__module__.rpartition(".")[2], []).append(key)
    rows = [f'    "{file}": "{" ".join(keys[file])}",\n' for file in sorted(keys)]
    return f"{name} = {{\n{''.join(rows)}}}\n"


if __name__ == "__main__":
    CATALOG.write_text(catalog(), encoding="utf-8")
