"""The command line: what it accepts, what it says, its exit status; files it will not read, wait for or overwrite."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from netc.backends.output import written_by_netc
from netc.cli.main import VERBS, cli
from netc.diagnostics import Refused
from netc.diagnostics.render import render_text

ROOT = Path(__file__).parents[1]
SPECS = ROOT / "specs"
LENET, RESNET, UNET = (str(SPECS / f"{name}.net") for name in ("lenet", "resnet", "unet"))


def netc(*arguments: object, **options: Any) -> tuple[int, str]:
    """The exit status and all that is printed, in this process."""
    done: Result = CliRunner().invoke(cli, [str(a) for a in arguments], **options)
    if isinstance(done.exception, Refused):
        return 1, render_text(done.exception.diagnostics)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own."""
    given = [sys.executable, "-m", "netc", *map(str, arguments)]
    return subprocess.run(given, text=True, cwd=ROOT, timeout=100, **{"capture_output": True, **options})


def refused(*arguments: object) -> str:
    status, said = netc(*arguments)
    assert status == 1 and "error[E" in said, said
    return said


# -- verbs and options --------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_help(verb: str) -> None:
    """Each verb says in a sentence what it does, and explains every option."""
    status, said = netc(verb, "--help")
    assert status == 0 and said.startswith("Usage: ")
    context = click.Context(cli)
    command = cli.get_command(context, verb)
    assert command is not None and command.help and "netc " + verb in command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"netc {verb} {option.opts[0]}"


def test_wrong_usage_exits_with_2() -> None:
    for arguments in (["frobnicate"], ["check"], ["check", "--bogus", LENET], ["compile", LENET, "--opset", "x"],
                      ["compile", LENET, "--target", "c"], ["verify", LENET, "--tolerance", "x"],
                      ["verify", LENET, "--seed", "-1"], ["compile", LENET, "--seed", 2**70], ["explain", "E9999"],
                      ["show", LENET, "--ir", "--format", "json"], ["check", LENET, "--net"]):  # fmt: skip
        status, said = netc(*arguments)
        assert status == 2 and "Error: " in said, arguments
    assert "Did you mean `check`?" in netc("chek")[1]
    assert "Did you mean E0203" in netc("explain", "e0203x")[1]


def test_exit_status_of_the_command() -> None:
    """0 clean, 1 findings, 2 wrong usage: the whole way through main."""
    assert run("check", LENET).returncode == 0
    done = run("check", "none.net")
    assert done.returncode == 1 and "E0604" in done.stdout
    done = run("chek")
    assert done.returncode == 2 and "check" in done.stderr


# -- choosing -----------------------------------------------------------------------------------------


def test_nets() -> None:
    assert "defines 7 nets: ResNet18, " in refused("show", RESNET)
    assert "did you mean `ResNet50`?" in refused("show", RESNET, "--net", "ResNet5")
    assert "it has LeNet5" in refused("show", LENET, "--net", "Other")
    assert netc("check", RESNET)[0] == netc("check", RESNET, "--net", "ResNet50")[0] == 0


@pytest.mark.parametrize(
    "setting, wanted",
    [("classes=abc", "E0205"), ("classes=[3,4]", "E0205"), ("classes=1.5", "E0205"), ("classes=true", "E0205"), ("classes=-3", "E0401"),
     ("classes=2147483648", "E0407"), ("N=0", "E0615"), ("N=-1", "E0615"), ("N=1e3", "E0615"), ("N=true", "E0615"),
     ("N=2020-01-01", "E0615"), ("N={a=1}", "E0615"), ("N=nan", "E0615"), ("N=[1]", "E0615"), ("N=", "E0615"), ("N", "E0615"),
     ("=3", "E0615"), ("N=1\ny=2", "E0615"), ("N='''", "E0615"), (f"N={'9' * 5000}", "E0615"), ("N=" + "[" * 5000, "E0615"),
     ("clases=3", "E0614"), ("n=3", "E0614"), ("image=3", "E0614"), ("train.batch=3", "E0615")],
)  # fmt: skip
def test_settings(setting: str, wanted: str) -> None:
    assert f"error[{wanted}]" in refused("show", LENET, "--set", setting)


def test_settings_that_fit(tmp_path: Path) -> None:
    spec = tmp_path / "a.net"
    spec.write_text(
        'net A(unit: layer = relu, depths: list[int] = [1], k: float = 1.5, on: bool = true, mode: str = "zeros") {\n'
        " input x: float32[N, 2, 8, 8]\n y = x\n for d in depths { y = y -> Conv2d(d, 3, padding=1, padding_mode=mode) -> unit }\n"
        " output y * k if on else y\n}\n"
    )
    for setting in (
        "unit=gelu",
        "depths=[3,4]",
        "depths=[]",
        "k=2",
        "on=false",
        "mode=reflect",
        "mode='reflect'",
        "N=3",
    ):
        status, said = netc("show", spec, "--set", setting)
        assert status == 0, said
    assert "did you mean `depths`?" in refused("show", spec, "--set", "depth=[3]")
    assert "gelu" in netc("show", spec, "--set", "unit=gelu")[1]


def test_dynamic_sizes_are_granted_or_the_line_that_pins_them_is_named() -> None:
    for verb in ("check", "show"):
        said = refused(verb, LENET, "--dynamic", "H,W")
        assert "H and W cannot be dynamic" in said and "f6: Linear(84)" in said and "lenet.net:13:" in said
    assert "[N, 1000]" in netc("show", RESNET, "--net", "ResNet50", "--dynamic", "H,W")[1]
    assert "no such axis" in refused("check", LENET, "--dynamic", "Q")
    assert "no such axis" in refused("show", LENET, "--dynamic", "H;W")


def test_a_granted_dynamic_size_is_verified_at_two_sizes() -> None:
    status, said = netc("verify", RESNET, "--net", "ResNet18", "--dynamic", "H,W", "--format", "json")
    (report,) = json.loads(said)
    sizes = {(c["sizes"]["H"], c["sizes"]["W"]) for c in report["compared"]}
    assert status == 0 and report["passed"] and len(sizes) == 2


@pytest.mark.parametrize("opset", [-1, 0, 16, 24, 10**9])
def test_opsets(opset: int, tmp_path: Path) -> None:
    assert "17 to 23" in refused("compile", LENET, "--opset", opset, "-o", tmp_path)
    assert not list(tmp_path.iterdir())


# -- what is printed ----------------------------------------------------------------------------------


def test_json() -> None:
    assert json.loads(netc("check", LENET, "--format", "json")[1]) == []
    done = run("check", "none.net", "--format", "json")
    (finding,) = json.loads(done.stdout)
    assert done.returncode == 1 and finding["code"] == "E0604"
    (finding,) = json.loads(run("show", RESNET, "--format=json").stdout)
    assert finding["code"] == "E0602"
    assert json.loads(netc("show", LENET, "--format", "json")[1])["parameters"] == 61_706
    (report,) = json.loads(netc("verify", LENET, "--format", "json")[1])
    assert report["passed"] and report["compared"]


def test_standard_input(tmp_path: Path) -> None:
    text = Path(LENET).read_text()
    assert netc("check", "-", input=text)[0] == 0
    status, said = netc("check", "-", input=text.replace("Conv2d", "Conv2"))
    assert status == 1 and "stdin.net:10:" in said
    done = run("check", "-", input='import "/etc/x.net"\n' + text)
    assert done.returncode == 1 and "E0605" in done.stdout


def test_imports_of_standard_input_follow_no_link_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside.net").write_text("fn secret(x) = x\n")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link.net").symlink_to(tmp_path / "outside.net")
    monkeypatch.chdir(tmp_path / "inside")
    status, said = netc("check", "-", input='import "link.net"\n')
    assert status == 1 and "E0604" in said


def test_names_of_files_are_escaped(tmp_path: Path) -> None:
    odd = tmp_path / "a\n\x1b[31mb.net"
    odd.write_text("")
    for verb in ("check", "show"):
        done = run(verb, odd)
        assert "\x1b" not in done.stdout + done.stderr and r"a\n\x1b[31mb.net" in done.stdout + done.stderr


def test_a_reader_that_stops(tmp_path: Path) -> None:
    """`netc show | head -1`, and standard output that is closed or full."""
    show = f"{sys.executable} -m netc show {RESNET} --net ResNet152"
    done = subprocess.run(f"{show} | head -1", shell=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "ResNet152\n" and done.stderr == ""
    for end in (">&-", "> /dev/full"):
        done = subprocess.run(f"{show} {end}", shell=True, capture_output=True, text=True, cwd=ROOT)
        assert (
            "Traceback" not in done.stderr
            and "itself" not in done.stderr
            and len(done.stderr.splitlines()) <= 1
        )


# -- files --------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_nothing_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for verb in ("check", "show", "compile", "verify"):
        assert "not a regular file" in refused(verb, tmp_path / "fifo")
        assert "not a regular file" in refused(verb, "/dev/zero")
        assert "error[E0604]" in refused(verb, tmp_path)
    for weights in (tmp_path / "fifo", "/dev/zero", tmp_path, tmp_path / "none"):
        assert "error[E0701]" in refused("compile", LENET, "--weights", weights, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_programs_to_fuzz_are_read_as_specs_are(tmp_path: Path) -> None:
    spec = tmp_path / "a.net"
    for data, code in ((b"\xff\xfe", "E0102"), (b"net", "E0105"), (b"", "E0601"), (b"\x00", "E0103")):
        spec.write_bytes(data)
        assert f"error[{code}]" in refused("fuzz", spec)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads and writes everything")
def test_what_may_not_be_read_or_written(tmp_path: Path) -> None:
    spec = tmp_path / "a.net"
    spec.write_text("")
    spec.chmod(0)
    assert "permission denied" in refused("check", spec).lower()
    tmp_path.chmod(0o500)
    assert "error[E0708]" in refused("compile", LENET, "-o", tmp_path)
    tmp_path.chmod(0o700)


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "le_net5.py"
    mine.write_text("print('mine')\n")
    assert "error[E0707]" in refused("compile", LENET, "-o", tmp_path)
    assert mine.read_text() == "print('mine')\n" and len(list(tmp_path.iterdir())) == 1
    assert netc("compile", LENET, "-o", tmp_path, "--force")[0] == 0
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert len(before) == 3 and all(written_by_netc(p) for p in tmp_path.iterdir())
    assert netc("compile", LENET, "-o", tmp_path)[0] == 0
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "le_net5.safetensors").mkdir()
    assert "it is a folder" in refused("compile", LENET, "-o", tmp_path, "--force")
    assert len(list(tmp_path.iterdir())) == 1
    (tmp_path / "file").write_text("")
    assert "error[E0708]" in refused("compile", LENET, "-o", tmp_path / "file")


def test_a_link_in_the_way_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "le_net5.py").symlink_to(tmp_path / "elsewhere.py")
    assert netc("compile", LENET, "-o", tmp_path / "out", "--target", "torch")[0] == 0
    assert not (tmp_path / "elsewhere.py").exists() and not (tmp_path / "out" / "le_net5.py").is_symlink()


def test_what_a_compilation_takes_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tmp_path / "a.net"
    spec.write_text("net A {\n input x: float32[N, 1000000]\n output x -> Linear(1000000)\n}\n")
    assert "3.6 TiB" in refused("compile", spec, "--target", "onnx", "-o", tmp_path / "out")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 2**50}))
    said = refused("compile", spec, "--target", "onnx", "-o", tmp_path / "out")
    assert "of memory" in said and not (tmp_path / "out").exists()


def no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("call", ["os.write", "os.replace", "os.close"])
def test_a_full_disk_leaves_nothing_half_written(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert netc("compile", LENET, "-o", tmp_path)[0] == 0
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    write: Callable[..., Any] = no_space
    monkeypatch.setattr(call, write)
    said = refused("compile", LENET, "-o", tmp_path, "--seed", 1)
    monkeypatch.undo()
    assert "No space left" in said
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


# -- training that is stopped -------------------------------------------------------------------------


@pytest.mark.parametrize("stop, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_training_that_is_stopped_leaves_a_run(stop: signal.Signals, status: int, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    given = [
        "train",
        str(SPECS / "digits.net"),
        "--net",
        "DigitsMLP",
        "-o",
        str(folder),
        "--set",
        "train.epochs=100000",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "netc", *given], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    metrics, until = folder / "metrics.jsonl", time.monotonic() + 60
    while time.monotonic() < until and not (metrics.exists() and metrics.stat().st_size):
        time.sleep(0.05)
    process.send_signal(stop)
    said = process.communicate(timeout=60)[0].decode()
    assert process.returncode == status and "interrupted" in said, said
    assert all(json.loads(line) for line in metrics.read_text().splitlines())
    for backend in ("torch", "onnx"):
        done = json.loads(netc("eval", folder, "--backend", backend, "--format", "json")[1])
        assert done["images"] > 300 and done["accuracy"] > 0.1


def test_json_has_no_number_that_it_cannot_write(tmp_path: Path) -> None:
    spec = tmp_path / "log.net"
    spec.write_text("net A {\n input x: float32[2]\n output log(x)\n}\n")
    done = CliRunner().invoke(cli, ["trace", str(spec), "--at", "x=[-1, 0]", "--format", "json"])

    def refused(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    lines = json.loads(done.stdout, parse_constant=refused)
    assert lines[1]["value"] == ["nan", "-inf"] and lines[0]["gradient"] == [-1.0, "inf"]
