"""Runs the loops of docs/training.md on an emitted net, and compiles other nets as that page does."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from emitted import RIGHT, ROOT, made, net_of, training_of
from safetensors.torch import load_file

from netc.autodiff.trial import trials
from netc.ir.module import Net, results
from netc.passes.inline import inline

PAGE = (ROOT / "docs" / "training.md").read_text()
SHOWN = {
    "resnet_cifar": "ResNetNarrow",
    "googlenet": "GoogLeNet",
    "char": "CharTransformer",
    "siamese": "Siamese",
}
NETS = [(ROOT / "specs" / f"{file}.net", name) for file, name in SHOWN.items()]
NETS += [(path, None) for path in RIGHT if path.name[:2] in ("08", "19", "22", "30")]


def program(label: str) -> str:
    (code,) = re.findall(rf"^```python {label}\n(.*?)^```$", PAGE, re.S | re.M)
    return str(code)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's command has left the emitted file."""
    folder = tmp_path_factory.mktemp("loops")
    (command,) = re.findall(r"^```sh module\n(.*?)^```$", PAGE, re.S | re.M)
    run([sys.executable, "-m", *command.replace("specs/", f"{ROOT}/specs/").split()], folder)
    return folder


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def plain(folder: Path) -> list[float]:
    """The losses of the loop in one process."""
    said = run([sys.executable, "-c", program("loop")], folder)
    return [float(x) for x in re.findall(r"loss (\S+)", said)]


def test_a_loop_in_one_process(folder: Path, plain: list[float]) -> None:
    assert len(plain) == 20 and plain[-1] < 0.5 * plain[0]
    weights = torch.load(folder / "digits_cnn.pt", weights_only=True)
    assert set(weights) == set(load_file(folder / "digits_cnn.safetensors"))


@pytest.mark.skipif(
    not shutil.which("gcc") and not shutil.which("cc"), reason="torch.compile needs a C compiler"
)
def test_a_compiled_loop_ends_where_the_plain_one_does(folder: Path, plain: list[float]) -> None:
    compiled = run([sys.executable, "-c", program("compile")], folder)
    # Its dropout draws other masks.
    assert float(compiled.split()[-1]) == pytest.approx(plain[-1], abs=0.1)


def test_two_processes_end_with_one_set_of_weights(folder: Path) -> None:
    code = program("ddp")
    last = 'if rank == 0:\n    torch.save(training.net.state_dict(), "digits_cnn.pt")\n'
    assert last in code
    every = code.replace(last, 'torch.save(training.net.state_dict(), f"{rank}.pt")\n')
    for text, equal in (
        (every, True),
        (every.replace("= parallel(images", "= parallel.module(images"), False),
    ):
        (folder / "ddp.py").write_text(text)
        launch = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc-per-node",
            "2",
            "--standalone",
            "ddp.py",
        ]
        run(launch, folder)
        one, other = (torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2))
        parameters = [name for name in one if "running" not in name]
        assert all(torch.equal(one[name], other[name]) for name in parameters) is equal


@pytest.mark.parametrize(("path", "name"), NETS, ids=lambda x: getattr(x, "stem", x))
def test_a_net_compiles_into_one_graph(path: Path, name: str | None) -> None:
    net = net_of(path, name)
    training = training_of(made(net))
    given = first_inputs(net)
    compiled = torch.compile(training, fullgraph=True, backend="eager")
    with torch.no_grad():
        for plain, graph in zip(training(*given), compiled(*given), strict=True):
            assert list(plain) == list(graph)
            for key, value in plain.items():
                torch.testing.assert_close(graph[key], value)
    torch._dynamo.reset()


def first_inputs(net: Net) -> list[torch.Tensor]:
    trial = trials(net, inline(net, tuple(results(net).values())))[0]
    return [torch.from_numpy(trial.inputs[v.hint]) for v in (*net.block.inputs, *net.targets)]
