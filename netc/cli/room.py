"""What is refused before anything is allocated: weights that the disk or the memory cannot hold."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from netc.diagnostics import Refused
from netc.diagnostics.wording_weights import no_memory, no_room
from netc.ir.module import Net
from netc.passes.initial import State, bytes_of, state


def check_room(table: State, folder: Path, files: int) -> None:
    """Refuses weights that `folder` could not hold in so many files, or that could not be written in turn."""
    from netc.backends.weights import AHEAD

    sizes = sorted(map(bytes_of, table.values()))
    there = next((p for p in (folder, *folder.absolute().parents) if p.is_dir()), Path("."))
    free = shutil.disk_usage(there).free
    if files * sum(sizes) > free:
        raise Refused(no_room(str(folder), files * sum(sizes), free))
    _check(f"{folder} cannot be written", sum(sizes[-AHEAD - 1 :]))


def check_memory(net: Net, copies: int) -> None:
    """Refuses a net whose weights could not be held so many times over, in float32."""
    _check(f"`{net.name}` cannot be computed", copies * sum(map(bytes_of, state(net).values())))


def _check(what: str, needed: int) -> None:
    there = memory()
    if there and needed > there:
        raise Refused(no_memory(what, needed, there))


def memory() -> int:
    """The bytes of memory of the machine, 0 where it does not tell."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
