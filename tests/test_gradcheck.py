"""What a gradient check allows: what rounding explains, nothing for what has no gradient by definition, and no more."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from emitted import written

from netc.autodiff.gradcheck import gradcheck
from netc.autodiff.moving import Point
from netc.autodiff.rounding import UNIT, rounding
from netc.autodiff.subject import subject
from netc.cli.main import cli
from netc.deploy.verify import verify
from netc.ops.contract import OPS

PADDED = """
net Padded {
    input text: int64[N, 4]
    table = Embedding(3, 2, padding_idx=0)
    y = table(text)
    output y
    loss mean(y * y)SECOND
}
"""
CANCELS = """
net Cancels {
    input x: float32[N, 6]
    output x -> Linear(2) -> LayerNorm(affine=false, eps=1e-7) -> tanh
}
"""  # of two elements the norm is 1 and -1, whatever they are: a slope is what is left of larger ones
HARD = """
net Hard {
    input x: float32[N, 4]
    output x -> Linear(3) -> hard_sigmoid
}
"""


def spec(tmp_path, text):
    path = tmp_path / "spec.net"
    path.write_text(text)
    return path


def run(verb, *arguments, status=0):
    done = CliRunner().invoke(cli, [verb, *map(str, arguments)])
    assert done.exit_code == status, done.output
    return done.output


# -- what rounding explains ---------------------------------------------------------------------------
def test_what_a_graph_moves_by_is_what_float32_makes_of_it_in_proportion():
    """Rounding every operand to UNIT moves a sum that cancels by UNIT of its terms, not of its value."""
    net = written("net A {\n input x: float32[4]\n output x + 1000.0 - 1000.0\n}")
    made = subject(net, False)
    (total, y) = rounding(made.located.flat, made.inputs, made.weights)
    assert (y > 10 * UNIT).all() and (y < 4000 * UNIT).all() and total < 8000 * UNIT
    plain = subject(written("net A {\n input x: float32[4]\n output x * 2.0\n}"), False)
    (_, y) = rounding(plain.located.flat, plain.inputs, plain.weights)
    assert (y <= 2 * UNIT * np.abs(2 * plain.inputs["x"]) * (1 + 1e-9)).all() and (y > 0).all()


def test_an_error_that_rounding_explains_is_told_and_one_of_a_rule_is_not_excused(tmp_path, monkeypatch):
    report = gradcheck(subject(written(CANCELS)))
    rough = [row for row in report.rows if row.error > 1e-12]
    assert report.passed and rough and all(row.error <= row.allowed < 1e-7 for row in rough)
    assert "(rounding explains " in run("gradcheck", spec(tmp_path, CANCELS))
    tanh = OPS["tanh"]
    right = tanh.vjp
    monkeypatch.setattr(tanh, "vjp", lambda self, *given: (right(self, *given)[0] * (1 + 1e-6),))
    report = gradcheck(subject(written(CANCELS)))
    assert not report.passed and [rule.op for rule in report.blamed] == ["tanh"]


def test_slopes_by_differences_are_held_to_what_they_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(OPS["tanh"], "analytic", False)
    text = "net A {\n input x: float32[N, 3]\n param w: float32[3] = ones\n output x * tanh(w)\n}"
    said = run("gradcheck", spec(tmp_path, text))
    assert "(allowed 1e-12, by differences 1e-06)" in said
    rows = json.loads(run("gradcheck", spec(tmp_path, text), "--format", "json"))[0]["rows"]
    allowed = {row["name"]: (row["method"], row["allowed"]) for row in rows}
    assert allowed == {"w": ("differences", 1e-6), "x": ("complex step", 1e-12)}


# -- where there is nothing to compare ----------------------------------------------------------------
def test_a_loss_that_is_not_finite_is_told_with_the_node_at_fault(tmp_path):
    text = (
        "net A {\n input x: float32[N, 8]\n y = x -> Linear(10)\n z = log(y)\n output z\n loss mean(z)\n}\n"
    )
    said = run("gradcheck", spec(tmp_path, text), status=1)
    assert "FAILED: the loss is not finite at this point, so there is nothing to compare" in said
    assert "that of `log` at `log`: of 20 elements" in said and "spec.net:4: log(y))" in said
    assert "put together" not in said and "rule" not in said
    (report,) = json.loads(run("gradcheck", spec(tmp_path, text), "--format", "json", status=1))
    assert report["not_finite"]["op"] == "log" and report["not_finite"]["line"] == 4 and not report["passed"]


def test_a_gradient_that_is_not_finite_is_told_as_such(tmp_path):
    text = "net A {\n input x: float32[N, 3]\n output sqrt(x * 0.0) + x\n}\n"
    said = run("gradcheck", spec(tmp_path, text), status=1)
    assert "FAILED: a gradient is not finite at this point" in said and "at `sqrt.grad" in said


# -- what has no gradient by definition ---------------------------------------------------------------
@pytest.mark.parametrize("second", ["", "\n    loss mean(tanh(table.weight))"])
def test_a_padding_row_counts_as_constant_where_it_is_looked_up_alone(second, monkeypatch):
    """Its gradient by another use of the table, in a product or a loss of its own, is compared."""
    made = subject(written(PADDED.replace("SECOND", second)))
    assert (made.inputs["text"] == 0).any()
    assert gradcheck(made).passed
    monkeypatch.setattr(OPS["Embedding"], "constants", lambda self, *operands: ())
    assert not gradcheck(made).passed


def test_a_padding_row_that_learns_is_found(monkeypatch):
    free = OPS["Embedding"](3, 2)
    rule = OPS["Embedding"].vjp
    monkeypatch.setattr(OPS["Embedding"], "vjp", lambda self, *given: rule(free, *given))
    report = gradcheck(subject(written(PADDED.replace("SECOND", ""))))
    assert not report.passed and [b.op for b in report.blamed] == ["Embedding"]


# -- smooth places that complex numbers must not take for kinks -------------------------------------
@pytest.mark.parametrize(
    "use",
    ["softplus(x)", "bce_with_logits(x, x * 0.0 + 0.25)", "mish(x)", "log(sigmoid(x))", "erf(x * 8.0 + 5.0)"],
)
@pytest.mark.parametrize("seed", range(3))
def test_smooth_functions_have_their_slope_where_an_operand_is_0(use, seed):
    made = subject(written(f"net A {{\n input x: float32[4, 3]\n output {use}\n}}"), False)
    report = gradcheck(replace(made, inputs={**made.inputs, "x": np.zeros((4, 3))}), seed=seed)
    assert report.passed and report.rows[0].skipped == 0 and report.worst < 1e-13


def test_equal_largest_elements_are_a_kink_whichever_way_they_part():
    made = subject(written("net A {\n input x: float32[2, 3, 4]\n output x -> global_max_pool\n}"), False)
    tied = replace(made, inputs={**made.inputs, "x": np.ones((2, 3, 4))})
    (row,) = gradcheck(tied).rows
    assert row.skipped == row.directions
    assert Point(made.located, made.inputs, {}).branches[0].any()


# -- known issues of others ---------------------------------------------------------------------------
def test_verify_explains_a_known_issue_of_others_and_says_so(tmp_path):
    said = run("verify", spec(tmp_path, HARD))
    assert "the targets agree" in said and 'a known issue of others, "slope of hard_sigmoid"' in said
    (report,) = json.loads(run("verify", spec(tmp_path, HARD), "--format", "json"))
    explained = [e for e in report["training"] if e["explained_by"]]
    assert explained and all(e["target"] == "torch" and e["error"] < 6e-8 for e in explained)


@pytest.mark.parametrize("factor", [1 + 1e-8, 1 - 2e-8, 1.001])
def test_a_known_issue_of_others_excuses_no_fault_of_netc(tmp_path, monkeypatch, factor):
    rule = OPS["hard_sigmoid"].vjp
    monkeypatch.setattr(OPS["hard_sigmoid"], "vjp", lambda self, *given: (rule(self, *given)[0] * factor,))
    said = run("verify", spec(tmp_path, HARD), status=1)
    assert "THE TARGETS DISAGREE" in said and "the gradient rule of `hard_sigmoid` is at fault" in said


def test_a_known_issue_excuses_no_other_op(tmp_path, monkeypatch):
    text = HARD.replace("hard_sigmoid", "hard_sigmoid -> tanh")
    rule = OPS["tanh"].vjp
    monkeypatch.setattr(OPS["tanh"], "vjp", lambda self, *given: (rule(self, *given)[0] * (1 + 2e-8),))
    assert "the gradient rule of `tanh` is at fault" in run("verify", spec(tmp_path, text), status=1)


# -- training is looked at at the sizes that are emitted ----------------------------------------------
RESIZED = """
net Resized {
    input x: float32[N, 3, H, W]
    target m: int64[N, H, W]
    y = x -> Conv2d(4, 3, stride=2, padding=1) -> interpolate([H, W], mode="bilinear")
    output y
    loss cross_entropy(y, m)
}
"""
FIXED = """
net Fixed {
    input x: float32[N, 2, 96, 96]
    y = x -> Conv2d(2, 1) -> max_pool2d(2)
    output concat(y -> interpolate(size=[x.shape[2], x.shape[3]], mode="nearest"), x, axis=1)
}
"""


def test_training_is_compared_at_the_sizes_that_are_emitted(tmp_path):
    assert "the targets agree" in run("verify", spec(tmp_path, RESIZED), "--set", "H=64", "--set", "W=64")
    said = run("verify", spec(tmp_path, FIXED))
    assert "the targets agree" in said and "in training" in said


def test_sizes_are_multiples_of_what_the_net_itself_demands(tmp_path):
    """Free by --dynamic, H and W of the net that is emitted are multiples of 64 where those of a smaller one need less."""
    text = """
net Deep {
    input x: float32[N, 1, 128, 128]
    y = x -> Conv2d(1, 1)
    for i in range(6) { y = y -> max_pool2d(2) }
    output (y -> interpolate(scale_factor=64)) + x
}
"""
    said = run("verify", spec(tmp_path, text), "--dynamic", "H,W")
    assert "the targets agree" in said and "in training, at N=2, H=64, W=128" in said


def test_the_module_of_the_small_net_is_the_one_that_is_run():
    small = written(RESIZED)
    from netc.backends.to_torch import to_torch

    assert verify(small, to_torch(small), small.name, small=small).passed
