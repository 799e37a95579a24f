"""Every op on every sample in every facet, driven by the registry; and broken ops, which must not pass."""

from itertools import product

import numpy as np
import op_driver
import pytest
from op_branch import check_analytic, check_branch, differentiated, passes
from op_driver import check_flops, check_onnx, check_refused, facets, refusal
from op_graph import Graph
from op_torch import check_gradient, check_numeric_gradient, check_torch, has_gradient
from op_training import check_training

from netc.dims import same
from netc.ops.code import Hole, call
from netc.ops.contract import OPS, Op, require, sample

ALL = sorted(set(OPS.values()), key=lambda op: op.name)
APPLICATIONS = [
    pytest.param(op, application, id=f"{op.name}-{i}")
    for op in ALL
    for i, application in enumerate(op.samples)
]


@pytest.mark.parametrize(("op", "application"), APPLICATIONS)
def test_every_facet(op, application):
    failures = []
    for name, check in facets(application).items():
        try:
            check(op, application)
        except Exception as error:
            failures.append(f"{name}: {type(error).__name__}: {error}")
    assert not failures, f"{op.name} on {application}:\n" + "\n".join(failures)


@pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
def test_an_op_says_what_it_is_and_has_samples(op):
    assert op.__doc__ and "Source:" in op.__doc__, "a formula and its source"
    good = [s for s in op.samples if not s.rejects]
    assert len(good) >= 3 and len(good) < len(op.samples), "at least three good samples and a bad one"
    assert any(s.flops is not None for s in good), "a count worked out by hand"
    assert not op.differentiable or any("gradient" not in s.without for s in good)


# -- negative controls: what is broken does not pass ---------------------------------------------------


def broken(op, **facets):
    """The op with some facets replaced."""
    return type(op.__name__, (op,), facets)


def samples_with_gradient(op):
    return [s for s in op.samples if not s.rejects and "gradient" not in s.without and has_gradient(op, s)]


WITH_GRADIENT = [op for op in ALL if op.differentiable and samples_with_gradient(op)]


def doubled(vjp):
    return lambda self, *operands: tuple(None if d is None else 2 * d for d in vjp(self, *operands))


@pytest.mark.parametrize("op", WITH_GRADIENT, ids=lambda op: op.name)
def test_a_doubled_gradient_fails(op):
    wrong = broken(op, vjp=doubled(op.vjp))
    application = samples_with_gradient(op)[0]
    for check in (check_gradient, check_numeric_gradient):
        check(op, application)
        with pytest.raises(AssertionError, match="off by"):
            check(wrong, application)


def samples_with_facet(op, facet):
    return [s for s in op.samples if not s.rejects and facet in facets(s)]


ANALYTIC = [
    op
    for op in WITH_GRADIENT
    if op.analytic
    and any(differentiated(op, s) for s in samples_with_gradient(op) if "analytic" in facets(s))
]
OTHERS = [op for op in WITH_GRADIENT if not op.analytic]
PIECEWISE = [op for op in ALL if op.branch is not Op.branch]


@pytest.mark.parametrize("op", ANALYTIC, ids=lambda op: op.name)
def test_a_doubled_gradient_is_told_by_a_complex_step(op):
    wrong = broken(op, vjp=doubled(op.vjp))
    applications = [s for s in samples_with_gradient(op) if "analytic" in facets(s) and differentiated(op, s)]
    with pytest.raises(AssertionError, match="a complex step gives"):
        check_analytic(wrong, applications[0])
    assert any(passes(op, s) for s in applications), "it would not be missed"


@pytest.mark.parametrize("op", OTHERS, ids=lambda op: op.name)
def test_an_op_that_is_analytic_says_so(op):
    applications = [s for s in samples_with_gradient(op) if "analytic" in facets(s)]
    applications = [s for s in applications if differentiated(op, s)]
    passing = applications and all(passes(op, s) for s in applications)
    assert not passing, f"set `analytic = True` in {op.__name__}"


@pytest.mark.parametrize("op", PIECEWISE, ids=lambda op: op.name)
def test_a_branch_left_out_fails(op):
    applications = samples_with_facet(op, "branch")
    assert any(is_kinked(op, s) for s in applications), "no sample crosses from piece to piece"


def is_kinked(op, application):
    """Whether it is noticed on this sample that the op has no branch."""
    try:
        check_branch(broken(op, branch=Op.branch), application)
    except AssertionError as error:
        return "jumps" in str(error)
    return False


class Bowl(Op):
    """y = x |x|, whose slope has a kink; a stand-in for ops of which the second derivative jumps."""

    name = "bowl"

    def shape(self, x):
        return x

    def forward(self, x):
        return x * np.abs(x)

    def vjp(self, g, y, x):
        return (2 * g * np.abs(x),)

    def branch(self, x):
        return x > 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"branch": Op.branch}, "the bend jumps"),
        ({"branch": lambda self, x: x > 0.5}, "the bend jumps"),
        ({"branch": lambda self, x: x.view("int64")}, "changes everywhere"),
        ({"branch": lambda self, x: x}, "a whole number or a bool"),
        ({"forward": lambda self, x: x * np.abs(x) + (x > 0.3)}, "the value jumps"),
        ({"vjp": lambda self, g, y, x: (g * (x > 0.3),)}, "the slope jumps"),
    ],
)
def test_a_wrong_branch_fails(wrong, said):
    application = sample((7,))
    check_branch(Bowl, application)
    with pytest.raises(AssertionError, match=said):
        check_branch(broken(Bowl, **wrong), application)


@pytest.mark.parametrize("op", [op for op in ALL if op.selects is not Op.selects], ids=lambda op: op.name)
def test_what_an_op_selects_is_what_it_computes(op):
    """A number in the place of each operand in turn."""
    found, rng = 0, np.random.default_rng(0)
    for place, number in product(range(len(op.operands)), (True, False, 0, 1, 1.0, 2)):
        numbers = [number if i == place else None for i in range(len(op.operands))]
        chosen = op().selects(*numbers)
        if chosen is not None:
            found += 1
            operands = [rng.uniform(1.0, 2.0, (2, 3)) if n is None else np.asarray(n) for n in numbers]
            assert np.array_equal(op().forward(*operands), operands[chosen])
    assert found


@pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
def test_a_wrong_count_fails(op):
    application = next(s for s in op.samples if s.flops is not None)
    wrong = broken(op, flops=lambda self, y, *shapes: op.flops(self, y, *shapes) + 1)
    check_flops(op, application)
    with pytest.raises(AssertionError, match="flops"):
        check_flops(wrong, application)


def wrong_momentum(op):
    def training(self, *operands):
        y, buffers = op.training(self, *operands)
        was = operands[-3]  # running_mean
        return y, buffers | {"running_mean": 1.5 * buffers["running_mean"] - 0.5 * was}

    return training


def biased_variance(op):
    """The unbiased estimate becomes the biased one: the share of the batch is (n - 1) / n of what it was."""

    def training(self, x, *params):
        y, buffers = op.training(self, x, *params)
        n, share = x.size / x.shape[1], self.momentum
        kept = params[-2] * (1 - share)
        return y, buffers | {"running_var": kept + (buffers["running_var"] - kept) * (n - 1) / n}

    return training


def unscaled(op):
    return lambda self, x, mask: (x * mask, {})


def stale(op):
    return lambda self, *operands: (op.training(self, *operands)[0], {})


@pytest.mark.parametrize(
    ("name", "shape", "wrong"),
    [
        ("BatchNorm2d", (2, 3, 2, 4), wrong_momentum),
        ("BatchNorm2d", (2, 3, 2, 4), biased_variance),
        ("BatchNorm1d", (4, 3), biased_variance),
        ("BatchNorm1d", (4, 3), stale),
        ("dropout", (4, 5), unscaled),
        ("dropout2d", (4, 5, 1, 2), unscaled),
    ],
    ids=["momentum", "biased in 2d", "biased in 1d", "no buffers", "scale", "scale of channels"],
)
def test_a_wrong_training_fails(name, shape, wrong):
    op, application = OPS[name], sample(shape)
    check_training(op, application)
    with pytest.raises(AssertionError, match=r"off by|buffers"):
        check_training(broken(op, training=wrong(op)), application)


class Edge(Op):
    """y = x with one zero before and two behind; a stand-in for ops whose emitters order paddings."""

    name = "edge"
    torch_pads, onnx_pads = (1, 2), (0, 1, 0, 2)

    def shape(self, x):
        return (*x[:-1], x[-1] + 3)

    def forward(self, x):
        return np.pad(x, ((0, 0), (1, 2)))

    def torch(self, x):
        return call("F.pad", x, Hole(self.torch_pads))

    def flops(self, y, x):
        return 0

    def onnx(self, graph, x):
        return graph.node("Pad", x, graph.constant(self.onnx_pads, "int64"))


class Leaky(Op):
    """y = x or x / 4; a stand-in for ops whose ONNX node has an attribute."""

    name = "leaky"
    alpha = 0.25

    def shape(self, x):
        return x

    def forward(self, x):
        return np.where(x > 0, x, 0.25 * x)

    def onnx(self, graph, x):
        return graph.node("LeakyRelu", x, alpha=self.alpha)


@pytest.mark.parametrize(
    ("right", "check", "wrong"),
    [
        (Edge, check_torch, {"torch_pads": (2, 1)}),
        (Edge, check_onnx, {"onnx_pads": (0, 2, 0, 1)}),
        (Leaky, check_onnx, {"alpha": 0.26}),
        (Leaky, check_onnx, {"alpha": None}),
    ],
    ids=["torch pad order", "onnx pad order", "attribute", "attribute left out"],
)
def test_a_wrong_spelling_fails(right, check, wrong):
    application = sample((2, 4))
    check(right, application)
    with pytest.raises(AssertionError):
        check(broken(right, **wrong), application)


class Picky(Edge):
    """Refuses an axis of 5, by a comparison that is never true of a symbol."""

    name = "picky"

    def shape(self, x):
        require(x[-1] != 5, "x", "an axis of 5")
        return super().shape(x)


class Asking(Edge):
    """Refuses an axis of 5, by asking."""

    name = "asking"

    def shape(self, x):
        require(not same(x[-1], 5), "x", "an axis of 5")
        return super().shape(x)


def test_a_rule_that_compares_symbols_fails():
    application = sample((2, 5), rejects="x")
    assert refusal(Picky, application, [(2, 5)]) == refusal(Asking, application, [(2, 5)]) == "x"
    with pytest.raises(AssertionError, match="on named sizes that are given"):
        check_refused(Picky, application)
    with pytest.raises(AssertionError, match="accepted for free sizes"):
        check_refused(Asking, application)


# What does not change the value: how ONNX computes or stores it, or what matters beside padding only.
NEUTRAL = {"stash_type", "storage_order", "allowzero", "momentum", "training_mode"}
BESIDE_PADDING = {"ceil_mode", "count_include_pad"}


class BentGraph(Graph):
    """A graph in which one attribute of one type of node is wrong."""

    bent, seen = None, frozenset()

    def node(self, op_type, *inputs, outputs=1, **attributes):
        BentGraph.seen |= {(op_type, name) for name, value in attributes.items() if value is not None}
        if BentGraph.bent in {(op_type, name) for name in attributes}:
            name = BentGraph.bent[1]
            attributes[name] = bend(attributes[name])
        return super().node(op_type, *inputs, outputs=outputs, **attributes)


def bend(value):
    if isinstance(value, str):
        return {"constant": "edge", "edge": "reflect", "none": "tanh", "tanh": "none"}.get(value, "constant")
    if isinstance(value, list | tuple):
        return [value[0] + 1, *value[1:]]
    return 1.25 * value + 0.125 if isinstance(value, float) else int(not value)


def fails(op):
    for application in op.samples:
        if not application.rejects and "onnx" not in application.without:
            try:
                check_onnx(op, application)
            except Exception:
                return True
    return False


@pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
def test_a_wrong_attribute_fails(op, monkeypatch):
    monkeypatch.setattr(op_driver, "Graph", BentGraph)
    BentGraph.bent, BentGraph.seen = None, frozenset()
    assert not fails(op)
    survivors = set()
    for attribute in sorted(BentGraph.seen):
        BentGraph.bent = attribute
        survivors |= {attribute[1]} - NEUTRAL if not fails(op) else set()
    assert survivors <= BESIDE_PADDING, f"no sample of {op.name} notices {sorted(survivors)}"
