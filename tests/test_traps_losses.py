"""The traps of losses (design/traps.md 46, 47, 49 to 52), in numpy, in emitted PyTorch and in onnxruntime."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from emitted import loaded, made, training_of, written
from in_memory import codes, found
from op_case import Case, several
from op_graph import Graph, run_model
from op_torch import spelled, torch_result
from three_ways import gradients, net_with, values

from netc.ops.attributes import bind
from netc.ops.contract import OPS, Mismatch, Operand

INF = math.inf


def three_ways(name: str, *operands: object, **attributes: object) -> list[float]:
    """What an op gives by numpy, by its torch spelling and by onnxruntime, on float32 and whole numbers."""
    arrays = [np.asarray(x, None if isinstance(x, np.ndarray) else kind(x)) for x in operands]
    op = bind(OPS[name], (), attributes)
    names = tuple(map(spelled, type(op).operand_names(len(arrays))))
    typed = [Operand.of(n, x.shape, str(x.dtype)) for n, x in zip(names, arrays, strict=True)]
    case = Case(op, names, arrays, {})
    with np.errstate(all="ignore"):
        found = [several(op.forward(*arrays))[0]]
    found.append(
        torch_result(case, {n: torch.tensor(x) for n, x in zip(names, arrays, strict=True)})[0].numpy()
    )
    graph = Graph(20, typed)
    y = op.onnx(graph, *typed)
    shape = op.shape(*(x.shape for x in arrays))
    model = graph.model([(y, shape, op.dtypes(1, *(x.dtype for x in typed))[0])])
    found.append(run_model(model, dict(zip(map(str, graph.inputs), arrays, strict=True)))[0])
    return [np.asarray(x).tolist() for x in found]


def kind(x: object) -> str:
    return "int64" if np.asarray(x).dtype.kind == "i" else "float32"


def agree(found: list[float], wanted: object, within: float = 1e-6) -> None:
    for way, value in zip(("numpy", "torch", "onnxruntime"), found, strict=True):
        assert np.allclose(value, wanted, rtol=within, atol=within, equal_nan=True), (
            f"{way}: {value}, not {wanted}"
        )


def gradient(name: str, *operands: object, **attributes: object) -> np.ndarray:
    """Of the first operand, by netc's rule."""
    arrays = [np.asarray(x, "float64" if kind(x) == "float32" else None) for x in operands]
    op = bind(OPS[name], (), attributes)
    with np.errstate(all="ignore"):
        return np.asarray(op.vjp(np.float64(1), op.forward(*arrays), *arrays)[0])


# -- 46, 47: softmax and its logarithm, within the losses ---------------------------------------------


def test_trap_46_cross_entropy_of_a_large_logit_is_finite() -> None:
    agree(three_ways("cross_entropy", [[1.0, 10.0, 1000.0]], [2]), 0.0)
    agree(three_ways("cross_entropy", [[1.0, 10.0, 1000.0]], [0]), 999.0)
    assert np.isfinite(gradient("cross_entropy", [[1.0, 10.0, 1000.0]], [0])).all()


def test_trap_46_a_row_of_minus_infinity_gives_nan_in_all_three() -> None:
    agree(three_ways("cross_entropy", [[-INF, -INF]], [0]), math.nan)


def test_trap_47_the_logarithm_of_softmax_is_one_function() -> None:
    """log(softmax) of (0, -200) is -inf in float32."""
    agree(three_ways("cross_entropy", [[0.0, -200.0]], [1]), 200.0)
    agree(three_ways("cross_entropy", [[0.0, -200.0]], [[0.0, 1.0]]), 200.0)
    source = "F.cross_entropy" in str(OPS["cross_entropy"]().torch(*_operands((2, 3), (2,))))
    assert source


def _operands(*shapes: tuple[int, ...]) -> list[Operand]:
    return [Operand.of(f"x{i}", s, "float32" if i == 0 else "int64") for i, s in enumerate(shapes)]


# -- 49: cross-entropy --------------------------------------------------------------------------------

LOGITS = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.5], [0.0, 3.0, 1.0]]


def test_trap_49_minus_100_is_ignored_as_in_torch() -> None:
    agree(
        three_ways("cross_entropy", LOGITS, [2, -100, 1]), three_ways("cross_entropy", LOGITS[::2], [2, 1])[0]
    )
    assert not gradient("cross_entropy", LOGITS, [2, -100, 1])[1].any()


def test_trap_49_nothing_but_ignored_targets_gives_nan() -> None:
    for name in ("cross_entropy", "nll"):
        agree(three_ways(name, LOGITS, [-100, -100, -100]), math.nan)


def test_trap_49_a_weighted_mean_divides_by_the_weights_met() -> None:
    weight = [0.5, 2.0, 4.0]
    each = [
        float(F.cross_entropy(torch.tensor(LOGITS[n : n + 1]), torch.tensor([t])))
        for n, t in ((0, 2), (1, 0))
    ]
    wanted = (4.0 * each[0] + 0.5 * each[1]) / 4.5
    agree(three_ways("cross_entropy", LOGITS[:2], [2, 0], weight=weight), wanted)
    log_probs = torch.log_softmax(torch.tensor(LOGITS[:2]), 1).numpy()
    agree(three_ways("nll", log_probs, [2, 0], weight=weight), wanted)


def test_trap_49_of_probabilities_the_mean_divides_by_the_positions() -> None:
    weight = [0.5, 2.0, 4.0]
    log_probs = np.log(np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True))
    wanted = -(np.eye(3)[[2, 0, 1]] * weight * log_probs).sum() / 3
    agree(three_ways("cross_entropy", LOGITS, np.eye(3, dtype="float32")[[2, 0, 1]], weight=weight), wanted)


def test_trap_49_one_hot_targets_are_class_indices() -> None:
    for smoothing in (0.0, 0.2):
        by_index = three_ways("cross_entropy", LOGITS, [2, 0, 1], smoothing=smoothing)
        agree(
            three_ways("cross_entropy", LOGITS, np.eye(3, dtype="float32")[[2, 0, 1]], smoothing=smoothing),
            by_index[0],
        )


def test_trap_49_smoothing_spreads_over_all_classes() -> None:
    log_probs = np.log(np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True))
    wanted = np.mean(-0.7 * log_probs[[0, 1, 2], [2, 0, 1]] - 0.3 * log_probs.mean(1))
    agree(three_ways("cross_entropy", LOGITS, [2, 0, 1], smoothing=0.3), wanted)


@pytest.mark.parametrize("name", ["cross_entropy", "nll", "multi_margin", "confusion_matrix"])
@pytest.mark.parametrize("target", [3, -1])
def test_trap_49_a_target_out_of_range_raises(name: str, target: int) -> None:
    arrays = (np.asarray(LOGITS, "float32"), np.array([0, target, 1]))
    with pytest.raises(IndexError, match=f"target holds {target}, but there are 3 classes"):
        OPS[name]().forward(*arrays)


def test_trap_49_whole_numbers_in_the_shape_of_the_logits_are_refused() -> None:
    spec = (
        "net A {\n input x: float32[N, 3]\n target t: int64[N, 3]\n output x\n loss cross_entropy(x, t)\n}\n"
    )
    (finding,) = found(spec)
    assert finding.code == "E0401" and "probabilities" in finding.message
    assert codes(spec.replace("int64[N, 3]", "float32[N]")) == ["E0401"]
    assert codes(spec.replace("int64", "float32")) == []


# -- 50: the logarithms of binary cross-entropy -------------------------------------------------------


def test_trap_50_bce_bounds_its_logarithms_at_minus_100() -> None:
    agree(three_ways("bce", [0.0, 1.0], [1.0, 0.0]), 100.0)
    agree(three_ways("bce", [0.0, 1.0], [0.0, 1.0]), 0.0)
    assert np.isfinite(gradient("bce", [0.0, 1.0], [1.0, 0.0])).all()


def test_trap_50_bce_with_logits_is_exact() -> None:
    agree(three_ways("bce_with_logits", [1000.0, -1000.0], [0.0, 1.0]), 1000.0)
    agree(three_ways("bce_with_logits", [1000.0, -1000.0], [1.0, 0.0]), 0.0)
    agree(three_ways("bce_with_logits", [1000.0, -1000.0], [0.0, 1.0], pos_weight=3), 2000.0)
    assert np.allclose(gradient("bce_with_logits", [1000.0, -1000.0], [0.0, 1.0]), [0.5, -0.5])


def test_trap_50_a_target_of_zero_adds_nothing_to_kl_div() -> None:
    agree(three_ways("kl_div", [[-0.5, -1.0]], [[0.0, 1.0]]), 1.0)


# -- 51: the mean of kl_div ---------------------------------------------------------------------------


def test_trap_51_kl_div_is_the_batchmean() -> None:
    x, t = torch.log_softmax(torch.tensor(LOGITS), 1), torch.softmax(-torch.tensor(LOGITS), 1)
    wanted = float((t * (t.log() - x)).sum() / 3)
    agree(three_ways("kl_div", x.numpy(), t.numpy()), wanted)
    agree(three_ways("kl_div", x.numpy(), t.log().numpy(), log_target=True), wanted)
    with pytest.warns(UserWarning, match="batchmean"):
        other = float(F.kl_div(x, t, reduction="mean"))
    assert abs(other - wanted / 3) < 1e-6, "torch's own mean is another number"


# -- 52: what is broadcast ----------------------------------------------------------------------------

PAIRED = (
    "mse",
    "half_sum_of_squares",
    "l1",
    "smooth_l1",
    "huber",
    "bce",
    "bce_with_logits",
    "kl_div",
    "hinge",
)


@pytest.mark.parametrize("name", PAIRED)
def test_trap_52_a_column_beside_a_vector_is_refused(name: str) -> None:
    with pytest.raises(Mismatch, match=r"target is \[5\], but x is \[5, 1\]"):
        OPS[name]().shape((5, 1), (5,))
    spec = f"net A {{\n input x: float32[N, 1]\n target t: float32[N]\n output x\n loss {name}(x, t)\n}}\n"
    assert codes(spec) == ["E0401"]
    assert codes(spec.replace("float32[N]", "float32[N, 1]")) == []


@pytest.mark.parametrize("name", ["triplet_margin", "cosine_similarity"])
def test_trap_52_vectors_are_not_broadcast_either(name: str) -> None:
    with pytest.raises(Mismatch):
        OPS[name]().shape((5, 3), (1, 3), *([(5, 3)] if name == "triplet_margin" else []))


# -- what lectures say --------------------------------------------------------------------------------


def test_the_hinge_of_the_lecture_is_c_times_that_of_torch() -> None:
    """cat 3.2, car 5.1, frog -1.7 for a cat: 2.9; and so on: their mean is 5.27."""
    scores = [[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]]
    agree([3 * v for v in three_ways("multi_margin", scores[:1], [0])], 2.9)
    agree([3 * v for v in three_ways("multi_margin", scores, [0, 1, 2])], (2.9 + 0.0 + 12.9) / 3)


def test_smooth_l1_is_huber_over_beta() -> None:
    x, t = np.linspace(-4, 4, 9, dtype="float32"), np.zeros(9, "float32")
    agree([v / 0.5 for v in three_ways("huber", x, t, delta=0.5)], three_ways("smooth_l1", x, t, beta=0.5)[0])


def test_half_the_sum_of_squares_grows_with_the_batch() -> None:
    agree(three_ways("half_sum_of_squares", [1.0, 2.0], [0.0, 4.0]), 2.5)
    agree(three_ways("half_sum_of_squares", [1.0, 2.0] * 2, [0.0, 4.0] * 2), 5.0)


def test_a_short_vector_has_the_slope_of_what_is_computed() -> None:
    a, b, step = np.array([[0.1, 0.2]]), np.array([[1.0, 0.5]]), 1e-6
    op = OPS["cosine_similarity"](eps=0.9)  # type: ignore[call-arg]
    da = op.vjp(np.ones(1), op.forward(a, b), a, b)[0]
    ways = [np.array([[step, 0.0]]), np.array([[0.0, step]])]
    slopes = [(op.forward(a + w, b) - op.forward(a - w, b))[0] / (2 * step) for w in ways]
    assert np.allclose(da[0], slopes, rtol=1e-6)


def test_penalties_sum_over_all_that_is_given() -> None:
    agree(three_ways("l2_penalty", [[1.0, -2.0]], [3.0]), 14.0)
    agree(three_ways("l1_penalty", [[1.0, -2.0]], [3.0]), 6.0)


# -- metrics ------------------------------------------------------------------------------------------


def test_a_confusion_matrix_and_what_it_tells() -> None:
    scores = np.eye(3, dtype="float32")[[0, 0, 1, 2, 2, 1]]
    target = np.array([0, 1, 1, 2, 0, 1])
    counts = three_ways("confusion_matrix", scores, target)
    assert counts == [[[1, 0, 1], [1, 2, 0], [0, 0, 1]]] * 3
    matrix = np.array(counts[0])
    agree(three_ways("mean_iou", matrix), np.mean([1 / 3, 2 / 3, 1 / 2]))
    agree(three_ways("macro_f1", matrix), np.mean([2 / 4, 4 / 5, 2 / 3]))


def test_a_class_that_occurs_nowhere_is_left_out_of_the_mean() -> None:
    agree(three_ways("mean_iou", np.array([[2, 0, 0], [0, 0, 0], [1, 0, 1]])), np.mean([2 / 3, 1 / 2]))


def test_ratios_of_summed_counts_are_not_means_of_ratios() -> None:
    """Why netc adds up confusion matrices over an epoch, and why the documents say that iou is of a batch."""
    first, second = np.array([[1, 0], [0, 0]]), np.array([[0, 4], [0, 1]])
    parts = [three_ways("mean_iou", m)[0] for m in (first, second)]
    assert abs(np.mean(parts) - three_ways("mean_iou", first + second)[0]) > 0.1


def test_top_1_is_accuracy_and_top_c_is_all() -> None:
    rng = np.random.default_rng(0)
    scores, target = rng.normal(size=(40, 5)).astype("float32"), rng.integers(0, 5, 40)
    assert three_ways("top_k_accuracy", scores, target, k=1) == three_ways("accuracy", scores, target)
    agree(three_ways("top_k_accuracy", scores, target, k=5), 1.0)


# -- in the language ----------------------------------------------------------------------------------

NET = """net A {
    input x: float32[N, 6]
    target t: int64[N]
    out = Linear(3)
    y = x -> body: (Linear(4, bias=false) -> relu -> Linear(3)) -> out
    output y
    loss cross_entropy(y, t)
    loss LOSS
}
"""


@pytest.mark.parametrize(
    ("loss", "wanted"),
    [
        ("l2_penalty(out.weight)", 36.0),
        ('0.5 * l1_penalty(weights("out.weight"))', 9.0),
        ('l1_penalty(weights("*.weight"))', 2.0 * (24 + 12 + 9)),
        ('l1_penalty(weights("body.*"))', 2.0 * (24 + 12)),
        ('l1_penalty(weights("body.0.*", "out.*"))', 2.0 * (24 + 9)),
        ('l2_penalty(weights("body.?.weight"))', 4.0 * (24 + 12)),
    ],
)
def test_a_penalty_chooses_its_weights(loss: str, wanted: float) -> None:
    module = made(written(NET.replace("LOSS", loss)))
    with torch.no_grad():
        for p in module.parameters():
            p.fill_(0.0 if p.dim() == 1 else 2.0)
        losses, _ = training_of(module)(torch.zeros(2, 6), torch.tensor([0, 1]))
    found_total = float(losses["loss"])
    assert found_total - math.log(3) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "code"),
    [
        ('l2_penalty(weights("conv*.weight"))', "E0509"),
        ("l2_penalty(weights())", "E0205"),
        ("l2_penalty(weights(3))", "E0205"),
        ('l2_penalty(weights("*", start=1))', "E0205"),
        ("l2_penalty(0.5)", "E0206"),
        ("l2_penalty", "E0410"),
        ("top_k_accuracy(y, t, k=4)", "E0401"),
    ],
)
def test_a_penalty_of_nothing_is_refused(loss: str, code: str) -> None:
    assert codes(NET.replace("LOSS", loss)) == [code], [d.message for d in found(NET.replace("LOSS", loss))]


def test_what_blocks_read_of_inner_layers_makes_them_other_classes() -> None:
    spec = """
block Inner {
    input x: [N, D]
    output x -> Linear(D, bias=false, init=zeros) -> Linear(D, bias=false, init=ones)
}
block Outer(second: bool) {
    input x: [N, D]
    inner = Inner
    y = x -> inner
    output y @ (inner.fc2.weight if second else inner.fc1.weight)
}
net A {
    input x: float32[N, 4]
    output x -> Outer(true), x -> Outer(false)
}
"""
    module = made(written(spec))
    sources = [type(m).__name__ for m in (module.outer1, module.outer2)]
    assert sources[0] != sources[1]


def test_losses_of_one_net_agree_in_all_backends() -> None:
    from netc.backends.to_torch import to_torch
    from netc.deploy.verify import verify

    spec = """net A {
    input a: float32[N, 6], b: float32[N, 6], maps: float32[N, 2, 5, 4]
    target same: float32[N], sign: float32[N], masks: float32[N, 2, 5, 4], teacher: float32[N, 6]
    target boxes: float32[N, 6], label: int64[N], soft: float32[N, 5]
    fc = Linear(5, bias=false)
    u = a -> fc
    v = b -> fc
    w = maps -> Conv2d(2, 1)
    output u, v, w
    loss Contrastive(u, v, same, margin=2.0)
    loss 0.5 * CosineEmbedding(u, v, sign - 0.5, margin=0.2)
    loss (sigmoid(w), masks) -> Dice
    loss Focal(a -> Linear(6), boxes, gamma=1.5)
    loss Distillation(a -> Linear(6), teacher, temperature=2.0)
    loss triplet_margin(u, v, u * v) + multi_margin(u, label, p=2) + nll(log_softmax(u, axis=1), label)
    loss cross_entropy(v, soft, smoothing=0.1) + hinge(v, 2 * soft - 1) + half_sum_of_squares(u, soft)
    loss huber(w, masks, delta=0.5) + smooth_l1(w, masks, beta=0.3) + l1(w, masks) + mse(w, masks)
    loss bce(sigmoid(w), masks) + bce_with_logits(w, masks, pos_weight=2) + 0.1 * l2_penalty(weights("*.weight"))
    metric accuracy(u, label)
    metric top_k_accuracy(u, label, k=2)
    metric confusion_matrix(u, label)
    metric iou(confusion_matrix(u, label))
    metric f1_score(confusion_matrix(u, label))
    metric mae(w, masks)
}
"""
    net = written(spec)
    report = verify(net, to_torch(net), "A")
    assert report.passed, report.blames


def test_counts_are_summed_over_the_test_images(tmp_path: Path) -> None:
    spec = """net A {
    input image: float32[N, 1, 8, 8]
    target label: int64[N]
    logits = image -> flatten -> Linear(10)
    output logits
    loss cross_entropy(logits, label)
    metric accuracy(logits, label)
    metric confusion: confusion_matrix(logits, label)
}
train {
    epochs 1
}
"""
    (tmp_path / "a.net").write_text(spec)
    command = [
        sys.executable,
        "-m",
        "netc",
        "train",
        "a.net",
        "--data",
        "digits",
        "--device",
        "cpu",
        "--output",
        "run",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (written_down,) = tmp_path.rglob("metrics.jsonl")
    epoch = json.loads(written_down.read_text().splitlines()[-1])
    counts = np.array(epoch["counts"]["confusion"])
    assert counts.shape == (10, 10) and counts.sum() == 355, "every test image once"
    assert counts.trace() / counts.sum() == pytest.approx(epoch["test_accuracy"], abs=1e-6)


def test_a_metric_of_another_shape_is_refused() -> None:
    spec = "net A {\n input x: float32[N, 3]\n output x\n loss mean(x)\n metric m: METRIC\n}\n"
    assert codes(spec.replace("METRIC", "x[0]")) == ["E0411"]
    assert codes(spec.replace("METRIC", "argmax(x, axis=1)")) == ["E0411"], (
        "as many numbers as there are examples"
    )
    assert codes(spec.replace("METRIC", "sum(x > 0, axis=0)")) == []


CONFIDENT = np.array([[-60, 60, -3, 0.5], [60, -60, 0.0, 4]], "float32")
RIGHT_OR_WRONG = np.array([[0, 1, 1, 0], [0, 1, 0, 1]], "float32")


def focal(logits: torch.Tensor, gamma: float) -> torch.Tensor:
    """The loss in float64, where sigmoid(-60) ** 5 is a number still."""
    truth = torch.from_numpy(RIGHT_OR_WRONG).double()
    sided = torch.where(truth == 1, logits, -logits)
    weight = torch.where(truth == 1, 0.25, 0.75)
    return -(weight * torch.sigmoid(-sided) ** gamma * F.logsigmoid(sided)).mean()


@pytest.mark.parametrize("gamma", [0.5, 1, 2, 5])
def test_focal_has_slopes_where_logits_are_sure(gamma: float, tmp_path: Path) -> None:
    statement = f"y = Focal(logits, truth, gamma={gamma})"
    wide = torch.from_numpy(CONFIDENT).double().requires_grad_()
    wanted = focal(wide, gamma)
    wanted.backward()
    given = {"logits": CONFIDENT, "truth": RIGHT_OR_WRONG}
    agree(list(values(statement, tmp_path / "a.onnx", **given).values()), wanted.item())
    for slope in gradients(statement, **given)["logits"]:
        np.testing.assert_allclose(slope, wide.grad.numpy(), 1e-7, 1e-30)
    narrow = torch.from_numpy(CONFIDENT).requires_grad_()
    loaded(net_with(statement, given), {})(narrow, torch.from_numpy(RIGHT_OR_WRONG)).backward()
    np.testing.assert_allclose(narrow.grad.numpy(), wide.grad.numpy(), 1e-5, 1e-30)


def test_maps_of_other_shapes_come_reshaped(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    x = rng.random((2, 3, 2, 4, 5)).astype("float32")
    t = (rng.random((2, 3, 2, 4, 5)) < 0.4).astype("float32")
    volumes = "y = Dice(reshape(x, 2, 3, 8, 5), reshape(t, 2, 3, 8, 5))"
    axes = (2, 3, 4)
    shares = 1 - (2 * (x * t).sum(axes) + 1) / ((x**2).sum(axes) + (t**2).sum(axes) + 1)
    agree(list(values(volumes, tmp_path / "a.onnx", x=x, t=t).values()), shares.mean())
    flat = "y = Focal(flatten(x), flatten(t))"
    right = np.where(t == 1, x, -x).astype("float64")
    each = np.where(t == 1, 0.25, 0.75) / (1 + np.exp(right)) ** 2 * np.log1p(np.exp(-right))
    agree(list(values(flat, tmp_path / "b.onnx", x=x, t=t).values()), each.mean())
