"""An op on one of its samples: operands and parameters drawn, and how results are compared."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from netc.ops.attributes import bind
from netc.ops.contract import FLOATS, Op, Sample


@dataclass(frozen=True)
class Case:
    """An op on a sample: its operands and parameters as arrays."""

    op: Op
    names: tuple[str, ...]
    operands: list
    params: dict

    @property
    def shapes(self):
        return [x.shape for x in self.operands]

    @property
    def arrays(self):
        return [*self.operands, *self.params.values()]

    def result(self):
        """The outputs, as a list."""
        with np.errstate(all="ignore"):
            return several(self.op.forward(*self.arrays))


def several(y) -> list:
    return list(y) if isinstance(y, tuple | list) else [y]


def case_of(op_class, sample: Sample, floats: str = "float64") -> Case:
    """The case that `sample` describes; its numbers are those of float32 in either precision."""
    rng = np.random.default_rng(crc32(f"{op_class.name} {sample}".encode()))
    op = bind(op_class, (), sample.attributes)
    operands = [draw(rng, operand, floats) for operand in sample.operands]
    params = {}
    for name, p in op.params(*(x.shape for x in operands)).items():
        positive = np.abs(rng.normal(size=p.shape)) + 0.5 if p.init.kind == "ones" else None
        drawn = rng.normal(size=p.shape) if positive is None else positive
        drawn = rng.integers(0, 5, p.shape) if p.dtype == "int64" else drawn  # it counts batches
        params[name] = np.asarray(drawn, "float32").astype(p.dtype or floats)
    return Case(op, op_class.operand_names(len(operands)), operands, params)


def draw(rng, operand, floats):
    dtype = floats if operand.dtype in FLOATS else operand.dtype
    if operand.kind == "given":
        return np.array(operand.values, operand.dtype).astype(dtype)
    if operand.kind == "integers":
        return np.asarray(rng.integers(operand.low, operand.high, operand.shape)).astype(dtype)
    low, high = operand.low, operand.high
    uniform = operand.kind == "uniform"
    drawn = rng.uniform(low, high, operand.shape) if uniform else rng.normal(size=operand.shape)
    return np.asarray(drawn, "float32").astype(dtype)


def close(found, wanted, tolerance, what):
    """That two arrays agree, relative to the largest magnitude; -0.0 is 0.0, NaN is NaN."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape, f"{what}: shape {found.shape}, not {wanted.shape}"
    if wanted.dtype.kind != "f":
        assert np.array_equal(found, wanted), f"{what}: {found} is not {wanted}"
        return
    finite = np.isfinite(wanted)
    assert np.array_equal(np.isfinite(found), finite), f"{what}: not finite in other places"
    assert np.array_equal(found[~finite], wanted[~finite], equal_nan=True), f"{what}: {found} is not {wanted}"
    scale = max(1e-3, np.abs(wanted[finite]).max(initial=0))
    worst = np.abs(found[finite] - wanted[finite]).max(initial=0) / scale
    assert worst <= tolerance, f"{what}: off by {worst:.2g}\n{found}\n{wanted}"
