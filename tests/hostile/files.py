"""Writes images, models and run folders that are damaged or ask for much, and the commands that open them."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path

SPEC = """net Tiny {
    input image: float32[N, 3, 8, 8]
    target label: int64[N]
    logits = flatten(image) -> Linear(2)
    loss cross_entropy(logits, label)
    output logits
}

train {
    optimizer sgd(lr=0.1)
    schedule cosine(epochs=1)
    batch 2
}
"""
IMAGES = ("bomb.png", "short.png", "text.png", "empty.png", "noise.jpg")
CODES = {"image": "E0825", "model": "E0902", "run folder": "E0831"}  # what each kind must be refused with
COMMANDS: dict[str, list[str]] = {
    **{f"image: {name}": ["train", "spec.net", "--data", f"folder:{name}.d", "-o", f"run-{name}"] for name in IMAGES},
    "model: no protobuf": ["run", "noise.onnx", "text.png"],
    "model: empty": ["run", "empty.onnx", "text.png"],
    "model: cut short": ["run", "short.onnx", "text.png"],
    "run folder: deep JSON": ["eval", "deep"],
    "run folder: no JSON": ["eval", "noise"],
    "run folder: empty": ["eval", "empty"],
    "run folder: 3 GB of nothing": ["eval", "sparse"],
    "run folder: a pipe": ["eval", "pipe"],
    "model: a pipe": ["run", "pipe/run.json", "text.png"],
    "image: a pipe": ["train", "spec.net", "--data", "folder:pipe.d", "-o", "run-pipe"],
}  # fmt: skip


def write_files(folder: Path) -> None:
    """All that COMMANDS name."""
    (folder / "spec.net").write_text(SPEC)
    for name, data in _images().items():
        (folder / name).write_bytes(data)
        for part in ("train", "test"):
            for label in "ab":
                place = folder / f"{name}.d" / part / label
                place.mkdir(parents=True)
                (place / name).write_bytes(data)
    (folder / "noise.onnx").write_bytes(bytes(range(256)) * 64)
    (folder / "empty.onnx").write_bytes(b"")
    (folder / "short.onnx").write_bytes(b"\x08\x0a\x12\x04netc:\xff\xff\xff\xff\x7f")
    for name, text in {"deep": "[" * 100_000, "noise": "\x00", "empty": ""}.items():
        (folder / name).mkdir()
        (folder / name / "run.json").write_text(text)
    (folder / "empty" / "run.json").write_text(json.dumps({}))
    (folder / "sparse").mkdir()
    with (folder / "sparse" / "run.json").open("wb") as file:
        file.truncate(3 << 30)
    (folder / "pipe").mkdir()
    os.mkfifo(folder / "pipe" / "run.json")
    for part in ("train", "test"):
        for label in "ab":
            (folder / "pipe.d" / part / label).mkdir(parents=True)
            os.mkfifo(folder / "pipe.d" / part / label / "pipe.png")


def _images() -> dict[str, bytes]:
    return {
        "bomb.png": _png(60_000, 60_000),
        "short.png": _png(8, 8)[:40],
        "text.png": b"no image at all",
        "empty.png": b"",
        "noise.jpg": b"\xff\xd8\xff\xe0" + bytes(range(256)) * 16,
    }


def _png(width: int, height: int) -> bytes:
    """A picture of one color; its data are cut off after the first mebibyte."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\x00" + b"\x07" * width) * min(height, 16)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
