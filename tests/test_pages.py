"""Runs the example of every error page: it gives the message shown, and the mended spec passes.

A page shows a spec (the first `net` fence), further files (`net NAME`), commands where a spec alone does not
show the error (`sh`), the message (`text`), and the mended spec or commands. MADE has what depends on the
machine.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from netc.budget.deadline import SECONDS
from netc.cli.main import main
from netc.diagnostics import (
    Diagnostic,
    Refused,
    Source,
    Span,
    wording_deploy,
    wording_shapes,
    wording_train,
    wording_weights,
)
from netc.diagnostics.explain import codes, explain
from netc.diagnostics.render import render_text
from netc.passes.check import check
from netc.passes.load import load

ENV = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
FENCE = re.compile(r"^```(\w*)(?: (\S+))?\n(.*?)^```$", re.M | re.S)
WORDING = Path(wording_shapes.__file__).parent


@dataclass
class Page:
    """A page's fences: the first spec and the mended one, files by name, commands, the message."""

    specs: list[str]
    files: dict[str, str]
    commands: list[str]
    message: str


def read(code: str) -> Page:
    page = explain(code)
    assert page is not None and page.startswith(f"# {code}: ")
    fences = FENCE.findall(page)
    return Page(
        [text for kind, name, text in fences if kind == "net" and not name],
        {name: text for _, name, text in fences if name},
        [text for kind, _, text in fences if kind == "sh"],
        "".join(text for kind, _, text in fences if kind == "text"),
    )


def check_spec(text: str, files: dict[str, str]) -> str:
    """What `netc check spec.net` prints."""
    held = {name: content.encode() for name, content in {**files, "spec.net": text}.items()}

    def read_bytes(path: str) -> bytes:
        if path not in held:
            raise FileNotFoundError(2, "No such file or directory")
        return held[path]

    try:
        return render_text(check(load("spec.net", read_bytes)))
    except Refused as refused:
        return render_text(refused.diagnostics)


def run(commands: str, folder: Path) -> tuple[int, str]:
    """Runs commands in `folder`: those of netc in this process. The last one's status and output."""
    status, output = 0, ""
    for line in commands.strip().splitlines():
        if line.startswith("netc "):
            status, output = _netc(line, folder)
        else:
            shell = shutil.which("bash")
            assert shell
            done = subprocess.run(
                [shell, "-c", line], cwd=folder, capture_output=True, text=True, check=True, env=ENV
            )
            status, output = 0, done.stdout
    return status, output


def _netc(line: str, folder: Path) -> tuple[int, str]:
    import shlex

    arguments, out, limit = shlex.split(line), io.StringIO(), sys.getrecursionlimit()
    with (
        contextlib.chdir(folder),
        mock.patch.object(sys, "argv", arguments),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(io.StringIO()),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    sys.setrecursionlimit(limit)
    return int(ended.value.code or 0), out.getvalue()


def write_files(page: Page, spec: str | None, folder: Path) -> None:
    for name, text in {**page.files, **({"spec.net": spec} if spec is not None else {})}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def shown(page: Page, code: str, folder: Path) -> str:
    """What the example prints."""
    if code in MADE:
        return render_text([MADE[code]])
    if not page.commands:
        return check_spec(page.specs[0], page.files)
    write_files(page, page.specs[0] if page.specs else None, folder)
    status, output = run(page.commands[0], folder)
    assert status == 1
    return output


@pytest.mark.parametrize("code", codes())
def test_the_example_gives_the_message(code: str, tmp_path: Path) -> None:
    page = read(code)
    message = shown(page, code, tmp_path)
    assert message == page.message
    assert set(re.findall(r"^error\[(E\d+)\]", message, re.M)) == {code}


@pytest.mark.parametrize("code", [c for c in codes() if len(read(c).specs) > 1 or len(read(c).commands) > 1])
def test_what_is_mended_passes(code: str, tmp_path: Path) -> None:
    page = read(code)
    spec = page.specs[-1] if page.specs else ""
    if not page.commands:
        assert check_spec(spec, page.files) == ""
        return
    write_files(page, spec if page.specs else None, tmp_path)
    for earlier in page.commands[:-1]:
        run(earlier, tmp_path)
    assert run(page.commands[-1], tmp_path)[0] == 0


def test_each_code_has_a_page_and_each_page_a_code() -> None:
    used = {c for path in WORDING.glob("wording*.py") for c in re.findall(r'"(E\d{4})"', path.read_text())}
    assert used == set(codes())
    assert len(used) >= 40


def test_a_page_whose_message_is_wrong_is_found(tmp_path: Path) -> None:
    page = read("E0203")
    assert shown(page, "E0203", tmp_path) != page.message.replace("stride", "strode")


def place(text: str, part: str) -> Span:
    at = text.index(part)
    return Span(Source("spec.net", text), at, at + len(part))


POOL = """net Tiny {
    input image: float32[N, 3, 2, 2]
    output image -> max_pool2d(2, stride=4)
}
"""
MODEL = Path("tiny.onnx")
MADE: dict[str, Diagnostic] = {
    "E0314": wording_shapes.out_of_time("spec.net", SECONDS),
    "E0406": wording_shapes.empty_axis(
        place(POOL, "max_pool2d(2, stride=4)"), "max_pool2d", "[N, 3, 0, 0]", 2, ()
    ),
    "E0709": wording_weights.provider_missing("CUDAExecutionProvider", ["CPUExecutionProvider"]),
    "E0711": wording_weights.module_failed("be run", "ModuleNotFoundError: No module named 'torch'"),
    "E0712": wording_weights.graph_failed("tiny.onnx", "Opset 23 is under development"),
    "E0713": wording_weights.misfit_input("image", [1, 3, 30, 30], ["N", 3, 32, 32]),
    "E0822": wording_train.data_not_found(
        "cifar10",
        [Path("data")],
        ["data_batch_1.bin", "test_batch.bin"],
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "Name or service not known",
    ),
    "E0829": wording_train.loss_not_finite(float("nan"), 1, 17, 5.0),
    "E0832": wording_train.no_cuda(),
    "E0833": wording_train.weights_differ(["fc.bias"], [], ["fc.weight"]),
    "E0902": wording_deploy.not_loaded(
        MODEL, "INVALID_PROTOBUF : Load model from tiny.onnx failed: Protobuf parsing failed."
    ),
    "E0904": wording_deploy.other_input(MODEL, "tokens: tensor(int64) ['N', 16]", "float32 [N, 3, 32, 32]"),
    "E0905": wording_deploy.other_output(MODEL, (1, 1000), 10),
    "E0906": wording_deploy.no_provider("cuda", ["CPUExecutionProvider"]),
    "E0911": wording_deploy.missing_package("torch", "No module named 'torch'"),
    "E0908": wording_deploy.not_finite(MODEL, "for cat.png"),
    "E0909": wording_deploy.too_long(MODEL, 300),
    "E0910": wording_deploy.too_much_memory(MODEL, 4 << 30),
    "E0907": wording_deploy.not_run(
        MODEL, "Failed to allocate memory for requested buffer of size 4398046511104"
    ),
}
