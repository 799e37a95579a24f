"""The rooms: what each may import, what no phase may name, what verbs never load; and the lists of reserved names."""

from __future__ import annotations

import ast
import builtins
import keyword
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from in_memory import HEAD, codes
from torch import nn

from netc.ops.contract import OPS
from netc.passes.elaboration.naming import MODULE, PRIVATE, hides
from netc.passes.elaboration.numbers import HELPERS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "netc"
ROOMS = (
    "budget dims diagnostics files syntax ops std ir passes autodiff backends train deploy fuzz cli".split()
)
FILES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE)
OUTSIDE = {
    "torch": {"train", "fuzz"}, "onnx": {"backends"}, "lark": {"syntax"}, "onnxruntime": {"deploy", "fuzz"}, "click": {"cli"},
    "safetensors": {"train"}, "PIL": {"train", "deploy"}, "matplotlib": {"train"}, "rich": {"train", "cli"},
}  # fmt: skip


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The full names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_rooms_are_all_there() -> None:
    assert {room(p) for p in FILES} == set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_from_those_before_it(path: Path) -> None:
    before = ROOMS[: ROOMS.index(room(path)) + 1]
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "netc" and len(parts) > 1 and parts[1] in ROOMS:
            assert parts[1] in before, f"{path} imports {name}"
        allowed = OUTSIDE.get(parts[0])
        assert allowed is None or room(path) in allowed, f"{path} imports {name}"


# -- no phase names an op -----------------------------------------------------------------------------

PHASES = ("syntax", "ir", "passes", "autodiff", "backends", "deploy", "fuzz")
GENERAL = {"contract", "code", "attributes", "arrays", "notation", "initialiser", "index_range"}
ABOUT_OPS = {"patterns.py", "known_issues.py"}  # what others are known to do otherwise in an op
WORDS = {  # of other meanings: compile-time helpers, parameters of initialisers, ONNX's own names
    "autodiff/step.py": {"step"},  # of training
    "autodiff/tape.py": {"reshape", "permute", "sum", "mean", "max"},  # methods that gradient rules call
    "passes/elaboration/numbers.py": set(HELPERS),
    "backends/to_onnx.py": {"Identity"},
    "backends/onnx_graph.py": {"Identity"},
}


@pytest.mark.parametrize(
    "path", [p for p in FILES if room(p) in PHASES], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_phases_never_name_an_op(path: Path) -> None:
    for name in imported(path):
        parts = name.split(".")
        if parts[:2] == ["netc", "ops"] and len(parts) > 2:
            assert parts[2] in GENERAL, f"{path} imports the family {name}"
    if path.name in ABOUT_OPS:
        return
    written = {
        n.value
        for n in ast.walk(ast.parse(path.read_text()))
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }
    assert written & set(OPS) <= WORDS.get(str(path.relative_to(PACKAGE)), set())


# -- what verbs never load ----------------------------------------------------------------------------

PROBE = """
import sys
from netc.cli.main import cli
try:
    cli.main(sys.argv[1:], standalone_mode=False)
except SystemExit as end:
    assert not end.code, end.code
loaded = {name.split(".")[0] for name in sys.modules}
print("LOADED", *sorted(loaded & {"torch", "onnx", "onnxruntime", "numpy", "matplotlib", "rich", "PIL"}), file=sys.stderr)
"""


def loaded(*arguments: str) -> set[str]:
    """The heavy packages that a verb loads."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return set(done.stderr.split("LOADED")[-1].split())


def test_check_and_show_load_nothing_heavy() -> None:
    assert loaded("check", "specs/lenet.net", "specs/unet.net") == set()
    assert loaded("show", "specs/lenet.net") <= {"numpy"}
    assert loaded("show", "specs/lenet.net", "--ir") <= {"numpy"}
    assert loaded("explain", "E0203") == set()


def test_compile_needs_no_torch(tmp_path: Path) -> None:
    for target in ("onnx", "torch", "all"):
        assert loaded("compile", "specs/lenet.net", "--target", target, "-o", str(tmp_path)) <= {
            "numpy",
            "onnx",
        }


def test_the_probe_sees_torch() -> None:
    """Else the tests above could not fail."""
    done = subprocess.run(
        [sys.executable, "-c", "import torch\n" + PROBE, "explain"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert {"torch", "numpy"} <= set(done.stderr.split("LOADED")[-1].split())


THREADS = """
import sys, threading
sys.setswitchinterval(1e-6)
from netc.diagnostics import wording_names, wording_train
errors, start = [], threading.Barrier(16)

def ask():
    start.wait()
    try:
        wording_train.other_classes("a", ["x"], ["y"])
        wording_names.no_net("x")
    except Exception as error:
        errors.append(error)

threads = [threading.Thread(target=ask) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(str(errors) if errors else 0)
"""


def test_the_wording_of_messages_is_whole_for_every_thread() -> None:
    """Images are read by several threads, and the first that is damaged makes them load it at once."""
    subprocess.run([sys.executable, "-c", THREADS], cwd=ROOT, check=True)


# -- reserved names -----------------------------------------------------------------------------------

HOLDERS = (nn.Module, nn.Sequential, nn.ModuleList, nn.ModuleDict)


@pytest.mark.parametrize("holder", HOLDERS)
def test_every_attribute_of_a_module_is_reserved(holder: type[nn.Module]) -> None:
    made = holder()
    names = {*dir(holder), *vars(made), *dir(made)}
    assert not {n for n in names if not hides(n)}


def test_reserved_names_are_torchs() -> None:
    """A list that grew beyond torch's would refuse names for nothing. `loss` is the emitted module's own."""
    names = {name for holder in HOLDERS for name in (*dir(holder()), *vars(holder()))}
    annotated = {name for holder in HOLDERS for name in getattr(holder, "__annotations__", {})}
    assert set(MODULE) - names - annotated - {"loss"} <= OLDER
    assert {f"_{name}" for name in PRIVATE} - names <= OLDER


OLDER = {
    "T_destination",
    "mtia",
    "ipu",
    "xpu",
    "set_submodule",
    "_replicate_for_data_parallel",
    "_register_state_dict_hook",
}


def refused_as(kind: str, name: str) -> list[str]:
    texts = {
        "layer": f'{HEAD}    output x -> "{name}": Linear(3)\n}}\n',
        "block": f"block {name} {{\n input x: [N, C]\n output relu(x)\n}}\n{HEAD}    output x -> {name}\n}}\n",
    }
    return codes(texts[kind])


@pytest.mark.parametrize("name", [*keyword.kwlist, *keyword.softkwlist])
def test_keywords_of_python_name_no_layer_or_block(name: str) -> None:
    assert refused_as("layer", name) == ["E0504"]
    assert refused_as("block", name)[:1] in (
        [["E0504"], ["E0106"], ["E0105"]] if name in keyword.kwlist else [["E0504"], []]
    )


@pytest.mark.parametrize("name", [n for n in dir(builtins) if n.isidentifier() and not n.startswith("_")])
def test_builtins_name_no_block(name: str) -> None:
    """A class of that name would hide Python's own; an attribute of a module hides nothing."""
    assert refused_as("block", name)[:1] in (["E0504"], ["E0210"], ["E0106"])
