"""ONNX files of others: endless, greedy, damaged, answering NaN; each is ended or refused, and what can be answered is."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from netc.cli.main import cli
from netc.deploy.session import logits_of, open_model
from netc.deploy.supervised import Limits
from netc.diagnostics import Refused

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
IMAGES = np.zeros((3, 4, 4, 1), np.uint8)


def constant(name: str, values: object, dtype: type) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, dtype), name)


def export(path: Path, nodes: list[onnx.NodeProto], batch: object = "N", **preprocess: object) -> Path:
    """A model [N, 1, 4, 4] -> [N, 2] of `nodes`, which turn `flat` into `logits`, with netc's metadata."""
    constants = [
        constant("w", np.arange(32).reshape(16, 2) / 32, np.float32), constant("huge", [1 << 15, 1 << 16], np.int64),
        constant("forever", 1 << 60, np.int64), constant("yes", True, bool), constant("nought", 0, np.float32),
    ]  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["image"], ["flat"]), *nodes], "Model",
        [helper.make_tensor_value_info("image", FLOAT, [batch, 1, 4, 4])],
        [helper.make_tensor_value_info("logits", FLOAT, [batch, 2])], constants,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    prepared = {"size": [4, 4], "channels": 1, "mean": [0.5], "std": [0.5], **preprocess}
    helper.set_model_props(
        model, {"netc": json.dumps({"net": "M", "preprocess": prepared, "classes": ["a", "b"]})}
    )
    onnx.save(model, path)
    return path


LINEAR = [helper.make_node("MatMul", ["flat", "w"], ["logits"])]
TURN = helper.make_graph(
    [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Sin", ["old"], ["new"])], "turn",
    [helper.make_tensor_value_info("turn", INT64, []), helper.make_tensor_value_info("go", BOOL, []),
     helper.make_tensor_value_info("old", FLOAT, None)],
    [helper.make_tensor_value_info("on", BOOL, []), helper.make_tensor_value_info("new", FLOAT, None)],
)  # fmt: skip
ENDLESS = [
    helper.make_node("MatMul", ["flat", "w"], ["first"]),
    helper.make_node("Loop", ["forever", "yes", "first"], ["logits"], body=TURN),
]
GREEDY = [  # 8 GiB, which depend on the input, so that they are not folded
    helper.make_node("MatMul", ["flat", "w"], ["first"]),
    helper.make_node("ReduceMean", ["first"], ["mean"], keepdims=0),
    helper.make_node("Expand", ["mean", "huge"], ["wide"]),
    helper.make_node("ReduceMean", ["wide"], ["sum"], keepdims=0),
    helper.make_node("Add", ["first", "sum"], ["logits"]),
]
SILENT = [  # NaN for a picture that is white
    helper.make_node("MatMul", ["flat", "w"], ["first"]),
    helper.make_node("ReduceMean", ["flat"], ["white"], keepdims=1),
    helper.make_node("Identity", ["white"], ["one"]),
    helper.make_node("Constant", [], ["1"], value=constant("v", 1, np.float32)),
    helper.make_node("Sub", ["one", "1"], ["zero"]),
    helper.make_node("Div", ["zero", "zero"], ["nan"]),
    helper.make_node("Add", ["first", "nan"], ["logits"]),
]


def code_of(path: Path, limits: Limits | None = None) -> str:
    """Of the refusal by loading or running a file; "" where it answers."""
    try:
        logits_of(open_model(path, "cpu", limits), IMAGES)
    except Refused as refused:
        assert len(refused.diagnostics) == 1
        return refused.diagnostics[0].code
    return ""


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "netc", "run", *map(os.fspath, arguments)]  # type: ignore[call-overload]
    return subprocess.run(command, capture_output=True, text=True, errors="surrogateescape", check=False)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("L", (4, 4), 10).save(path := tmp_path / "a.png")
    return path


def test_a_file_within_its_limits_answers(tmp_path: Path) -> None:
    model = open_model(export(tmp_path / "m.onnx", LINEAR), "cpu", Limits(60, 1 << 30))
    wanted = np.full((3, 16), -1.0) @ (np.arange(32).reshape(16, 2) / 32)
    assert np.abs(logits_of(model, IMAGES) - wanted).max() < 1e-5


def test_an_endless_file_is_ended(tmp_path: Path) -> None:
    path, began = export(tmp_path / "m.onnx", ENDLESS), time.monotonic()
    assert code_of(path, Limits(seconds=3)) == "E0909"
    assert time.monotonic() - began < 30


def test_a_greedy_file_is_ended_before_it_has_the_memory(tmp_path: Path) -> None:
    assert code_of(export(tmp_path / "m.onnx", GREEDY), Limits(100, 1 << 29)) == "E0910"


def test_a_process_that_dies_is_told(tmp_path: Path) -> None:
    model = open_model(export(tmp_path / "m.onnx", LINEAR), "cpu")
    os.kill(model.process._process.pid, signal.SIGKILL)
    with pytest.raises(Refused, match=r"E0907|ended by SIGKILL"):
        logits_of(model, IMAGES)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_stays_behind(tmp_path: Path, picture: Path, stop: signal.Signals) -> None:
    path = export(tmp_path / "m.onnx", ENDLESS)
    parent = subprocess.Popen(
        [sys.executable, "-m", "netc", "run", str(path), str(picture)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )

    def children() -> list[int]:
        listed = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        return [int(pid) for pid in listed]

    until = time.monotonic() + 60
    while not children() and time.monotonic() < until:
        time.sleep(0.02)
    (child,) = children()
    time.sleep(1.5)
    parent.send_signal(stop)
    parent.wait(30)
    while (
        Path(f"/proc/{child}/cmdline").exists()
        and b"model_process" in Path(f"/proc/{child}/cmdline").read_bytes()
    ):
        assert time.monotonic() < until + 30
        time.sleep(0.05)


def test_what_the_metadata_ask_for_is_bounded(tmp_path: Path) -> None:
    assert code_of(export(tmp_path / "m.onnx", LINEAR, size=[16384, 16384])) == "E0903"
    assert code_of(export(tmp_path / "m.onnx", LINEAR, size=[4096, 4096])) == "E0904"
    path = export(tmp_path / "m.onnx", LINEAR)
    model = onnx.load(path)
    for text in (
        "[" * 100_000,
        '{"a":' * 100_000,
        "[]",
        "{}",
        '{"preprocess": [], "classes": ["a"]}',
        "9" * 5000,
    ):
        model.metadata_props[0].value = text
        onnx.save(model, path)
        assert code_of(path) == "E0903"


@pytest.mark.parametrize("batch", [0, -1, -(1 << 40), 1 << 30, 1 << 62])
def test_a_fixed_batch_of_none_or_too_many_is_refused(tmp_path: Path, batch: int) -> None:
    """onnxruntime takes a negative size as one that is free."""
    code = code_of(export(tmp_path / "m.onnx", LINEAR, batch))
    assert code == "" if batch < 0 else code in ("E0902", "E0904")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "sparse").open("wb").truncate(3 << 30)
    for path in (tmp_path / "fifo", Path("/dev/zero"), tmp_path, tmp_path / "sparse"):
        assert code_of(path, Limits(seconds=60)) == "E0902"


def test_names_that_are_not_utf8(tmp_path: Path, picture: Path) -> None:
    model = export(tmp_path / "m.onnx", LINEAR).rename(
        tmp_path / b"m\xff.onnx".decode(errors="surrogateescape")
    )
    image = picture.rename(tmp_path / b"a\xff\x1b[31m\n.png".decode(errors="surrogateescape"))
    done = run(model, image)
    assert done.returncode == 0 and r"a\udcff\x1b[31m\n.png: a " in done.stdout, done.stderr + done.stdout
    done = run(model, image, "--format", "json")
    assert json.loads(done.stdout)["images"][0]["path"] == str(image)


def test_names_of_classes_are_escaped(tmp_path: Path, picture: Path) -> None:
    path = export(tmp_path / "m.onnx", LINEAR)
    model = onnx.load(path)
    held = json.loads(model.metadata_props[0].value)
    model.metadata_props[0].value = json.dumps(
        {**held, "net": "\x1b]0;x\x07", "classes": ["a\nb", "c\u202e"]}
    )
    onnx.save(model, path)
    done = run(path, picture)
    assert done.returncode == 0 and r"c\u202e 3" in done.stdout and r"a\nb" in done.stdout, done.stdout
    assert not {"\x1b", "\u202e"} & set(done.stdout + done.stderr) and len(done.stdout.splitlines()) == 1


def test_an_answer_that_is_nan_is_an_error_and_takes_no_other_with_it(tmp_path: Path, picture: Path) -> None:
    path = export(tmp_path / "m.onnx", SILENT, batch=1)
    Image.new("L", (4, 4), 255).save(white := tmp_path / "white.png")
    done = CliRunner().invoke(cli, ["run", str(path), str(picture), str(white)])
    assert done.exit_code == 1 and f"{picture}: a " in done.stdout and "nan%" not in done.stdout
    assert "error[E0908]" in done.stdout and f"NaN or infinity for {white}" in done.stdout
    held = json.loads(
        CliRunner().invoke(cli, ["run", str(path), str(white), str(picture), "--format", "json"]).stdout
    )
    assert [one["path"] for one in held["images"]] == [str(picture)]
    assert [one["code"] for one in held["errors"]] == ["E0908"]
    alone = CliRunner().invoke(cli, ["run", str(path), str(white)])
    assert isinstance(alone.exception, Refused) and alone.exception.diagnostics[0].code == "E0908"


def test_damaged_files_are_refused_or_run(tmp_path: Path) -> None:
    """Bytes flipped and files cut: a message each, whatever onnxruntime does."""
    whole, draws, codes = export(tmp_path / "m.onnx", LINEAR).read_bytes(), random.Random(1), set()
    for _ in range(16):
        data = bytearray(whole)
        for _ in range(draws.randrange(1, 5)):
            data[draws.randrange(len(data))] = draws.randrange(256)
        (tmp_path / "d.onnx").write_bytes(
            data[: draws.randrange(len(data))] if draws.random() < 0.3 else data
        )
        codes.add(code_of(tmp_path / "d.onnx", Limits(60, 1 << 30)))
    assert codes <= {"", "E0902", "E0903", "E0904", "E0905", "E0907"} and "E0902" in codes
