"""Image files as people have them: turned by EXIF, deep, in palettes; damaged in any way; and what is no picture."""

from __future__ import annotations

import io
import os
import random
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netc.diagnostics import Refused
from netc.train.folder import load_folder
from netc.train.picture import FORMATS, open_picture, pixels

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")

DRAWS = np.random.default_rng(0)
GRAY = DRAWS.integers(0, 256, (8, 12), dtype=np.uint8)
DEEP = DRAWS.integers(0, 65536, (8, 12), dtype=np.uint16)
COLOR = DRAWS.integers(0, 256, (8, 12, 3), dtype=np.uint8)
TURNED = {  # by the value of the orientation, as the Exif standard has it
    1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
    5: lambda a: np.swapaxes(a, 0, 1), 6: lambda a: np.rot90(a, -1),
    7: lambda a: np.swapaxes(a[::-1, ::-1], 0, 1), 8: lambda a: np.rot90(a),
}  # fmt: skip


def read(path: Path, channels: int = 1) -> np.ndarray:
    array = pixels(open_picture(path, channels))
    return array[..., 0] if channels == 1 else array


def why(path: Path, channels: int = 1) -> str:
    """Why a file is refused."""
    with pytest.raises(Refused) as refused:
        open_picture(path, channels)
    (error,) = refused.value.diagnostics
    assert error.code == "E0825"
    return error.message


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize(
    "format, options",
    [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("TIFF", {"compression": "tiff_deflate"}),
     ("WEBP", {"lossless": True})],
)  # fmt: skip
def test_pictures_are_turned_upright_whatever_their_depth(
    tmp_path: Path, format: str, options: dict[str, object], orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    turn = TURNED[orientation]
    for stored, channels, wanted in ((GRAY, 1, GRAY), (DEEP, 1, DEEP >> 8), (COLOR, 3, COLOR)):
        if format == "WEBP" and channels == 1:  # which stores colors alone
            continue
        Image.fromarray(stored).save(tmp_path / "a", format, exif=exif, **options)
        np.testing.assert_array_equal(read(tmp_path / "a", channels), turn(wanted))


def test_16_bits_are_scaled_wherever_they_are_stored(tmp_path: Path) -> None:
    for kind, data in (
        ("P5", DEEP.astype(">u2").tobytes()),
        ("P6", np.repeat(DEEP[..., None], 3, 2).astype(">u2").tobytes()),
    ):
        (tmp_path / "a").write_bytes(f"{kind}\n12 8\n65535\n".encode() + data)
        # Pillow itself makes 8 bits of deep colors, and rounds.
        assert np.abs(read(tmp_path / "a").astype(int) - (DEEP >> 8)).max() <= (kind == "P6")
    for byteorder in "<>":
        Image.fromarray(DEEP).save(tmp_path / "a", "TIFF")
        (tmp_path / "b").write_bytes(_tiff(DEEP, 16, byteorder))
        np.testing.assert_array_equal(read(tmp_path / "b"), DEEP >> 8)
    np.testing.assert_array_equal(read(tmp_path / "a"), DEEP >> 8)


def test_12_bits_are_scaled_by_their_own_range(tmp_path: Path) -> None:
    values = DEEP >> 4
    (tmp_path / "a").write_bytes(_tiff(values, 12, "<"))
    np.testing.assert_array_equal(read(tmp_path / "a"), values >> 4)


def test_where_zero_is_white_pictures_are_no_negatives(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(_tiff(DEEP, 16, "<", photometric=0))
    np.testing.assert_array_equal(read(tmp_path / "a"), 255 - (DEEP >> 8))
    (tmp_path / "a").write_bytes(_tiff(GRAY, 8, "<", photometric=0))
    np.testing.assert_array_equal(read(tmp_path / "a"), 255 - GRAY)


def test_the_largest_value_of_a_pgm_is_white(tmp_path: Path) -> None:
    for most, kind in ((100, "u1"), (1000, ">u2")):
        values = (DEEP % (most + 1)).astype(kind)
        (tmp_path / "a").write_bytes(f"P5\n12 8\n{most}\n".encode() + values.tobytes())
        assert np.abs(read(tmp_path / "a") - values.astype(float) * 255 / most).max() <= 1


def _tiff(values: np.ndarray, bits: int, byteorder: str, photometric: int = 1) -> bytes:
    """An uncompressed gray TIFF, written by hand."""
    height, width = values.shape
    if bits == 12:
        pairs = values.reshape(-1, 2).astype(np.int64)
        three = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], 1)
        data = three.astype(np.uint8).tobytes()
    else:
        data = values.astype(f"{byteorder}u{bits // 8}").tobytes()
    tags = [
        (256, width),
        (257, height),
        (258, bits),
        (259, 1),
        (262, photometric),
        (273, 8),
        (277, 1),
        (278, height),
        (279, len(data)),
    ]
    entries = b"".join(struct.pack(f"{byteorder}HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    head = (b"II" if byteorder == "<" else b"MM") + struct.pack(f"{byteorder}HI", 42, 8 + len(data))
    return head + data + struct.pack(f"{byteorder}H", len(tags)) + entries + bytes(4)


def test_numbers_without_a_range_are_refused_by_name(tmp_path: Path) -> None:
    for values, kind in (
        (GRAY / np.float32(255), "floating-point numbers"), (DEEP.astype(np.int32), "32-bit integers"),
    ):  # fmt: skip
        Image.fromarray(values.astype(values.dtype if kind[0] == "3" else np.float32)).save(
            tmp_path / "a.tif"
        )
        assert kind in why(tmp_path / "a.tif") and str(tmp_path / "a.tif") in why(tmp_path / "a.tif")
    (tmp_path / "a.pfm").write_bytes(b"Pf\n12 8\n-1.0\n" + np.ones((8, 12), "<f4").tobytes())
    assert "floating-point" in why(tmp_path / "a.pfm")


def test_palettes_with_transparency_say_nothing(tmp_path: Path) -> None:
    """Of the pixels, only alpha is dropped."""
    image = Image.fromarray(COLOR).quantize(16)
    image.save(tmp_path / "a.png", transparency=bytes([0, 128] + [255] * 14))
    code = f"from netc.train.picture import *; open_picture(Path({str(tmp_path / 'a.png')!r}), 3)"
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    np.testing.assert_array_equal(read(tmp_path / "a.png", 3), np.asarray(image.convert("RGB")))


def test_formats_are_named_and_no_other_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EPS makes Pillow look for an interpreter."""
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    (tmp_path / "a.png").write_bytes(eps)

    def run(*_: object, **__: object) -> None:
        raise AssertionError("a program is run")

    monkeypatch.setattr(subprocess, "Popen", run)
    assert "none of AVIF, BMP, " in why(tmp_path / "a.png")
    for format in ("DDS", "ICO", "TGA", "PCX", "SGI"):
        Image.fromarray(COLOR).save(tmp_path / "b", format)
        assert "none of AVIF, BMP, " in why(tmp_path / "b")
    monkeypatch.undo()
    for format in FORMATS:
        stored = io.BytesIO()
        try:
            Image.fromarray(COLOR).save(stored, format)
        except (KeyError, OSError):  # this Pillow was built without it
            assert format in ("AVIF", "JPEG2000", "WEBP")
            continue
        (tmp_path / "c").write_bytes(stored.getvalue())
        assert read(tmp_path / "c", 3).shape == (8, 12, 3)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").open("wb").truncate(3 << 30)
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    began = time.monotonic()
    assert "not a regular file" in why(tmp_path / "fifo") and "not a regular file" in why(Path("/dev/zero"))
    assert "a folder" in why(tmp_path) and "more than" in why(tmp_path / "large")
    assert "no such file" in why(tmp_path / "link")
    assert time.monotonic() - began < 5


def _bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(9)))
        + chunk(b"IEND", b"")
    )


def test_bombs_are_refused_by_their_header(tmp_path: Path) -> None:
    for width, height in ((1 << 30, 1), (50_000, 50_000), (10_000, 10_000)):
        (tmp_path / "a").write_bytes(_bomb(width, height))
        assert "pixels" in why(tmp_path / "a")


def _damaged(whole: bytes, draws: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(draws.choice((0, 1, 2, 8, 30))):
        data[draws.randrange(len(data))] = draws.choice((0, 1, 127, 128, 255, draws.randrange(256)))
    kind = draws.random()
    if kind < 0.3:
        del data[draws.randrange(len(data)) :]
    elif kind < 0.4:
        at = draws.randrange(len(data))
        data[at:at] = data[: draws.randrange(40)]
    return bytes(data)


@pytest.mark.parametrize("format", [*FORMATS, "MPO"])
def test_damaged_pictures_are_read_or_refused(tmp_path: Path, format: str) -> None:
    """Headers, tags and data with bytes flipped, cut off or put in: never anything but a message."""
    draws, path, outcomes = random.Random(format), tmp_path / "a", set()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "words"
    for image in (Image.fromarray(COLOR), Image.fromarray(GRAY), Image.fromarray(COLOR).quantize(16)):
        stored = io.BytesIO()
        try:
            image.save(stored, format, exif=exif)
        except (KeyError, OSError, ValueError):
            continue
        for _ in range(120):
            path.write_bytes(_damaged(stored.getvalue(), draws))
            for channels in (1, 3):
                try:
                    array = pixels(open_picture(path, channels))
                    assert array.ndim == 3 and array.dtype == np.uint8 and array.shape[2] == channels
                    outcomes.add("read")
                except Refused as refused:
                    outcomes.add(refused.diagnostics[0].code)
    assert outcomes <= {"read", "E0825"} and (outcomes or format in ("AVIF", "WEBP", "JPEG2000"))


def test_all_that_cannot_be_read_is_named_up_to_twenty(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / part / "a").mkdir(parents=True)
        for index in range(6):
            Image.fromarray(COLOR).save(tmp_path / part / "a" / f"{index}.png")
    bad = [
        tmp_path / "train" / "a" / "2.png",
        tmp_path / "test" / "a" / "0.png",
        tmp_path / "test" / "a" / "5.png",
    ]
    bad[0].write_bytes(b"")
    bad[1].write_bytes(_bomb(50_000, 50_000))
    bad[2].unlink()
    bad[2].symlink_to(tmp_path / "gone")
    with pytest.raises(Refused) as refused:
        load_folder(tmp_path, 3)
    assert [
        str(path) in error.message for path, error in zip(bad, refused.value.diagnostics, strict=True)
    ] == [True] * 3
