"""Turns the head of a safetensors file into the places of its tensors, and the other way round."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from netc.diagnostics import Refused
from netc.diagnostics.wording_weights import saved_by_torch, unreadable_weights
from netc.files.read import open_regular, reason

DTYPES = {
    "F32": "float32",
    "F64": "float64",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}
WIDTHS = {
    "F32": 4,
    "F64": 8,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
    "U16": 2,
    "U32": 4,
    "U64": 8,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
}
CODES = {name: code for code, name in DTYPES.items()}
LONGEST_HEADER = 100_000_000  # bytes, as the format has it
LARGEST = 2**40  # elements of a tensor
FORMATS_OF_TORCH = (
    b"PK\x03\x04",
    b"\x80\x02",
    b"\x80\x03",
    b"\x80\x04",
)  # zip archives, and pickles of protocol 2 to 4


@dataclass(frozen=True)
class Stored:
    """A tensor in a file: where its bytes are."""

    dtype: str
    shape: tuple[int, ...]
    offset: int
    length: int


@dataclass(frozen=True)
class Header:
    tensors: Mapping[str, Stored]
    metadata: Mapping[str, str]


class _Damaged(Exception):
    """Why a file is not what it should be."""


def read_header(path: Path) -> Header:
    """The tensors of the file at `path` and its metadata, checked against the file's length."""
    try:
        with open_regular(path) as file:
            length = os.fstat(file.fileno()).st_size
            start = file.read(8)
            size = int.from_bytes(start, "little")
            if length < 8 or size > min(length - 8, LONGEST_HEADER):
                if start.startswith(FORMATS_OF_TORCH):
                    raise Refused(saved_by_torch(str(path)))
                raise _Damaged(
                    f"its header takes {size:,} bytes, and the file has {length:,}"
                    if size <= LONGEST_HEADER
                    else "it does not begin as such a file does"
                )
            fields = _parse(file.read(size))
        return _header(fields, 8 + size, length)
    except _Damaged as error:
        raise Refused(unreadable_weights(str(path), str(error))) from None
    except OSError as error:
        raise Refused(unreadable_weights(str(path), reason(error))) from None


def _parse(text: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise _Damaged("its header has a name twice")
        return dict(pairs)

    try:
        fields = json.loads(text.decode(), object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise _Damaged("its header is not JSON") from None
    if not isinstance(fields, dict):
        raise _Damaged("its header is not a table")
    return fields


def _header(fields: dict[str, Any], start: int, length: int) -> Header:
    metadata = fields.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _Damaged("its metadata is not a table of strings")
    tensors = {name: _stored(name, entry, start) for name, entry in fields.items()}
    end = start
    for tensor in sorted(tensors.values(), key=lambda t: (t.offset, t.length)):
        if tensor.offset != end:
            raise _Damaged("its tensors overlap or leave a gap")
        end = tensor.offset + tensor.length
    if end != length:
        raise _Damaged(f"its tensors end at byte {end}, and the file has {length}")
    return Header(tensors, metadata)


def _stored(name: str, entry: Any, start: int) -> Stored:
    shown = name[:200]
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _Damaged(f"the entry of {shown} is not a dtype, a shape and two offsets")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not (_whole_numbers(shape) and _whole_numbers(offsets) and len(offsets) == 2):
        raise _Damaged(f"the shape or the offsets of {shown} are not whole numbers")
    if not isinstance(code, str) or code not in WIDTHS:
        raise _Damaged(f"{shown} has the dtype {str(code)[:40]}, which netc does not know")
    size = prod(shape) * WIDTHS[code]
    if prod(shape) > LARGEST or offsets[1] - offsets[0] != size:
        raise _Damaged(f"the offsets of {shown} do not fit its shape")
    return Stored(DTYPES[code], tuple(shape), start + offsets[0], size)


def _whole_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**63 for v in values)


def header_bytes(tensors: Mapping[str, Stored], description: str) -> bytes:
    """The head of a file that holds `tensors`, whose offsets count from its end."""
    fields: dict[str, Any] = {"__metadata__": {"netc": description}}
    for name, t in tensors.items():
        offsets = [t.offset, t.offset + t.length]
        fields[name] = {"dtype": CODES[t.dtype], "shape": list(t.shape), "data_offsets": offsets}
    text = json.dumps(fields, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
