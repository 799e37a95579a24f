"""What onnxruntime's own tools make of the ONNX files: the programs of docs/onnx.md, and products counted beside torch's."""

import os
import re
import subprocess
import sys
from math import isfinite
from pathlib import Path

import onnx
import pytest
from emitted import ROOT, written
from onnxruntime.quantization import quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from netc.backends.onnx_file import write_onnx
from netc.backends.to_onnx import IR_VERSIONS, to_onnx
from netc.backends.weights import Drawn
from netc.passes.initial import state

sys.path.insert(0, str(ROOT / "benchmarks"))

import quantize

PAGE = (ROOT / "docs" / "onnx.md").read_text()
PROGRAM = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.S | re.M))


def compiled(spec: str, net: str, folder: Path) -> Path:
    command = ["compile", str(ROOT / "specs" / f"{spec}.net"), "--net", net, "-o", str(folder)]
    subprocess.run([sys.executable, "-m", "netc", *command], check=True, capture_output=True)
    return next(folder.glob("*.onnx"))


def test_the_page_runs_as_it_stands(tmp_path: Path) -> None:
    (command,) = re.findall(r"^```sh\nnetc (.*?)\n```$", PAGE, re.S | re.M)
    assert command == "compile specs/char.net --net CharTransformer -o ."
    compiled("char", "CharTransformer", tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_page_names_opsets_and_initializers_as_they_are(tmp_path: Path) -> None:
    releases = {opset: release for release, _, opset, *_ in reversed(onnx.helper.VERSION_TABLE)}
    shown = re.findall(r"^\| (\d+) \| ONNX ([\d.]+) \|", PAGE, re.M)
    assert [int(opset) for opset, _ in shown] == [min(IR_VERSIONS), 20, max(IR_VERSIONS)]
    for opset, release in shown:
        assert releases[int(opset)].rpartition(".")[0] == release
    held = set()
    for net in ("CharTransformer", "CharLSTM"):
        folder = tmp_path / net
        held |= {t.name for t in onnx.load(compiled("char", net, folder)).graph.initializer}
    table = re.search(r"^\| initializer \| is \|\n(.*?)\n\n", PAGE, re.S | re.M)
    assert table is not None
    names = re.findall(r"^\| `([^`]+)`", table[1], re.M)
    assert len(names) == 4 and held.issuperset(names)


@pytest.mark.parametrize("net", ["CharTransformer", "CharLSTM"])
def test_tools_find_as_many_products_as_in_a_traced_export(net: str, tmp_path: Path) -> None:
    """All three nets by `python benchmarks/quantize.py`."""
    for name, (ours, theirs) in quantize.measure(net, tmp_path).items():
        assert ours.products >= theirs.products > 0, name
        assert ours.error <= quantize.ERRORS.get(name, 0), name
        assert ours.megabytes <= 1.05 * theirs.megabytes, name
        assert isfinite(theirs.error) or (net, name) == ("CharLSTM", "float16"), name  # onnxruntime 1.31


def test_products_behind_a_transpose_are_not_counted(tmp_path: Path) -> None:
    """The control: the weight of a last layer that is tied to the embedding is turned by a node."""
    text = """net Tied {
        input x: int64[N, 4]
        embed = Embedding(7, 16)
        output ((x -> embed) -> inner: Linear(16)) @ transpose(embed.weight, 0, 1)
    }"""
    net = written(text)
    plain, ready = tmp_path / "plain.onnx", tmp_path / "ready.onnx"
    write_onnx(plain, to_onnx(net), Drawn(state(net)))
    quant_pre_process(str(plain), str(ready))
    counts = {}
    for path in (plain, ready):
        quantize_dynamic(path, tmp_path / "int8.onnx")
        counts[path.stem] = sum(quantize.low_products(onnx.load(tmp_path / "int8.onnx")))
    assert counts == {"plain": 1, "ready": 2}
