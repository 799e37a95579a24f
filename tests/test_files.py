"""Files: what is read, what is refused without waiting, and writing all files or none, also when it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netc.files.read import open_regular, read_regular
from netc.files.write import write_all, write_files

BIG = """net Big {
    input x: float32[N, 3000]
    for width in [3000] * 6 { x = x -> Linear(width) }
    output x
}
"""


def test_regular_files_up_to_the_limit_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_regular(path, 5) == b"12345"
    with pytest.raises(OSError, match="5 bytes, more than the 4"):
        read_regular(path, 4)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    began = time.monotonic()
    for path in (tmp_path / "fifo", Path("/dev/zero"), tmp_path, tmp_path / "a\0b", tmp_path / "none"):
        with pytest.raises(OSError):
            open_regular(path, 1 << 20)
    assert time.monotonic() - began < 5


def test_a_sparse_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(OSError, match="more than"):
        read_regular(path, 1 << 20)


def test_all_files_are_written_or_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    def fail(descriptor: int) -> None:
        raise RuntimeError("of the second file")

    new = {
        tmp_path / "a": lambda d: write_all(d, b"new"),
        tmp_path / "deep" / "er" / "b": lambda d: write_all(d, b"new"),
    }
    with pytest.raises(RuntimeError):
        write_files({**new, tmp_path / "deep" / "c": fail})
    assert [p.name for p in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_text() == "old"
    write_files(new)
    assert (tmp_path / "a").read_text() == (tmp_path / "deep" / "er" / "b").read_text() == "new"


@pytest.mark.parametrize("stop, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_compilation_that_is_stopped_leaves_nothing(
    stop: signal.Signals, status: int, tmp_path: Path
) -> None:
    (tmp_path / "big.net").write_text(BIG)
    out = tmp_path / "out"
    given = [sys.executable, "-m", "netc", "compile", str(tmp_path / "big.net"), "-o", str(out)]
    process = subprocess.Popen(
        given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # What runs in the background of a script has SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until and not (out.exists() and list(out.iterdir())):
        time.sleep(0.005)
    assert next(iter(out.iterdir())).name.endswith(".part")
    process.send_signal(stop)
    said = process.communicate(timeout=60)[0].decode()
    assert process.returncode == status and "Traceback" not in said, said
    assert not out.exists()
