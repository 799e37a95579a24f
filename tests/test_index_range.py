"""What is known of whole numbers: each op's claim on random operands, and specs whose indices just fit or do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from emitted import loaded
from op_driver import operand_shape

from netc.autodiff.interpret import interpret
from netc.autodiff.trial import random_weights, trials
from netc.backends.onnx_file import write_onnx
from netc.backends.to_onnx import to_onnx
from netc.backends.to_torch import to_torch
from netc.backends.weights import Held
from netc.deploy.runtime import outputs_of, start
from netc.diagnostics import Refused
from netc.ir.module import Net
from netc.ops.attributes import bind
from netc.ops.contract import FLOATS, INTEGERS, OPS, Op, Sample
from netc.ops.index_range import IndexRange
from netc.passes.elaborate import elaborate
from netc.passes.initial import state
from netc.passes.inline import inline
from netc.passes.load import load

HIGH = 3  # what whole numbers stay below
DRAWS = 400
ALL = sorted(set(OPS.values()), key=lambda op: op.name)
CLAIMS = {
    "argmax", "argmin", "argsort", "sort", "topk", "positions", "one_hot", "full_like", "max_pool1d", "max_pool2d",
    "max_pool3d", "max", "concat", "stack", "reshape", "permute", "slice",
    "gather", "index_select", "cast", "type_as", "identity", "expand", "tile", "roll", "flip",
}  # fmt: skip


def claims(op: type[Op]) -> list[tuple[Op, Sample, tuple[IndexRange | None, ...]]]:
    """The samples on which the op claims something of outputs that are whole numbers."""
    out = []
    for sample in op.samples:
        zero = any(d.dtype in INTEGERS for d in sample.operands) and op.divisors
        if sample.rejects or zero:
            continue
        bound = bind(op, (), sample.attributes)
        shapes = [operand_shape(d) for d in sample.operands]
        made = bound.index_range([known_of(d.dtype) for d in sample.operands], *shapes)
        shape = bound.shape(*shapes)
        several = (
            made if isinstance(made, tuple) else (made,) * (len(shape) if isinstance(shape, list) else 1)
        )
        dtypes = bound.dtypes(len(several), *(d.dtype for d in sample.operands))
        kept = tuple(r if t in INTEGERS else None for r, t in zip(several, dtypes, strict=True))
        if any(kept):
            out.append((bound, sample, kept))
    return out


def known_of(dtype: str) -> IndexRange | None:
    return IndexRange(HIGH, each=True) if dtype in INTEGERS else None


def results(op: Op, sample: Sample, draws: int = DRAWS) -> list[tuple[np.ndarray, ...]]:
    """The outputs on random operands, whole numbers below HIGH among them."""
    generator = np.random.default_rng(0)
    shapes = [operand_shape(d) for d in sample.operands]
    limits = op.below(*shapes)
    out = []
    for _ in range(draws):
        operands = [
            generator.standard_normal(shape).astype(d.dtype)
            if d.dtype in FLOATS
            else generator.integers(
                0, min(HIGH, limit or HIGH) if d.dtype in INTEGERS else 2, shape, dtype=d.dtype
            )
            for d, shape, limit in zip(sample.operands, shapes, limits, strict=True)
        ]
        made = op.forward(*operands)
        out.append(made if isinstance(made, tuple | list) else (made,))
    return out


@pytest.mark.parametrize("op", [op for op in ALL if claims(op)], ids=lambda op: op.name)
def test_what_an_op_claims_of_its_whole_numbers(op: type[Op]) -> None:
    for bound, sample, ranges in claims(op):
        runs = results(bound, sample)
        for i, held in enumerate(ranges):
            if held is None:
                continue
            values = np.stack([run[i] for run in runs])
            assert values.min() >= 0 and values.max() == held.below - 1, f"{bound} on {sample}: {held}"
            if held.each and not held.ramp:
                assert (values.max(axis=0) == held.below - 1).all(), f"{bound} on {sample}: not each"
            if held.ramp:
                assert (np.diff(values[0]) == 1).all() and values[0].max() == held.below - 1


def test_the_ops_that_make_or_move_positions_claim_something() -> None:
    assert {op.name for op in ALL if claims(op)} >= CLAIMS


@pytest.mark.parametrize("wrong", [IndexRange(4, each=True), IndexRange(6, each=True)])
def test_a_wrong_claim_is_seen(wrong: IndexRange) -> None:
    claim = type("Claim", (OPS["argmax"],), {"index_range": lambda self, known, x: wrong})
    with pytest.raises(AssertionError):
        test_what_an_op_claims_of_its_whole_numbers(claim)


# -- specs ------------------------------------------------------------------------------------------------

EXACT = (
    "p",
    "p[2:]",
    "p[:3]",
    "p[1:8:3]",
    "p[4]",
    "p[:4][1:3]",
    "p + 2",
    "(p + 2)[:4]",
    "p * 3 + 1",
    "unsqueeze(q, 1) * 9 + p",
    "p // 2",
    "(p * 3) // 4",
    "p % 4",
    "p[:3] % 4",
    "p[5] % 3",
    "concat(p, q, axis=0)",
    "stack(p[:5], q, axis=1)",
    "roll(p, 2, 0)",
    "flip(p, 0)",
    "reshape(p, [3, 3])[:, :]",
    "tile(p, 2)",
    "maximum(p, 4)",
    "minimum(p, 4)",
    "full_like(p, 6)",
    'p -> cast("int64") -> type_as(q)',
    "max(unsqueeze(p, 0), axis=1)",
    "q + tensor([0, 2, 0, 4, 1])[1]",
    "p + tensor([[3], [7]])",
    "concat(p, tensor([4, 12]), axis=0)",
    "tensor([[1, 5], [3, 0]])",
)
DATA = {  # what some input reaches, and none passes
    "argmax(x, axis=1)": 8,
    "argmin(x, axis=2)": 4,
    "argmax(x, axis=1)[:1]": 8,
    "argmax(x, axis=1) + p[2]": 10,
    "argmax(x, axis=1) % 4": 3,
    "argsort(x, axis=1)": 8,
    "gather(argmax(x, axis=1), argmax(x, axis=1) % 2, axis=1)": 8,
}
UNKNOWN = (
    "p - 1",
    "p * p",
    "abs(p - 4)",
    "where(p > 3, p, q[0])",
    "reshape(p, [3, 3])[:, :1]",
    "cumsum(p, axis=0)",
)


def spec_of(expression: str, rows: int, between: str = "") -> str:
    return f"""
{between}
net Indexed {{
    input x: float32[N, 9, 5]
    p = positions(x, axis=1)
    q = positions(x, axis=2)
    i = {expression}
    output i -> {"Rows" if between else "Embedding"}({rows}, 2)
}}
"""


def written(spec: str, **settings: int) -> Net:
    return elaborate(load("a.net", lambda _: spec.encode()), spec.split("net ")[1].split(" ")[0], settings)


def reached(expression: str) -> int:
    """The greatest number that the expression of positions gives, by numpy."""
    net = written(spec_of(expression, 1000).replace("output i -> Embedding(1000, 2)", "output i"))
    flat = inline(net)
    (value,) = interpret(flat, trials(net, flat)[0].inputs, {})
    return int(value.max())


def refused(spec: str) -> str:
    with pytest.raises(Refused) as found:
        written(spec)
    (finding,) = found.value.diagnostics
    return finding.message


BLOCK = """
block Rows(rows: int, width: int) {
    input i: [...shape]
    output i -> Embedding(rows, width)
}
"""


@pytest.mark.parametrize("expression", EXACT)
def test_positions_need_a_row_each(expression: str) -> None:
    most = reached(expression)
    written(spec_of(expression, most + 1))
    message = refused(spec_of(expression, most))
    assert f"goes up to {most}, but must stay below {most}" in message


@pytest.mark.parametrize(("expression", "most"), DATA.items())
def test_places_that_the_input_decides_need_a_row_each(expression: str, most: int) -> None:
    written(spec_of(expression, most + 1))
    assert f"goes up to {most}, but must stay below {most}" in refused(spec_of(expression, most))


@pytest.mark.parametrize("expression", UNKNOWN)
def test_what_is_not_known_is_the_user_s_promise(expression: str) -> None:
    written(spec_of(expression, 1))


@pytest.mark.parametrize(
    ("use", "limit"),
    [
        ("index_select(w, p, axis=0)", "w: [8, 4]"),
        ("gather(x, unsqueeze(unsqueeze(p, 0), 2), axis=1)", ""),
        ("one_hot(p, 8)", ""),
        ("scatter_add(w, expand(unsqueeze(p, 1), [9, 4]), expand(w[:1], [9, 4]), axis=0)", "w: [8, 4]"),
    ],
)
def test_every_op_that_points_at_something_asks(use: str, limit: str) -> None:
    spec = "net Points {\n input y: float32[9]\n input x: float32[1, 8, 1]\n p = positions(y, axis=0)\n"
    spec += f" param {limit}\n" * bool(limit) + f" output {use}\n}}\n"
    assert "goes up to 8, but must stay below 8" in refused(spec)
    written(
        spec.replace(
            "p = positions(y, axis=0)",
            "p = concat(positions(y, axis=0)[:8], positions(y, axis=0)[:1], axis=0)",
        )
    )


def test_indices_of_max_pooling_point_into_what_they_were_taken_from() -> None:
    spec = """net Un {
    input x: float32[N, 2, 4, W]
    y, at = x -> max_pool2d(2, return_indices=true)
    output max_unpool2d(y, at, 2)
}"""
    assert [str(c) for c in written(spec).constraints] == ["W % 2 == 0"]
    assert "at goes up to 18, but must stay below 16" in refused(spec.replace("W]", "5]"))
    pool = torch.nn.MaxPool2d(2, return_indices=True)
    y, at = pool(torch.arange(20.0).reshape(1, 1, 4, 5))
    assert at.max() == 18
    with pytest.raises((RuntimeError, IndexError)):
        torch.nn.functional.max_unpool2d(y, at, 2)


# -- free sizes --------------------------------------------------------------------------------------------

FREE = """
block Place(n: int) {
    input x: [N, T]
    p = positions(x, axis=1)
    output p -> Rows(n)
}
block Rows(n: int) {
    input i: [T]
    output i -> Embedding(n, 4)
}
net Text {
    input text: int64[N, T]
    output (text -> Place(8)) + (text -> Embedding(5, 4))
}
"""


def test_a_largest_size_is_learnt_through_blocks() -> None:
    net = written(FREE)
    (constraint,) = net.constraints
    assert str(constraint) == "T <= 8" and constraint.span is not None
    assert constraint.span.text == "Embedding(n, 4)"
    assert "goes up to 8, but must stay below 8" in refused(
        FREE.replace("[N, T]\n    output (", "[N, 9]\n    output (")
    )
    written(FREE, T=8)
    with pytest.raises(Refused):
        written(FREE, T=9)
    with pytest.raises(Refused):
        written(FREE.replace("    output (text", "    assert T >= 9\n    output (text"))


def test_what_a_block_gives_is_known_to_its_caller() -> None:
    spec = FREE.replace("output p -> Rows(n)", "output p").replace(
        "text -> Place(8)", "text -> Place(8) -> Rows(8)"
    )
    assert [str(c) for c in written(spec).constraints] == ["T <= 8"]
    assert "goes up to 8, but must stay below 8" in refused(
        spec.replace("text: int64[N, T]", "text: int64[N, 9]")
    )
    twice = spec.replace("output (text", "output (text[:, :3] -> Place(8) -> Embedding(3, 4)), (text")
    assert [str(c) for c in written(twice).constraints] == ["T >= 3", "T <= 8"]
    assert "goes up to 2, but must stay below 2" in refused(twice.replace("Embedding(3", "Embedding(2"))


def test_a_layer_shared_by_tokens_and_positions_is_one_layer() -> None:
    spec = FREE.replace("output (text -> Place(8)) + (text -> Embedding(5, 4))",
        "e = Rows(8)\n    output (text[0] -> e) + (positions(text, axis=1) -> e)")  # fmt: skip
    net = written(spec)
    assert [str(c) for c in net.constraints] == ["T <= 8"] and list(state(net)) == ["e.embed1.weight"]
    assert len({step.block for step in net.block.body if hasattr(step, "block")}) == 1


def test_the_targets_at_the_bound_and_one_beyond(tmp_path) -> None:
    net = written(FREE)
    weights = random_weights(state(net))
    module = loaded(net, weights, to_torch(net))
    write_onnx(tmp_path / "a.onnx", to_onnx(net), Held(weights))
    session = start(tmp_path / "a.onnx")
    text = np.random.default_rng(0).integers(0, 5, (2, 9))
    places, words = (weights[k] for k in ("place1.rows1.embed1.weight", "embed1.weight"))
    wanted = places[:8] + words[text[:, :8]]
    np.testing.assert_allclose(module(torch.from_numpy(text[:, :8])).detach().numpy(), wanted, rtol=1e-6)
    (found,) = outputs_of(session, tmp_path / "a.onnx", {"text": text[:, :8]})
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    with pytest.raises(ValueError, match="T must be at most 8, not 9"):
        module(torch.from_numpy(text))
    with pytest.raises(IndexError):  # what stood there else
        torch.nn.functional.embedding(torch.arange(9), torch.from_numpy(places))
