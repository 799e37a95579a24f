"""Turns a net into the table of all its parameters by path, and a seed into their starting values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from math import prod, sqrt
from threading import local
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from netc.dims import AnyDim, Dim, Shape, show, substitute
from netc.ir.module import Block, Call, Net, Param, Path, Type
from netc.ops.arrays import np
from netc.ops.contract import Init

if TYPE_CHECKING:
    import numpy.typing as npt

Numbers: TypeAlias = "npt.NDArray[Any]"
State: TypeAlias = Mapping[str, Param]
WIDTHS = {"float32": 4, "float64": 8, "int64": 8, "int32": 4, "bool": 1}  # bytes of an element

_THREAD = local()


def state(net: Net) -> dict[str, Param]:
    """Every parameter and buffer of `net` by dotted path, its shape in numbers, in the order of first use.

    Also those that only a loss or a metric needs. These are the names of the emitted module's state_dict.
    """
    return {".".join(path): replace(param, path=path) for path, param in _owned(net.block, (), {})}


def _owned(block: Block, prefix: Path, sizes: Mapping[str, AnyDim]) -> Iterator[tuple[Path, Param]]:
    seen: set[Path] = set()
    for step in block.body:
        if isinstance(step, Call):
            if step.path not in seen:
                seen.add(step.path)
                inner = {name: substitute(dim, sizes) for name, dim in step.sizes.items()}
                yield from _owned(step.block, prefix + step.path, inner)
            continue
        for param in step.params:
            if param.owned and param.path not in seen:
                seen.add(param.path)
                yield prefix + param.path, _resized(param, sizes)
    for param in block.params:
        if param.owned and param.path not in seen:
            seen.add(param.path)
            yield prefix + param.path, _resized(param, sizes)


def _resized(param: Param, sizes: Mapping[str, AnyDim]) -> Param:
    """`param` in the sizes of the net, instead of those of its block."""
    if not sizes:
        return param
    shape: Shape = tuple(substitute(d, sizes) for d in param.type.shape)
    start = param.init.a
    init = replace(param.init, a=substitute(start, sizes)) if isinstance(start, Dim) else param.init
    return replace(param, type=Type(param.type.dtype, shape), init=init)


def draw(name: str, param: Param, seed: int) -> Numbers:
    """The starting value of `param`: the same numbers for the same name and seed, whatever else there is."""
    shape = numbers(param.type.shape)
    dtype = np.dtype(param.type.dtype)
    low, high = _range(param.init)
    if param.start is not None:
        return np.array(param.start.number, dtype)
    if param.init.by is not None:
        values = param.init.by.draw(_generator(name, seed), shape, _drawn(dtype))
    elif param.init.kind in ("uniform", "fan_in"):
        values = _generator(name, seed).random(shape, dtype=_drawn(dtype))
        values *= values.dtype.type(high - low)
        values += values.dtype.type(low)
    elif param.init.kind == "normal":
        values = _generator(name, seed).standard_normal(shape, dtype=_drawn(dtype))
        values *= values.dtype.type(param.init.b)
        values += values.dtype.type(low)
    else:
        values = np.full(shape, {"zeros": 0, "ones": 1}.get(param.init.kind, low), dtype)
    if param.init.zero_row is not None:
        values[param.init.zero_row] = 0
    return np.asarray(values, dtype)


def numbers(shape: Shape) -> tuple[int, ...]:
    """`shape`, which no free size may enter."""
    for d in shape:
        if not isinstance(d, int):
            raise ValueError(f"the shape {show(shape)} depends on a free size")
    return shape  # type: ignore[return-value]  # all are numbers


class Typed(Protocol):
    """A parameter, or what else has a type."""

    @property
    def type(self) -> Type: ...


def bytes_of(tensor: Typed) -> int:
    """How many bytes the values of `tensor` take."""
    return prod(numbers(tensor.type.shape)) * WIDTHS[tensor.type.dtype]


def _drawn(dtype: np.dtype[Any]) -> Any:
    return np.float32 if dtype.kind == "f" and dtype.itemsize < 8 else dtype.type


def _range(init: Init) -> tuple[float, float]:
    if init.kind == "fan_in":
        bound = 1 / sqrt(*numbers((init.a,)))  # type: ignore[arg-type]  # a size, not a float
        return -bound, bound
    return init.a, init.b  # type: ignore[return-value]  # a float, not a size


def _generator(name: str, seed: int) -> np.random.Generator:
    """numpy's Philox keyed by seed and name; one a thread, as making one costs more than a small draw."""
    if not hasattr(_THREAD, "start"):
        _THREAD.philox = np.random.Philox(key=0)
        _THREAD.start = _THREAD.philox.state
        _THREAD.generator = np.random.Generator(_THREAD.philox)
    key = blake2b(f"{seed}:{name}".encode(), digest_size=16).digest()
    _THREAD.start["state"]["key"] = np.frombuffer(key, "<u8")
    _THREAD.philox.state = _THREAD.start
    generator: np.random.Generator = _THREAD.generator
    return generator
