"""netc gradcheck fails and names the op when its gradient rule is broken, be it by a constant that float32 has rounded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # tests.mutants is a package

from test_cli import netc

from tests.mutants import ops_gradient
from tests.mutants.mutant import Mutant

MUTANTS = {m.what: m for m in ops_gradient.MUTANTS}
RULES = [  # what is broken, the op that must be named, and a use of it
    ("leaky_relu: the slope below 0 is not applied", "leaky_relu", "x -> Linear(6) -> leaky_relu(0.2)"),
    ("PReLU: the slope learns from positive x", "PReLU", "x -> Linear(6) -> PReLU"),
    ("elu: alpha is forgotten in the gradient", "elu", "x -> Linear(6) -> elu(0.5)"),
    ("softplus: the gradient forgets beta", "softplus", "x -> softplus(2) -> Linear(3)"),
    ("silu: the product rule without its second half", "silu", "x -> Linear(6) -> silu"),
    ("gelu: the density is not normalised", "gelu", "x -> Linear(6) -> gelu"),
    ("hard_swish: the gradient at the middle is 0", "hard_swish", "x -> Linear(6) -> hard_swish"),
    ("sigmoid: the gradient of tanh", "sigmoid", "x -> Linear(6) -> sigmoid -> Linear(2)"),
    ("softmax: the Jacobian's diagonal alone", "softmax", "x -> Linear(6) -> softmax(axis=-1)"),
    ("log_softmax: g is not summed", "log_softmax", "x -> Linear(6) -> log_softmax(axis=-1)"),
    ("Conv: dx without the padding's offset", "Conv2d", "map -> Conv2d(3, 3, 2, padding=1) -> tanh"),
    ("Conv: the bias' gradient is a mean", "Conv1d", "rows -> Conv1d(3, 2) -> tanh"),
    ("max_pool: the gradient goes to each index once", "max_pool2d", "map -> Conv2d(3, 1) -> max_pool2d(2)"),
    ("avg_pool: the gradient is not divided", "avg_pool2d", "map -> Conv2d(3, 1) -> avg_pool2d(2)"),
    ("LayerNorm: the deviation's part of the gradient is lost", "LayerNorm", "x -> Linear(6) -> LayerNorm"),
    ("GroupNorm: bias and weight exchange their gradients", "GroupNorm", "map -> Conv2d(4, 1) -> GroupNorm(2)"),
    ("RMSNorm: the mean is taken for a sum", "RMSNorm", "x -> Linear(6) -> RMSNorm"),
    ("mean: the gradient is not divided", "mean", "mean(x -> Linear(6), axis=1)"),
    ("cumsum: the gradient runs forwards", "cumsum", "cumsum(x -> Linear(6), axis=1)"),
    ("concat: parts are taken from the end", "concat", "concat(x -> Linear(2), x -> Linear(2) -> tanh, axis=1)"),
    ("pad: reflected parts are not turned back", "pad", 'rows -> Conv1d(3, 1) -> pad([2, 1], mode="reflect")'),
    ("matmul: da forgets to transpose", "matmul", "(x -> Linear(5)) @ transpose(x, 0, 1)"),
    ("LSTM: the cell's gradient forgets the forget gate", "LSTM", "(rows -> LSTM(3))[0]"),
    ("GRU: the reset gate is outside", "GRU", "(rows -> GRU(3))[0]"),
    ("attention: the scale is not applied backwards", "scaled_dot_product_attention",
     "scaled_dot_product_attention(rows, rows -> Linear(7, bias=false), rows -> Linear(4))"),
]  # fmt: skip

ROUNDED = [  # what is rounded to float32 or off by 1e-8, where, the op that must be named, and a use of it
    ("notation:table", '"float64" if', '"float32" if', "interpolate", 'map -> interpolate([7, 9], mode="bilinear")'),
    ("notation:table", '"float64" if', '"float32" if', "adaptive_avg_pool2d", "map -> adaptive_avg_pool2d([4, 3])"),
    ("notation:table", '"float64" if', '"float32" if', "bce_with_logits",
     "bce_with_logits(x -> Linear(2), sigmoid(x[:, 0:2]), pos_weight=[0.3, 0.7])"),
    ("activation_hard:HardSigmoid.vjp", "g / 6", "g * 0.1666666716337204", "hard_sigmoid", "x -> Linear(6) -> hard_sigmoid"),
    ("activation_hard:HardSwish.vjp", "x / 3", "x * 0.3333333432674408", "hard_swish", "x -> Linear(6) -> hard_swish"),
    ("activation_gate:Gelu.vjp", " / square_root(2 * pi)", " * 0.3989422917366028", "gelu", "x -> Linear(6) -> gelu"),
    ("function:Erf.vjp", "(2 / math.sqrt(pi))", "1.128379225730896", "erf", "x -> Linear(6) -> erf"),
    ("activation:LeakyRelu.vjp", "self.negative_slope * g", "self.negative_slope * (1 + 1e-8) * g", "leaky_relu",
     "x -> Linear(6) -> leaky_relu(0.2)"),
    ("activation_sigmoid:Sigmoid.vjp", "(1 - y)", "(1.00000001 - y)", "sigmoid", "x -> Linear(6) -> sigmoid -> Linear(2)"),
    ("softmax:LogSoftmax.vjp", "g.sum(self.axis, keepdims=True)", "g.sum(self.axis, keepdims=True) * 1.00000001",
     "log_softmax", "x -> Linear(6) -> log_softmax(axis=-1)"),
]  # fmt: skip


def checked(folder: Path, use: str) -> tuple[int, str]:
    spec = folder / "net.net"
    spec.write_text(
        "net Broken {\n    input x: float32[4, 5]\n    input map: float32[2, 2, 6, 5]\n"
        f"    input rows: float32[3, 2, 7]\n    output {use}\n}}\n"
    )
    return netc("gradcheck", spec, "--directions", 3)


@pytest.mark.parametrize(("what", "op", "use"), RULES, ids=[op for _, op, _ in RULES])
def test_a_broken_rule_is_named(what: str, op: str, use: str, tmp_path: Path) -> None:
    mutant: Mutant = MUTANTS[what]
    status, said = checked(tmp_path, use)
    assert status == 0, said
    with mutant.planted():
        status, said = checked(tmp_path, use)
    assert status == 1 and f"the gradient rule of `{op}` is at fault" in said, said
    assert checked(tmp_path, use)[0] == 0


def test_there_are_twenty_of_as_many_ops() -> None:
    assert len({op for _, op, _ in RULES}) == len(RULES) >= 20


@pytest.mark.parametrize(("where", "old", "new", "op", "use"), ROUNDED, ids=[op for *_, op, _ in ROUNDED])
def test_a_rounded_rule_is_named(where: str, old: str, new: str, op: str, use: str, tmp_path: Path) -> None:
    """An error of 1e-8, or what float32 makes of a constant, is none that rounding explains."""
    status, said = checked(tmp_path, use)
    assert status == 0 and "(allowed 1e-12)" in said and "complex" in said, said
    with Mutant("rounded", f"ops.{where}", old, new, ()).planted():
        status, said = checked(tmp_path, use)
    assert status == 1 and f"the gradient rule of `{op}` is at fault" in said, said
