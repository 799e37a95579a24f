"""The checks of the facet `branch` and of the flag `analytic`: where an op is smooth, and how it is shown."""

import math
import warnings

import numpy as np
from op_case import Case, case_of, several
from op_torch import gradient_case, has_gradient, moving, vjp

from netc.ops.contract import Sample

PLACES = 24  # a segment is looked at in so many parts
SUSPECTS = 3  # of which so many, where most changes, are searched for a jump of each kind
STEP = 1e-6  # for the slope of the slope
TINY = 1e-9  # how near the ends of a jump are brought; the whole segment is 1
# The least jump that counts, of the greatest magnitude on the segment; a bend changes much in a STEP, too.
NOTICED = {"value": 1e-3, "slope": 1e-3, "bend": 1e-2}


class Segment:
    """An op on the way from one point to another, both near a sample; what is whole or bool stays."""

    def __init__(self, op_class, sample: Sample):
        self.op_class, self.sample = op_class, sample
        self.start = case_of(op_class, sample)
        rng = np.random.default_rng(5)
        self.gs = [rng.normal(size=np.shape(y)) for y in self.start.result()]
        with np.errstate(invalid="ignore"):  # where what is given is infinite
            self.way = [other - x for x, other in zip(self.start.arrays, self._end(rng), strict=True)]
        self.differentiable = has_gradient(op_class, sample)

    def _end(self, rng):
        """What is drawn is drawn once more, so that it stays in its domain; what is given goes astray."""
        operands = zip(self.start.operands, self.sample.operands, strict=True)
        ends = [self._moved(rng, x, draw.kind, draw.low, draw.high) for x, draw in operands]
        made = self.start.op.params(*self.start.shapes)
        for name, x in self.start.params.items():
            positive = made[name].init.kind == "ones"
            ends.append(self._moved(rng, x, "uniform" if positive else "normal", 0.5, 2.0))
        return ends

    def _moved(self, rng, x, kind, low, high):
        if x.dtype.kind != "f":
            return x.astype("int64")
        if kind == "uniform":
            return rng.uniform(low, high, x.shape)
        return 1.5 * rng.normal(size=x.shape) + (x if kind == "given" else 0)

    def at(self, t: float) -> Case:
        arrays = [
            (x + t * d).astype(x.dtype) if x.dtype.kind == "f" else x
            for x, d in zip(self.start.arrays, self.way, strict=True)
        ]
        count = len(self.start.operands)
        params = dict(zip(self.start.params, arrays[count:], strict=True))
        return Case(self.start.op, self.start.names, arrays[:count], params)

    def branch(self, t: float):
        case = self.at(t)
        with np.errstate(all="ignore"):
            found = case.op.branch(*case.arrays)
        assert found is None or np.asarray(found).dtype.kind in "biu", "a branch is a whole number or a bool"
        return found

    def value(self, t: float) -> float:
        """The outputs, weighed."""
        return sum((np.asarray(y) * g).sum() for y, g in zip(self.at(t).result(), self.gs, strict=True))

    def slope(self, t: float) -> float:
        """The slope of that along the segment, by the gradient rule."""
        case = self.at(t)
        gradients = zip(vjp(case, self.gs), self.way, strict=True)
        return sum(float((d * way).sum()) for d, way in gradients if d is not None)

    def before(self, t: float) -> float:
        """The slope of the slope, from the left; nan where another piece is that near."""
        return self._bend(t - STEP, t)

    def after(self, t: float) -> float:
        return self._bend(t, t + STEP)

    def _bend(self, a: float, b: float) -> float:
        apart = differ(self.branch(a), self.branch(b))
        return math.nan if apart else (self.slope(b) - self.slope(a)) / STEP


def check_branch(op_class, sample):
    """Wherever the value, the slope or the slope of the slope jumps, `branch` changes; elsewhere it stays."""
    segment = Segment(op_class, sample)
    if not any(way.any() for way in segment.way):
        return
    kinds = {"value": (segment.value, segment.value)}
    if segment.differentiable:
        kinds |= {"slope": (segment.slope, segment.slope), "bend": (segment.before, segment.after)}
    for kind, (left, right) in kinds.items():
        for a, b in jumps(left, right, NOTICED[kind]):
            unlike = differ(segment.branch(a), segment.branch(b))
            assert unlike, (
                f"the {kind} jumps at {a:.9f} of the segment, but `branch` is the same on both sides"
            )
    inner = np.random.default_rng(6).uniform(0.05, 0.95, 4)
    stays = [not differ(segment.branch(t), segment.branch(t + 1e-13)) for t in inner]
    assert any(stays), "`branch` changes everywhere"


def differ(a, b) -> bool:
    return a is not None and not np.array_equal(a, b)


def jumps(left, right, noticed):
    """The tiny intervals at whose ends a function of the segment differs; `left` is asked at their starts."""
    ends = np.linspace(0, 1, PLACES + 1)
    starts = np.array([left(t) for t in ends], "float64")
    starts[~np.isfinite(starts)] = np.nan
    scale = np.nanmax(np.abs(starts), initial=1e-3)
    changes = np.nan_to_num(np.abs(np.diff(starts)), nan=0)
    for i in np.argsort(-changes)[:SUSPECTS]:
        found = narrowed(left, right, ends[i], ends[i + 1], noticed * scale)
        if found is not None:
            yield found


def narrowed(left, right, a, b, least):
    """The part of [a, b] no longer than TINY in which the function jumps by `least`; None where there is none."""
    at_a, at_b = left(a), right(b)
    while b - a > TINY:
        middle = (a + b) / 2
        first, second = abs(right(middle) - at_a), abs(at_b - left(middle))
        if not (math.isfinite(first) and math.isfinite(second) and max(first, second) > least):
            return None
        if first >= second:
            b, at_b = middle, right(middle)
        else:
            a, at_a = middle, left(middle)
    return a, b


def check_analytic(op_class, sample):
    """An op that says so gives its gradient by a complex step, too, on the piece that the point lies on."""
    if op_class.analytic and differentiated(op_class, sample):
        complex_step(op_class, sample)


def differentiated(op_class, sample) -> bool:
    """Whether some output has a gradient, and some operand gets one."""
    return has_gradient(op_class, sample) and any(d is not None for d in gradient_case(op_class, sample)[2])


def complex_step(op_class, sample):
    """That forward at x + 1e-30 i d gives what the gradient rule gives along d."""
    case, gs, gradients = gradient_case(op_class, sample)
    rng = np.random.default_rng(13)
    way = [
        moving(case, i, rng.normal(size=x.shape)) if d is not None else None
        for i, (x, d) in enumerate(zip(case.arrays, gradients, strict=True))
    ]
    arrays = [x if d is None else x + 1e-30j * d for x, d in zip(case.arrays, way, strict=True)]
    with np.errstate(all="ignore"):
        moved = several(case.op.forward(*arrays))
    pairs = [(y, g) for y, g in zip(moved, gs, strict=True) if g is not None]
    found = sum((np.asarray(y).imag * g).sum() / 1e-30 for y, g in pairs)
    parts = [(d * by) for d, by in zip(gradients, way, strict=True) if d is not None]
    size = sum(np.abs(part).sum() for part in parts)
    wanted = sum(part.sum() for part in parts)
    assert np.isfinite(found) and abs(found - wanted) <= 1e-13 * max(size, 1e-3), (
        f"a complex step gives {found}, the gradient rule {wanted}"
    )


def passes(op_class, sample) -> bool:
    """Whether there is a gradient and a complex step gives it, flag or no flag."""
    try:
        assert any(d is not None for d in gradient_case(op_class, sample)[2])
        with warnings.catch_warnings(action="ignore", category=np.exceptions.ComplexWarning):
            complex_step(op_class, sample)
    except Exception:
        return False
    return True
