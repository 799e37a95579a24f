"""The form that every op has: a docstring in its parts, at least ten good samples, each refusal reached by one."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import itertools
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest
from op_case import case_of
from op_driver import OPSETS, operand_shape, spelled
from op_graph import Graph
from op_symbols import named_apart, named_attributes

import netc.ops
from netc.dims import Learn, Prover, proving
from netc.ops.attributes import BadArgument, bind
from netc.ops.contract import FLOATS, OPS, Mismatch, Op, Operand, Sample
from netc.ops.prose import prose

ROOT = Path(netc.ops.__file__).parent
ALL = sorted(set(OPS.values()), key=lambda op: op.name)
GOOD_SAMPLES = 10
UNREACHED = {"contract.py", "initialiser.py"}  # `require` itself


@pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
def test_an_op_has_its_form(op: type[Op]) -> None:
    lacks = prose(op.__doc__).lacks
    assert not lacks, f"the docstring of {op.name} lacks {', '.join(lacks)}"
    assert "dx" not in prose(op.__doc__).formula, "the gradient has a line of its own"
    good = sum(not s.rejects for s in op.samples)
    assert good >= GOOD_SAMPLES, f"{op.name} has {good} good samples"
    assert len(set(map(str, op.samples))) == len(op.samples), "a sample stands there twice"


@pytest.mark.parametrize(
    "path", sorted(p for p in ROOT.glob("*.py") if p.name not in UNREACHED), ids=lambda p: p.name
)
def test_each_refusal_is_reached(path: Path) -> None:
    lines = path.read_text().split("\n")
    silent = [f"{path.name}:{a}: {lines[a - 1].strip()}" for a, b in refusals(path) if not fired(path, a, b)]
    assert not silent, "no sample is refused here:\n" + "\n".join(silent)


def refusals(path: Path) -> Iterator[tuple[int, int]]:
    """The first and the last line of each `require(...)` and `raise Mismatch(...)`.

    Those of gradients concern free sizes, which only the reverse pass puts to them; those of opsets concern files.
    """
    for node in ast.walk(ast.parse(path.read_text())):
        name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if name in ("require", "Mismatch") and not re.search(
            "the gradient of|graph.opset", ast.unparse(node)
        ):
            yield node.lineno, node.end_lineno or node.lineno


def fired(path: Path, first: int, last: int) -> bool:
    return any(name == str(path) and first <= line <= last for name, line in places())


@cache
def places() -> frozenset[tuple[str, int]]:
    """Where a sample of any op was refused: file and line of each frame on the way."""
    found: set[tuple[str, int]] = set()
    for op in ALL:
        for sample in op.samples:
            for refusal in refusals_of(op, sample):
                found |= set(frames(refusal.__traceback__))
    return frozenset(found)


def frames(traceback: TracebackType | None) -> Iterator[tuple[str, int]]:
    while traceback is not None:
        yield traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next


def refusals_of(op: type[Op], sample: Sample) -> Iterator[Mismatch]:
    """What netc says of a sample: on numbers, on named sizes that are given or free, and in ONNX."""
    shapes = [operand_shape(o) for o in sample.operands]
    named, values = named_apart(shapes)
    attributes, more = named_attributes(sample.attributes, {})
    for given in ({}, values | more):
        for told, sizes in ((sample.attributes, shapes), (sample.attributes, named), (attributes, named)):
            with proving(Prover(given=given)), contextlib.suppress(Learn, BadArgument, ArithmeticError):
                yield from rejected(op, told, [o.dtype for o in sample.operands], sizes)
    if not sample.rejects and "onnx" not in sample.without:
        for floats, opset in itertools.product(FLOATS, OPSETS):
            yield from not_in_onnx(op, sample, floats, opset)
    if op.trains and not sample.rejects:
        yield from not_in_training(op, sample)


def not_in_training(op: type[Op], sample: Sample) -> list[Mismatch]:
    case = case_of(op, sample)
    noise = case.op.noise(*case.shapes)
    try:
        case.op.training(*case.arrays, *([np.ones(noise.shape)] if noise else []))
    except Mismatch as mismatch:
        return [mismatch]
    return []


def rejected(op: type[Op], attributes: Any, dtypes: list[str], shapes: list) -> list[Mismatch]:
    try:
        made = bind(op, (), attributes)
        made.dtype(*dtypes)
        made.shape(*shapes)
        made.agree(shapes, dtypes)
    except Mismatch as mismatch:
        return [mismatch]
    return []


def not_in_onnx(op: type[Op], sample: Sample, floats: str, opset: int) -> list[Mismatch]:
    case = case_of(op, sample, floats)
    operands = [
        Operand.of(spelled(n), x.shape, str(x.dtype)) for n, x in zip(case.names, case.operands, strict=True)
    ]
    params = [Operand.of(n, p.shape, str(p.dtype)) for n, p in case.params.items()]
    with contextlib.suppress(BadArgument):
        try:
            case.op.onnx(Graph(opset, [*operands, *params]), *operands, *params)
        except Mismatch as mismatch:
            return [mismatch]
    return []


def test_the_forms_would_fail() -> None:
    """A docstring without its parts, a refusal that nothing reaches."""
    assert prose("y = x; dx = g.\n\nSource: none").lacks == ("shape", "gradient")
    assert not fired(ROOT / "conv.py", 1, 3)
    assert importlib.import_module("netc.ops.conv") and inspect.isclass(Op)
