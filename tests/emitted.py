"""Specs on disk as nets, their emitted source as classes, and what each says of itself in comments."""

import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from netc.backends.to_torch import to_torch
from netc.diagnostics import Refused
from netc.ir.module import Net
from netc.passes.elaborate import elaborate
from netc.passes.load import complete, load

ROOT = Path(__file__).resolve().parent.parent
RIGHT = sorted((ROOT / "tests" / "soundness" / "right").glob("*.net"))
WRONG = sorted((ROOT / "tests" / "soundness" / "wrong").glob("*.net"))
SPECS = sorted((ROOT / "specs").glob("*.net"))


@cache
def net_of(path: Path, name: str | None = None) -> Net:
    """The net of a file: the one named, that of its line `# net:`, or the only one."""
    program = load(str(path), lambda p: Path(p).read_bytes())
    said = re.search(r"^# net: (\w+)$", path.read_text(), re.M)
    return elaborate(program, name or (said[1] if said else complete(program)[0]))


def written(text: str, name: str | None = None) -> Net:
    """The net of a spec given as text."""
    program = load("spec.net", lambda _: text.encode())
    if program.found:
        raise Refused(*program.found)
    return elaborate(program, name or complete(program)[0])


def nets() -> list[tuple[Path, str]]:
    """Every net of the specs, and of the soundness specs that are right."""
    out = []
    for path in (*SPECS, *RIGHT):
        program = load(str(path), lambda p: Path(p).read_bytes())
        said = re.search(r"^# net: (\w+)$", path.read_text(), re.M)
        out += [(path, name) for name in ([said[1]] if said else complete(program))]
    return out


def sizes_of(path: Path) -> dict[str, int]:
    """The sizes of the line `# sizes:`."""
    said = re.search(r"^# sizes: (.*)$", path.read_text(), re.M)
    assert said is not None, path
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", said[1])}


def run_source(source: str) -> ModuleType:
    """The emitted module, which must not need netc."""
    module = ModuleType("emitted")
    held = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "netc"}
    sys.modules["netc"] = None  # type: ignore[assignment]
    try:
        exec(compile(source, "emitted.py", "exec"), module.__dict__)
    finally:
        del sys.modules["netc"]
        sys.modules.update(held)
    return module


def made(net: Net, source: str | None = None) -> torch.nn.Module:
    """An instance of the net's class."""
    torch.set_num_threads(1)
    module: torch.nn.Module = getattr(run_source(source or to_torch(net)), net.name)()
    return module.eval()


def training_of(module: torch.nn.Module) -> torch.nn.Module:
    """The form of an emitted net for training, in the mode that the net is in."""
    form: torch.nn.Module = module.forward.__func__.__globals__["Training"](module)
    return form.train(module.training)


def loaded(net: Net, weights: dict[str, np.ndarray], source: str | None = None) -> torch.nn.Module:
    """The same with these weights, which must fit strictly."""
    module = made(net, source)
    module.load_state_dict({name: torch.from_numpy(np.asarray(value)) for name, value in weights.items()})
    return module
