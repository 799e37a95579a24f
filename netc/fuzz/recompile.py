"""Compiles programs a second time, in a process of its own: what it makes must be the same to the byte."""

import pickle
import struct
import sys
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from netc.fuzz.case import Case, case_of


def digests(case: Case) -> dict[str, str]:
    """What stands for the bytes of each target."""
    return {
        "PyTorch": sha256(case.source.encode()).hexdigest(),
        "ONNX": sha256(case.bytes or b"").hexdigest(),
    }


def answer(job: Mapping[str, Any]) -> dict[str, str]:
    return digests(case_of(job["text"], job["opset"]))


def main() -> None:
    while len(head := sys.stdin.buffer.read(8)) == 8:
        jobs = pickle.loads(sys.stdin.buffer.read(struct.unpack("<Q", head)[0]))
        reply = pickle.dumps([answer(job) for job in jobs])
        sys.stdout.buffer.write(struct.pack("<Q", len(reply)) + reply)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
