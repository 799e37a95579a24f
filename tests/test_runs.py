"""Runs as their users meet them: classes by name, folders of others, and what a run that fails leaves behind."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pictures import SPEC, solid

from netc.cli.main import cli
from netc.diagnostics import Refused
from netc.diagnostics.render import render_text
from netc.train.run_folder import read_run

BACKENDS = ("torch", "onnx")


def netc(*arguments: object) -> tuple[int, str]:
    """The exit status and all that is printed."""
    done = CliRunner().invoke(cli, [str(a) for a in arguments])
    if isinstance(done.exception, Refused):
        return 1, done.output + render_text(done.exception.diagnostics)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that tells red apples, green leaves and blue sky."""
    root = tmp_path_factory.mktemp("trained")
    (root / "img.net").write_text(SPEC)
    solid(root / "data", {"apple": 0, "leaf": 1, "sky": 2})
    status, said = netc("train", root / "img.net", "--data", f"folder:{root / 'data'}", "-o", root / "run")
    assert status == 0, said
    return root / "run"


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    import shutil

    return Path(shutil.copytree(trained, tmp_path / "run"))


def accuracy(*arguments: object) -> float:
    status, said = netc("eval", *arguments, "--format", "json")
    assert status == 0, said
    return float(json.loads(said)["accuracy"])


# -- classes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_classes_are_matched_by_name(trained: Path, tmp_path: Path, backend: str) -> None:
    """In a run whose classes stand in another order than the folders; and with wrong names, all is wrong."""
    test_only = solid(tmp_path / "same", {"sky": 2, "leaf": 1, "apple": 0}, ("test",))
    assert accuracy(trained, "--backend", backend, "--data", f"folder:{test_only}") == 1.0
    crossed = solid(tmp_path / "crossed", {"sky": 0, "leaf": 2, "apple": 1}, ("test",))
    assert accuracy(trained, "--backend", backend, "--data", f"folder:{crossed}") == 0.0


def test_another_order_of_classes_is_followed(run: Path, tmp_path: Path) -> None:
    """As sorted names give: the run's classes turned, with the weights of the last layer turned alike."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    weights = dict(load_file(run / "best.safetensors"))
    for name in ("fc1.weight", "fc1.bias"):
        weights[name] = np.ascontiguousarray(weights[name][[2, 0, 1]])
    save_file(weights, run / "best.safetensors")
    facts = json.loads((run / "run.json").read_text())
    facts["classes"] = [facts["classes"][i] for i in (2, 0, 1)]
    (run / "run.json").write_text(json.dumps(facts))
    assert accuracy(run) == 1.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_difference_of_classes_is_refused_by_name(trained: Path, tmp_path: Path, backend: str) -> None:
    for classes, new, lacking in (
        ({"leaf": 1, "sky": 2, "zebra": 0}, "zebra", "apple"),
        ({"leaf": 1, "sky": 2}, None, "apple"),
        ({"apple": 0, "leaf": 1, "sky": 2, "zebra": 0}, "zebra", None),
    ):
        data = solid(tmp_path / f"{new}{lacking}", dict(classes), ("test",))
        status, said = netc("eval", trained, "--backend", backend, "--data", f"folder:{data}")
        assert status == 1 and "error[E0836]" in said
        assert (f"does not know `{new}`" in said) == (new is not None)
        assert (f"the data lack `{lacking}`" in said) == (lacking is not None)


# -- folders of others --------------------------------------------------------------------------------


def test_no_python_of_a_run_is_run(run: Path) -> None:
    evil = run / "evil"
    for name in ("img.py", "sitecustomize.py", "numpy.py", "torch.py", "spec/img.py"):
        (run / name).write_text(f"open({str(evil)!r}, 'w')\n")
    given = [sys.executable, "-m", "netc", "eval", ".", "--data", f"folder:{run}"]
    solid(run, {"apple": 0, "leaf": 1, "sky": 2})
    for backend in BACKENDS:
        command = [given[0], "-P", *given[1:], "--backend", backend]
        done = subprocess.run(command, cwd=run, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "accuracy 100.00%" in done.stdout, done.stderr
    assert not evil.exists()


def test_the_spec_of_a_run_is_what_is_evaluated(run: Path) -> None:
    """A spec of another net does not fit the weights: the module is made from it."""
    spec = run / "spec" / "img.net"
    spec.write_text(SPEC.replace("Conv2d(8,", "Conv2d(9,"))
    status, said = netc("eval", run)
    assert status == 1 and "error[E0704]" in said
    spec.write_text(SPEC.replace("net Img", "net Other"))
    status, said = netc("eval", run)
    assert status == 1 and "has no net `Img`" in said
    spec.write_text("net Img {")
    assert netc("eval", run)[0] == 1
    spec.unlink()
    assert "error[E0604]" in netc("eval", run)[1]


@pytest.mark.parametrize("how", ["empty", "short", "text", "zeros", "longer", "nan"])
def test_damaged_weights_are_refused(run: Path, how: str) -> None:
    path = run / "best.safetensors"
    data = path.read_bytes()
    path.write_bytes({
        "empty": b"", "short": data[:-7], "text": b"hello, I am no tensor", "zeros": bytes(len(data)),
        "longer": data + b"1234", "nan": data[:-4] + b"\x00\x00\xc0\x7f",
    }[how])  # fmt: skip
    status, said = netc("eval", run)
    assert status == 1 and "error[E07" in said


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000, "\udcff", "[]", "3", '"x"', "{}", "", "\x00", "nul",
        '{"net": 1e999}', "9" * 5000,
    ],
    ids=range(12),
)  # fmt: skip
def test_a_run_json_that_netc_did_not_write_is_refused(run: Path, text: str) -> None:
    (run / "run.json").write_bytes(text.encode(errors="surrogateescape"))
    status, said = netc("eval", run)
    assert status == 1 and "error[E0831]" in said and len(said) < 2000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_nothing_of_a_run_is_waited_for_or_read_without_a_limit(run: Path) -> None:
    for name in ("run.json", "best.safetensors", "img.onnx", "spec/img.net"):
        path, backend = run / name, "onnx" if name.endswith("onnx") else "torch"
        data = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        status, said = netc("eval", run, "--backend", backend)
        assert status == 1 and "error[E" in said, name
        path.unlink()
        with path.open("wb") as file:
            file.truncate(3 << 30)
        status, said = netc("eval", run, "--backend", backend)
        assert status == 1 and "error[E" in said, name
        path.write_bytes(data)
    assert accuracy(run) == 1.0


WRONG: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, "", "..", "\x00", [], [[]], {}, {"a": 1}, ["a"], "\ud800", 10**30, [1, 2], "folder:",
)  # fmt: skip


def _damaged(data: Any, draws: random.Random) -> Any:
    """The same JSON with a value somewhere put away, or replaced by one of another kind."""
    if isinstance(data, dict | list) and data and draws.random() < 0.8:
        key = draws.choice(list(data)) if isinstance(data, dict) else draws.randrange(len(data))
        copy = dict(data) if isinstance(data, dict) else list(data)
        if isinstance(copy, dict) and draws.random() < 0.2:
            del copy[key]
        else:
            copy[key] = _damaged(data[key], draws)
        return copy
    return draws.choice(WRONG)


@pytest.mark.parametrize("seed", range(4))
def test_run_json_with_wrong_types_or_names(run: Path, seed: int) -> None:
    """It is read, or refused with a message: nothing else is raised. The seeds refuse and read both."""
    draws, whole = random.Random(seed), json.loads((run / "run.json").read_text())
    outcomes = set()
    for _ in range(150):
        (run / "run.json").write_text(json.dumps(_damaged(whole, draws)))
        try:
            read_run(run)
            outcomes.add("read")
        except Refused as refused:
            outcomes.add(refused.diagnostics[0].code)
    assert outcomes == {"read", "E0831"}


def test_settings_of_a_run_of_wrong_types_are_refused(run: Path) -> None:
    whole = json.loads((run / "run.json").read_text())
    for key in ("c", "classes", "nothing"):
        for value in (*WRONG, 4, "x", 3.5, [3], "3", 2**62):
            (run / "run.json").write_text(json.dumps({**whole, "settings": {key: value}}))
            status, said = netc("eval", run)
            assert status == 1 and "error[E" in said, (key, value)


def test_bytes_of_run_json_flipped_or_cut(run: Path) -> None:
    draws, whole = random.Random(0), (run / "run.json").read_bytes()
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(draws.randrange(1, 4)):
            data[draws.randrange(len(data))] = draws.randrange(256)
        (run / "run.json").write_bytes(data[: draws.randrange(len(data))] if draws.random() < 0.3 else data)
        try:
            read_run(run)
        except Refused as refused:
            assert refused.diagnostics[0].code == "E0831"


# -- what a run is made of ----------------------------------------------------------------------------


def test_an_import_called_as_the_run_calls_its_spec_is_kept_apart(tmp_path: Path) -> None:
    """Whatever the spec and its imports are called, and wherever the spec is read from."""
    data = f"folder:{solid(tmp_path / 'data', {'a': 0, 'b': 1, 'c': 2})}"
    (tmp_path / "spec.net").write_text("block Head(n: int) {\n input x: [N, C]\n output x -> Linear(n)\n}\n")
    (tmp_path / "run.json").mkdir()
    (tmp_path / "run.json" / "more.net").write_text(
        "block Pool {\n input x: [N, C, H, W]\n output global_avg_pool(x)\n}\n"
    )
    text = 'import "spec.net"\nimport "run.json/more.net"\n' + SPEC.replace(
        "Linear(classes)", "Head(classes)"
    ).replace("global_avg_pool", "Pool")
    (tmp_path / "main.net").write_text(text)
    status, said = netc("train", tmp_path / "main.net", "--data", data, "-o", tmp_path / "run")
    assert status == 0, said
    assert (tmp_path / "run" / "spec" / "main.net").read_text() == text
    assert accuracy(tmp_path / "run") == 1.0
    command = [sys.executable, "-m", "netc", "train", "-", "--data", data, "-o", str(tmp_path / "piped")]
    done = subprocess.run(command, input=text, text=True, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert accuracy(tmp_path / "piped") == 1.0


def test_each_class_has_a_sample_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "img.net").write_text(SPEC)
    data = solid(tmp_path / "data", {"é": 0, "ü": 1, "_": 2})
    given = ("--data", f"folder:{data}", "-o", tmp_path / "run", "--set", "train.epochs=1")
    assert netc("train", tmp_path / "img.net", *given)[0] == 0
    assert len(list((tmp_path / "run" / "samples").iterdir())) == 3


def test_what_is_not_read_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "img.net").write_text(SPEC)
    data = solid(tmp_path / "data", {"a": 0, "b": 1, "c": 2})
    (data / "train" / "a" / "more").mkdir()
    (data / "test" / "loose.png").write_bytes((data / "test" / "a" / "0.png").read_bytes())
    given = ("--data", f"folder:{data}", "-o", tmp_path / "run", "--set", "train.epochs=1")
    status, said = netc("train", tmp_path / "img.net", *given)
    assert status == 0 and "train/a/more is not read" in said and "test/loose.png is not read" in said


def test_a_class_whose_name_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "img.net").write_text(SPEC)
    try:
        data = solid(tmp_path / "data", {"a": 0, "b": 1, b"caf\xe9": 2})
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    status, said = netc("train", tmp_path / "img.net", "--data", f"folder:{data}", "-o", tmp_path / "run")
    assert status == 1 and "error[E0824]" in said and r"caf\udce9 is not UTF-8" in said
    (data / "train" / "a" / "0.png").rename(
        data / "train" / "a" / b"\xff.png".decode(errors="surrogateescape")
    )
    for part in ("train", "test"):
        (data / part / b"caf\xe9".decode(errors="surrogateescape")).rename(data / part / "c")
    status, said = netc("train", tmp_path / "img.net", "--data", f"folder:{data}", "-o", tmp_path / "run")
    assert status == 0, said


# -- what fails before the first step -----------------------------------------------------------------

BATCH_NORM = """net A {
    input x: float32[N, 1, 8, 8]
    target t: int64[N]
    y = x -> Conv2d(4, 1) -> global_avg_pool -> BatchNorm1d -> Linear(10)
    output y
    loss cross_entropy(y, t)
}
"""
NOT_FINITE = BATCH_NORM.replace("-> Linear(10)", "-> Linear(10)\n    y = y / (y * 0)")


@pytest.mark.parametrize(
    "spec, settings, wanted",
    [
        (BATCH_NORM, ("train.batch=1",), "--set train.batch=2"),
        (NOT_FINITE, (), "error[E0829]"),
        (SPEC, ("c=4",), "images are [N, 1, H, W] or [N, 3, H, W]"),
        (
            SPEC.replace("N, c,", "N, C,").replace("image ->", "mean(image, axis=1, keepdims=true) ->"),
            (),
            "say the size: --set C=3",
        ),
        (SPEC, ("train.batch=100000",), "error[E08"),
        (BATCH_NORM.replace("[N", "[4"), (), "takes 4 images at a time"),
        (
            BATCH_NORM.replace("int64[N]", "float32[N, 10]").replace("cross_entropy", "mse"),
            (),
            "error[E0835]",
        ),
        (
            BATCH_NORM.replace("int64", "float32").replace("cross_entropy(y", "mse(mean(y, axis=1)"),
            (),
            "error[E0835]",
        ),
    ],
)
def test_what_fails_before_the_first_step_leaves_nothing(
    tmp_path: Path, spec: str, settings: tuple[str, ...], wanted: str
) -> None:
    (tmp_path / "a.net").write_text(spec)
    sets = [part for setting in settings for part in ("--set", setting)]
    for output in (["-o", tmp_path / "deep" / "run"], []):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            status, said = netc("train", "a.net", *output, *sets)
        assert status == 1 and wanted in said, said
        assert [p.name for p in tmp_path.iterdir()] == ["a.net"]


def test_the_mended_command_works(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(BATCH_NORM)
    given = ("train", tmp_path / "a.net", "-o", tmp_path / "run", "--set", "train.epochs=1")
    assert netc(*given, "--set", "train.batch=1")[0] == 1
    assert netc(*given, "--set", "train.batch=256")[0] == 0


def test_a_gpu_that_is_not_there_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    is_not: Callable[[], bool] = lambda: False  # noqa: E731
    monkeypatch.setattr(torch.cuda, "is_available", is_not)
    (tmp_path / "a.net").write_text(BATCH_NORM)
    status, said = netc("train", tmp_path / "a.net", "-o", tmp_path / "run", "--device", "cuda")
    assert status == 1 and "error[E0832]" in said and not (tmp_path / "run").exists()


def test_an_opset_that_cannot_be_written_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(BATCH_NORM)
    status, said = netc("train", tmp_path / "a.net", "-o", tmp_path / "run", "--opset", "5")
    assert status == 1 and "error[E0706]" in said and not (tmp_path / "run").exists()


def test_names_of_all_kinds_are_taken_and_escaped(tmp_path: Path) -> None:
    """As the names of spec, data, weights and output: no UTF-8, escapes of a terminal, letters of any language."""
    odd = b"caf\xe9" + "ü\n\x1b[31mb\u202e".encode()
    name = odd.decode(errors="surrogateescape")
    spec, output, weights = (tmp_path / f"{name}{end}" for end in (".net", ".run", ".safetensors"))
    spec.write_text(SPEC)
    data = solid(tmp_path / f"{name}.data", {"ä": 0, "b": 1, "c": 2})

    def told(*arguments: object) -> None:
        command = [sys.executable, "-m", "netc", *map(os.fspath, arguments)]  # type: ignore[call-overload]
        done = subprocess.run(command, capture_output=True, check=False)
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == 0 and not {"\x1b", "\u202e"} & set(said), said

    told("compile", spec, "-o", tmp_path / f"{name}.out")
    (tmp_path / f"{name}.out" / "img.safetensors").rename(weights)
    given = ("--data", f"folder:{data}", "--weights", weights, "--set", "train.epochs=1")
    told("train", spec, *given, "-o", output)
    assert json.loads((output / "run.json").read_bytes())["start"] == str(weights)
    told("eval", output)
    told("eval", output, "--backend", "onnx")
    told("run", output / "img.onnx", data / "test" / "ä" / "0.png")
