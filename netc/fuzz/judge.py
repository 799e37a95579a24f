"""Turns a case and what the other process made of it into findings: where a target is not what it should be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.backward import Gradients
from netc.autodiff.interpret import interpret
from netc.autodiff.moving import Point, takes_complex
from netc.autodiff.rounding import rounding
from netc.autodiff.row import TOLERANCE, Check, typical_slope
from netc.autodiff.stencil import NEAR, difference_slope
from netc.deploy.deviation import relative_error
from netc.fuzz.case import Case, spelled
from netc.ir.module import Value
from netc.passes.fix import fix

Array: TypeAlias = npt.NDArray[Any]
FACTOR = 16.0  # how much worse than float32 PyTorch another target may be
SETTLED = 1e-3  # a value that rounding moves by more says nothing
LEAST = 1e-6  # of float32
SHARP = 2.0**-29  # of float64's rounding, in float32's
LEAST64 = 1e-9
SLOPE = 1e-5
STEEP = 1e-3  # gradients that are less, where inputs and weights are about 1, may be rounding
NARROW = 2  # the widest step of differences is the third of those that gradient checks try


@dataclass(frozen=True)
class Finding:
    """What failed where. `oracle` names the comparison; error and allowed are relative.

    sided: False where differences of values say that netc is wrong, so that no other may be blamed.
    """

    oracle: str
    where: str
    note: str = ""
    error: float = float("inf")
    allowed: float = 0.0
    sided: bool = True

    def __str__(self) -> str:
        figures = "" if self.note else f": {self.error:.2e} where {self.allowed:.2e} is allowed"
        return f"{self.oracle}, {self.where}{figures}{': ' if self.note else ''}{self.note}"


def signature(finding: Finding) -> tuple[str, str]:
    """What two findings of one cause have in common."""
    return finding.oracle, plain(finding.note)


def plain(note: str) -> str:
    """The start of a message, without what differs between programs: numbers, names, what is quoted."""
    return " ".join(re.sub(r"\b[a-z]?\d+\b|\[.*?\]|'[^']*'|\"[^\"]*\"", "..", note).split())[:80]


def judged(case: Case, answer: Mapping[str, Any]) -> list[Finding]:
    """Everything that is wrong with the targets of a case."""
    if "died" in answer:
        return [Finding("process", "torch or onnxruntime", answer["died"])]
    out = list(_torch(case, answer, "torch"))
    out += _torch(case, answer, "torch64")
    if case.model is not None:
        out += _onnx(case, answer, "onnx")
        out += _onnx(case, answer, "plain onnx")
    if case.differentiated:
        out += _gradient(case, answer)
    return out


def unsettled(case: Case) -> int:
    """How many values cannot be compared, as rounding decides them."""
    return sum(spread > SETTLED for t in case.truths for spread in t.spreads)


def _named(case: Case, trial: int) -> Iterator[tuple[str, Array, float, str]]:
    """Each value by its key, with its spread and its dtype."""
    types = [v.type.dtype for v in case.located.flat.outputs]
    yield from zip(case.keys, case.truths[trial].values, case.truths[trial].spreads, types, strict=True)


def _torch(case: Case, answer: Mapping[str, Any], oracle: str) -> Iterator[Finding]:
    runs = answer.get(oracle)
    if isinstance(runs, str):
        if oracle == "torch64" and case.rounds and not isinstance(answer["torch"], str):
            return  # float32 meets float64 there
        yield Finding(oracle, "the program", runs)
        return
    for trial, found in enumerate(runs or ()):
        for key, value, spread, dtype in _named(case, trial):
            sharp = oracle == "torch64"
            rounds = not sharp or case.rounds
            allowed = 10 * LEAST + 64 * spread if rounds else LEAST64 + 64 * spread * SHARP
            where = f"{key} at batch {trial}"
            yield from _compared(
                oracle, where, value, found.get(key), spread, allowed, "" if sharp else dtype
            )


def _onnx(case: Case, answer: Mapping[str, Any], oracle: str) -> Iterator[Finding]:
    runs = answer[oracle]
    if isinstance(runs, str):
        yield Finding(oracle, "the program", runs)
        return
    torch = answer["torch"]
    for trial, found in enumerate(runs):
        for i, (key, value, spread, dtype) in enumerate(_named(case, trial)):
            if not key.startswith("output/"):
                break
            own = 0.0 if isinstance(torch, str) else _error(value, torch[trial].get(key))
            allowed = FACTOR * (own if np.isfinite(own) else 0.0) + 4 * spread + LEAST
            yield from _compared(oracle, f"{key} at batch {trial}", value, found[i], spread, allowed, dtype)


def _error(value: Array, found: Array | None) -> float:
    return float("inf") if found is None else relative_error(value, np.asarray(found))


def _compared(
    oracle: str, where: str, value: Array, found: Array | None, spread: float, allowed: float, dtype: str
) -> Iterator[Finding]:
    if found is None:
        yield Finding(oracle, where, "it is not there")
        return
    got = np.asarray(found)
    if dtype and str(got.dtype) != dtype:
        yield Finding(oracle, where, f"it is {got.dtype}, not {dtype}")
    elif got.shape != value.shape:
        yield Finding(oracle, where, f"its shape is {got.shape}, not {value.shape}")
    elif spread <= SETTLED and (error := relative_error(value, got)) > (
        allowed if value.dtype.kind == "f" else 0
    ):
        yield Finding(oracle, where, "", error, allowed)


# -- gradients ----------------------------------------------------------------------------------------
def _gradient(case: Case, answer: Mapping[str, Any]) -> Iterator[Finding]:
    slopes = case.slopes
    assert slopes is not None
    if max(case.truths[0].spreads, default=0.0) > SETTLED:
        return
    given = {**case.drawn[0].arrays, **case.weighing}
    with np.errstate(all="ignore"):
        found = interpret(slopes.gradients.flat, given, case.weights)
    gradients = found[len(slopes.gradients.flat.outputs) - len(slopes.wrt) :]
    if not all(np.isfinite(g).all() for g in gradients):
        return
    yield from _by_torch(case, given, answer.get("gradient"), gradients)
    yield from _slopes(case, given, gradients)


def _by_torch(
    case: Case, given: Mapping[str, Array], torch: Any, gradients: tuple[Array, ...]
) -> Iterator[Finding]:
    """The gradients against torch.autograd's; at a kink, which side is taken is left to rounding."""
    slopes = case.slopes
    assert slopes is not None
    if isinstance(torch, str):
        if not case.rounds:
            yield Finding("gradient", "the program", torch)
        return
    allowed = (
        10 * LEAST + 64 * case.truths[0].spread
        if case.rounds
        else LEAST64 + 64 * case.truths[0].spread * SHARP
    )
    scale = max(STEEP, *(float(np.abs(g).max(initial=0.0)) for g in gradients))
    pairs = zip(slopes.wrt, gradients, strict=True) if torch else ()
    found = [
        (value, gradient, finding)
        for value, gradient in pairs
        for finding in _alike(
            f"gradient by {spelled(value)}", gradient, torch[spelled(value)], scale, allowed
        )
    ]
    if found and not case.rounds:
        moves = dict(zip(slopes.wrt, _moves(case, given), strict=True))
        found = [each for each in found if not each[2].error <= allowed + moves[each[0]] / scale]
    if found and not _at_kink(case, given):
        for value, gradient, finding in found:
            yield replace(finding, sided=_sided(case, given, value, gradient, torch[spelled(value)]))


def _moves(case: Case, given: Mapping[str, Array]) -> list[float]:
    """How far rounding may move some element of the gradient for each operand, where both compute in float64."""
    assert case.slopes is not None
    flat = fix(case.slopes.gradients, case.drawn[0].sizes).flat
    outputs = flat.outputs[len(flat.outputs) - len(case.slopes.wrt) :]
    moved = rounding(replace(flat, outputs=outputs), given, case.weights)
    return [float(m.max(initial=0.0)) for m in moved]


def _sided(case: Case, given: Mapping[str, Array], value: Value, gradient: Array, torch: Array) -> bool:
    """Whether values differ as netc's gradient says, in the direction that parts it most from PyTorch's.

    Also where differences cannot tell: at the end of what an op takes, or where the net rounds to float32.
    """
    if gradient.shape != torch.shape:
        return False
    gap = gradient - torch
    direction = np.where(np.isfinite(gap), gap, 1.0)
    direction /= np.abs(direction).max()
    told = None if case.rounds else _along(case, given, value, direction)
    if told is None:
        return True
    error, allowed = _off(gradient, direction, *told)
    return error <= allowed


def _at_kink(case: Case, given: Mapping[str, Array]) -> bool:
    """Whether some node leaves its smooth piece as an operand moves by next to nothing."""
    slopes = case.slopes
    assert slopes is not None
    fixed = fix(slopes.located, case.drawn[0].sizes)
    point, rng = Point(fixed, given, case.weights), np.random.default_rng(len(case.text))
    wanted = {spelled(value) for value in slopes.wrt}
    values = [v for v in (*fixed.flat.inputs, *fixed.flat.params.values()) if spelled(v) in wanted]
    for value in values:
        by = NEAR * rng.standard_normal(point.values[value].shape)
        for to in (point.values[value] + by, point.values[value] - by):
            if point.move(value, to, point.after(value), watch=True).kink is not None:
                return True
    return False


def _alike(where: str, gradient: Array, torch: Array, scale: float, allowed: float) -> Iterator[Finding]:
    if gradient.shape != torch.shape:
        yield Finding("gradient", where, f"its shape is {gradient.shape}, not {torch.shape}")
        return
    if np.isnan(
        torch
    ).any():  # a slope of 0, such as sign's, times one that is infinite; differences tell more
        return
    error = float(np.abs(gradient - torch).max(initial=0.0)) / scale
    if not error <= allowed:
        yield Finding("gradient", where, "", error, allowed)


def _slopes(case: Case, given: Mapping[str, Array], gradients: tuple[Array, ...]) -> Iterator[Finding]:
    """One random direction of each operand, by a complex step, as `netc gradcheck` looks at it; of those where an op
    takes none, one by differences, but where a step is lost in what is cast to float32."""
    slopes = case.slopes
    assert slopes is not None
    sizes, rng = case.drawn[0].sizes, np.random.default_rng(len(case.text))
    fixed = fix(slopes.located, sizes)
    point = Point(fixed, given, case.weights)
    named = {spelled(v): v for v in (*fixed.flat.inputs, *fixed.flat.params.values())}
    values = [named[spelled(v)] for v in slopes.wrt]
    steepest = max(
        STEEP, *(typical_slope(point.values[v], g) for v, g in zip(values, gradients, strict=True))
    )
    backward = Gradients(
        fix(slopes.gradients, sizes), len(fixed.flat.outputs), tuple(values), given, case.weights
    )
    check, rough = Check(point, rng, steepest, TOLERANCE, backward.rounding), []
    for i, value in enumerate(values):
        if not all(takes_complex(point.nodes[k]) for k in point.after(value)):
            rough.append(i)
        elif (row := check.row(value, gradients[i], 1)).too_large:
            yield Finding("slope", f"along {spelled(value)}", "", row.error, row.allowed)
    if rough and not case.rounds:
        i = rough[int(rng.integers(len(rough)))]
        yield from _slope(case, given, slopes.wrt[i], gradients[i], rng)


def _slope(
    case: Case, given: Mapping[str, Array], value: Value, gradient: Array, rng: np.random.Generator
) -> Iterator[Finding]:
    """The slope by differences against the gradient's."""
    direction = rng.standard_normal(gradient.shape)
    told = _along(case, given, value, direction)
    if told is None or told[1] > SETTLED * abs(told[0]):
        return
    error, allowed = _off(gradient, direction, *told)
    if not error <= allowed:
        yield Finding("slope", f"along {spelled(value)}", "", error, allowed)


def _off(gradient: Array, direction: Array, slope: float, spread: float) -> tuple[float, float]:
    """How far a gradient is from a slope by differences, and how far it may be."""
    wanted = float((gradient * direction).sum())
    scale = max(abs(wanted), abs(slope), float(np.abs(gradient).max(initial=0.0)), STEEP)
    return abs(wanted - slope) / scale, SLOPE + 10 * spread / scale


def _along(
    case: Case, given: Mapping[str, Array], value: Value, direction: Array
) -> tuple[float, float] | None:
    """The slope of the weighed sum by differences, and its spread; None where they do not tell it."""
    assert case.slopes is not None
    fixed = fix(case.slopes.located, case.drawn[0].sizes)
    point = Point(fixed, given, case.weights)
    moved = next(v for v in (*fixed.flat.inputs, *fixed.flat.params.values()) if spelled(v) == spelled(value))
    with np.errstate(all="ignore"):
        slope, _ = difference_slope(point, moved, direction, point.after(moved), NARROW)
    if slope.value is None or not np.isfinite(slope.value):
        return None
    return slope.value, slope.spread
