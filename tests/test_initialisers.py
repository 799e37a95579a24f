"""Initialisers: the formulas and properties of torch.nn.init, the language that names them, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from emitted import made, written
from in_memory import codes, found
from torch import nn

from netc.backends.to_torch import to_torch
from netc.dims import Prover, proving, size
from netc.ir.module import Param, Type
from netc.ops.attributes import bind
from netc.ops.contract import Init, Mismatch
from netc.ops.initialiser import INITIALISERS, Initialiser
from netc.passes.initial import draw, state

SHAPES = ((64, 48), (40, 24, 3, 3), (30, 90), (32, 16, 5), (6, 4, 3, 3, 2))


def start(
    kind: str, shape: tuple[int, ...], seed: int = 0, dtype: str = "float32", **arguments: object
) -> np.ndarray:
    """A parameter of `shape` that starts by the initialiser `kind`."""
    by = bind(INITIALISERS[kind], (), arguments)  # type: ignore[type-var]
    by.fits(shape)
    return draw("here.weight", Param("w", Type(dtype, shape), ("w",), Init(kind, by=by)), seed)


def torch_start(kind: str, shape: tuple[int, ...], **arguments: object) -> torch.Tensor:
    torch.manual_seed(1)
    names = {"value": "val", "low": "a", "high": "b"}
    given = {names.get(k, k) if kind in ("constant", "uniform") else k: v for k, v in arguments.items()}
    return getattr(nn.init, f"{kind}_")(torch.empty(shape), **given)


DRAWN = [
    ("normal", {"mean": 0.5, "std": 0.1}),
    ("normal", {}),
    ("uniform", {"low": -0.3, "high": 0.1}),
    ("trunc_normal", {"std": 0.02}),
    ("trunc_normal", {"mean": 0.5, "std": 1.0, "a": 0.0, "b": 0.8}),
    ("xavier_uniform", {}),
    ("xavier_uniform", {"gain": 5 / 3}),
    ("xavier_normal", {"gain": 0.5}),
    ("kaiming_uniform", {}),
    ("kaiming_uniform", {"a": math.sqrt(5)}),
    ("kaiming_normal", {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_normal", {"nonlinearity": "selu"}),
    ("kaiming_normal", {"nonlinearity": "tanh", "mode": "fan_out"}),
    ("kaiming_normal", {"nonlinearity": "linear"}),
]


@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
@pytest.mark.parametrize(("kind", "arguments"), DRAWN, ids=lambda x: str(x))
def test_a_draw_has_the_moments_of_torch(
    kind: str, arguments: dict[str, float], shape: tuple[int, ...]
) -> None:
    """Mean, deviation and quantiles are those of torch's own draw, as far as so many numbers can tell."""
    ours, theirs = (
        start(kind, shape, **arguments).ravel(),
        torch_start(kind, shape, **arguments).numpy().ravel(),
    )
    assert ours.dtype == np.float32 and ours.size == theirs.size
    spread, n = theirs.std(), ours.size
    assert abs(ours.mean() - theirs.mean()) < 6 * spread / math.sqrt(n)
    assert abs(ours.std() / spread - 1) < 6 / math.sqrt(n)
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        assert abs(np.quantile(ours, share) - np.quantile(theirs, share)) < 12 * spread / math.sqrt(n)


@pytest.mark.parametrize(
    ("kind", "arguments", "bound"),
    [
        ("xavier_uniform", {"gain": 2.0}, lambda out, into: 2 * math.sqrt(6 / (into + out))),
        ("kaiming_uniform", {}, lambda out, into: math.sqrt(6 / into)),
        ("kaiming_uniform", {"mode": "fan_out", "a": 1.0}, lambda out, into: math.sqrt(3 / out)),
        ("kaiming_uniform", {"nonlinearity": "relu"}, lambda out, into: math.sqrt(6 / into)),
    ],
    ids=["xavier", "kaiming", "fan_out", "relu"],
)
def test_bounds_are_those_of_the_papers(kind, arguments, bound) -> None:
    values = start(kind, (40, 24, 3, 3), **arguments)
    limit = bound(40 * 9, 24 * 9)
    assert 0.99 * limit < np.abs(values).max() <= limit * (1 + 1e-6)


@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
@pytest.mark.parametrize("nonlinearity", ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gains_are_those_of_torch(nonlinearity: str, mode: str) -> None:
    by = INITIALISERS["kaiming_normal"](mode=mode, nonlinearity=nonlinearity)  # type: ignore[call-arg]
    fan = {"fan_in": 24 * 9, "fan_out": 40 * 9}[mode]
    wanted = nn.init.calculate_gain(nonlinearity, 0) / math.sqrt(fan)
    assert by.std((40, 24, 3, 3)) == pytest.approx(wanted, rel=1e-12)  # type: ignore[attr-defined]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_orthogonal_rows_or_columns(shape: tuple[int, ...], gain: float) -> None:
    matrix = start("orthogonal", shape, dtype="float64", gain=gain).reshape(shape[0], -1)
    few = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    assert np.allclose(few @ few.T, gain**2 * np.eye(len(few)), atol=1e-12)
    theirs = torch_start("orthogonal", shape, gain=gain).numpy().reshape(shape[0], -1)
    assert np.allclose(np.linalg.norm(matrix), np.linalg.norm(theirs), rtol=1e-5)


def test_orthogonal_rotations_are_of_either_hand() -> None:
    signs = {float(np.sign(np.linalg.det(start("orthogonal", (3, 3), seed)))) for seed in range(20)}
    assert signs == {-1.0, 1.0}


@pytest.mark.parametrize(
    ("shape", "groups"),
    [
        ((4, 4, 3, 3), 1),
        ((6, 4, 3), 1),
        ((3, 5, 1, 5), 1),
        ((6, 2, 3, 3), 3),
        ((4, 2, 3, 3, 3), 2),
        ((8, 4, 2, 2), 2),
    ],
)
def test_dirac_is_that_of_torch(shape: tuple[int, ...], groups: int) -> None:
    assert np.array_equal(
        start("dirac", shape, groups=groups), torch_start("dirac", shape, groups=groups).numpy()
    )


def test_a_dirac_convolution_passes_channels_on() -> None:
    x = torch.randn(2, 4, 7, 5)
    y = torch.nn.functional.conv2d(x, torch.from_numpy(start("dirac", (4, 4, 3, 3))), padding=1)
    assert torch.equal(x, y)


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2), (1, 1)])
def test_eye_is_that_of_torch(shape: tuple[int, ...]) -> None:
    assert np.array_equal(start("eye", shape), torch_start("eye", shape).numpy())


@pytest.mark.parametrize(("kind", "value"), [("zeros", 0), ("ones", 1)])
def test_constants(kind: str, value: float) -> None:
    assert np.array_equal(start(kind, (2, 3)), np.full((2, 3), value, "float32"))
    assert np.array_equal(start("constant", (3,), value=0.1), np.full(3, 0.1, "float32"))


def test_trunc_normal_stays_within_its_bounds_whatever_its_shape() -> None:
    values = start("trunc_normal", (100, 50), mean=1.0, std=2.0, a=1.5, b=1.75)
    assert values.min() >= 1.5 and values.max() <= 1.75
    assert start("trunc_normal", (), std=1.0).shape == ()


@pytest.mark.parametrize("kind", sorted(INITIALISERS))
def test_a_draw_depends_on_seed_and_name_alone(kind: str) -> None:
    arguments = {"constant": {"value": 2.0}, "uniform": {"low": 0.0, "high": 1.0}}.get(kind, {})
    shape = (4, 4) if kind == "eye" else (4, 6, 3)
    first = start(kind, shape, **arguments)
    assert np.array_equal(first, start(kind, shape, **arguments))
    random = kind not in ("zeros", "ones", "constant", "dirac", "eye")
    assert np.array_equal(first, start(kind, shape, seed=1, **arguments)) is not random
    assert start(kind, shape, dtype="float64", **arguments).dtype == np.float64


@pytest.mark.parametrize("kind", sorted(INITIALISERS))
def test_a_doc_a_name_and_the_axes_of_each(kind: str) -> None:
    by = INITIALISERS[kind]
    assert issubclass(by, Initialiser) and by.__doc__ and by.name == kind and hasattr(nn.init, f"{kind}_")


MISFITS = [
    *((kind, (5,)) for kind in ("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal")),
    ("dirac", (4, 4)), ("dirac", (2,) * 6), ("eye", (3,)), ("eye", (3, 3, 3)), ("xavier_normal", ()),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "shape"), MISFITS)
def test_what_torch_refuses_is_refused(kind: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(Mismatch, match="axes"):
        INITIALISERS[kind]().fits(shape)
    with pytest.raises((ValueError, RuntimeError)):
        torch_start(kind, shape)


def test_dirac_needs_groups_that_divide_for_free_sizes_too() -> None:
    with pytest.raises(Mismatch, match="groups"):
        INITIALISERS["dirac"](groups=3).fits((4, 4, 3))  # type: ignore[call-arg]
    with proving(Prover(given={"C": 6})):
        INITIALISERS["dirac"](groups=3).fits((size("C"), 4, 3))  # type: ignore[call-arg]


# -- in the language ----------------------------------------------------------------------------------

HEAD = "net A {\n input x: float32[N, 4, 6, 6]\n"


def net(body: str) -> str:
    return f"{HEAD}{body}\n output y\n}}\n"


def starts(body: str) -> dict[str, str]:
    """The initialiser of each parameter."""
    return {name: param.init.kind for name, param in state(written(net(body))).items()}


def test_a_layer_is_told_how_its_weights_and_its_bias_start() -> None:
    found = starts(
        "y = x -> Conv2d(5, 3, init=orthogonal(gain=2), bias_init=constant(0.1)) -> Conv2d(4, 1, bias_init=zeros)"
    )
    assert found == {
        "conv1.weight": "orthogonal", "conv1.bias": "constant", "conv2.weight": "fan_in", "conv2.bias": "zeros",
    }  # fmt: skip


def test_an_init_statement_holds_below_it_and_within_blocks_and_the_last_that_fits_wins() -> None:
    spec = """
block B {
    input x: [N, C, H, W]
    y = x -> Conv2d(4, 1) -> BatchNorm2d
    init Conv2d: xavier_normal
    output y -> Conv2d(4, 1)
}
net A {
    input x: float32[N, 4, 6, 6]
    y = x -> first: Conv2d(4, 1)
    init kaiming_normal(mode="fan_out")
    init bias: zeros
    y = y -> B -> Conv2d(4, 1, init=normal(std=0.1), bias_init=none) -> global_avg_pool
    init Linear.bias: ones
    y = y -> Linear(3) -> LayerNorm
    output y
}
"""
    found = {name: p.init.kind for name, p in state(written(spec)).items() if p.trainable}
    assert found == {
        "first.weight": "fan_in", "first.bias": "fan_in",
        "b1.conv1.weight": "kaiming_normal", "b1.conv1.bias": "zeros",
        "b1.bn1.weight": "ones", "b1.bn1.bias": "zeros",
        "b1.conv2.weight": "xavier_normal", "b1.conv2.bias": "zeros",
        "conv1.weight": "normal", "conv1.bias": "zeros",
        "fc1.weight": "kaiming_normal", "fc1.bias": "ones",
        "ln1.weight": "ones", "ln1.bias": "zeros",
    }  # fmt: skip


def test_an_initialiser_may_be_an_argument_and_its_numbers_computed() -> None:
    spec = """
block B(start, depth: int) {
    input x: [N, C]
    output x -> Linear(C, init=start, bias_init=normal(std=1 / sqrt(2 * depth * C)))
}
net A {
    input x: float32[N, 8]
    output x -> B(orthogonal(gain=0.5), 2) -> B(zeros, 3)
}
"""
    table = state(written(spec))
    assert [p.init.kind for p in table.values()] == ["orthogonal", "normal", "zeros", "normal"]
    assert table["b1.fc1.bias"].init.by.std == pytest.approx(1 / math.sqrt(32))  # type: ignore[union-attr]


def test_init_is_a_name_where_it_is_not_a_statement() -> None:
    assert starts("init = x -> relu\n y = init if true else x\n for init in [1, 2] { y = y + x }") == {}
    assert codes(net("init = 3\n y = x if init and true else x")) == ["E0302"], "no mistake of grammar"


REFUSED = {
    "y = x -> Conv2d(4, 1, init=dirak())": "E0201",
    "y = x -> Conv2d(4, 1, init=kaiming_normal(mod=3))": "E0203",
    'y = x -> Conv2d(4, 1, init=kaiming_normal(mode="fan"))': "E0205",
    "y = x -> Conv2d(4, 1, init=uniform(1))": "E0204",
    "y = x -> Conv2d(4, 1, init=0.5)": "E0414",
    "y = x -> Conv2d(4, 1, init=relu)": "E0414",
    "y = x -> Conv2d(4, 1, init=x)": "E0414",
    "y = x -> Conv2d(4, 1, init=eye)": "E0417",
    "y = x -> Conv2d(4, 1, bias=false, bias_init=zeros)": "E0417",
    "y = x -> BatchNorm2d(init=xavier_normal)": "E0417",
    "y = x -> Conv2d(4, 1, bias_init=orthogonal())": "E0417",
    "y = x -> Conv2d(6, 1, init=dirac(groups=4))": "E0417",
    "y = x -> relu(init=zeros)": "E0203",
    "y = x -> Conv2d(4, 1, init=zeros, init=ones)": "E0207",
    "y = x -> Conv2d(4, 1, init=normal(std=-1))": "E0401",
    "y = x -> Conv2d(4, 1, init=uniform(1, 0))": "E0401",
    "y = x -> Conv2d(4, 1, init=trunc_normal(std=0))": "E0401",
    "y = x -> Conv2d(4, 1, init=trunc_normal(a=1, b=1))": "E0401",
    "y = x -> Conv2d(4, 1, init=trunc_normal(a=9, b=10))": "E0401",
    "y = x -> Conv2d(4, 1, init=xavier_normal(gain=0))": "E0401",
    'y = x -> Conv2d(4, 1, init=kaiming_normal(a=1, nonlinearity="relu"))': "E0401",
    "init Conv2: zeros\n y = x": "E0201",
    "init relu: zeros\n y = x": "E0417",
    "init SqueezeExcite: zeros\n y = x": "E0417",
    "init x: zeros\n y = x": "E0417",
    "init Conv2d(4, 1): zeros\n y = x": "E0417",
    "init Conv2d: 0.1\n y = x": "E0414",
    "init dirac\n y = x -> global_avg_pool -> Linear(4)": "E0417",
    "init Linear: zeros\n y = x -> Conv2d(4, 1)": "E0417",
    "y = x -> Conv2d(4, 1)\n init Conv2d: zeros": "E0417",
    "y = x -> Conv2d(4, 1, bias=false)\n init bias: zeros": "E0417",
    "init zeros\n y = x -> BatchNorm2d": "E0417",
    "param p: [4] = kaiming_normal()\n y = x": "E0417",
    "param p: [4] = truncated(0.1)\n y = x": "E0201",
    "y = normal(x)": "E0205",
}  # fmt: skip


@pytest.mark.parametrize("body", REFUSED)
def test_what_cannot_start_is_refused(body: str) -> None:
    assert codes(net(body)) == [REFUSED[body]], [d.message for d in found(net(body))]


def test_a_finding_of_a_statement_shows_the_layer_it_met() -> None:
    (finding,) = found(net("init dirac\n y = x -> global_avg_pool -> Linear(4)"))
    assert finding.span is not None and finding.span.text == "dirac"
    assert "Linear.weight" in finding.message and "[4, 4]" in finding.message
    assert any(note.span is not None and note.span.text.startswith("Linear") for note in finding.notes)


def test_a_statement_that_starts_nothing_is_shown_the_layer_above_it() -> None:
    block = "block B {\n input x: [N, C, H, W]\n output x -> Conv2d(C, 1)\n}\n"
    (finding,) = found(block + net("y = x -> B\n init Conv2d: zeros"))
    assert finding.message == "this starts nothing: there is no `Conv2d` below it"
    assert [(n.text, n.span and n.span.text) for n in finding.notes] == [("there is one above", "B")]
    (finding,) = found(net("init Linear: zeros\n y = x"))
    assert finding.notes == () and finding.help == "leave it out"


def test_a_statement_may_meet_a_layer_that_says_itself_how_it_starts_or_is_in_some_block_alone() -> None:
    assert starts("init Conv2d: zeros\n y = x -> Conv2d(4, 1, init=ones, bias=false)") == {
        "conv1.weight": "ones"
    }
    block = """block B(linear: bool) {
    input x: [N, C]
    init Linear: zeros
    if linear { x = x -> Linear(C) }
    output x -> relu
}
"""
    assert codes(block + "net A {\n input x: float32[N, 8]\n output x -> B(false)\n}\n") == []


def test_prelu_takes_a_number_or_an_initialiser() -> None:
    table = state(written(net("y = x -> PReLU(init=0.1) -> PReLU(init=constant(0.3)) -> PReLU(init=ones)")))
    assert next((p.init.kind, p.init.a) for p in table.values()) == ("constant", 0.1)
    assert [p.init.by and p.init.by.name for p in table.values()] == [None, "constant", "ones"]


def test_none_is_as_if_not_written() -> None:
    assert starts("init Conv2d: zeros\n y = x -> Conv2d(4, 1, init=none, bias_init=none)") == {
        "conv1.weight": "zeros", "conv1.bias": "fan_in",
    }  # fmt: skip
    assert starts("y = x -> Conv2d(4, 1, bias=false, bias_init=none)") == {"conv1.weight": "fan_in"}


# -- what is emitted ----------------------------------------------------------------------------------


def test_the_emitted_module_starts_from_the_same_distributions() -> None:
    spec = net(
        'init Conv2d: kaiming_normal(mode="fan_out", nonlinearity="relu")\n'
        " param p: float32[40, 50] = trunc_normal(std=0.02)\n param q: float32[3] = constant(1.5)\n"
        " y = x -> Conv2d(60, 3, bias_init=constant(0.1)) -> BatchNorm2d(init=zeros) -> relu\n"
        "  -> body: (Conv2d(60, 1, init=dirac) -> relu -> Conv2d(70, 3)) -> global_avg_pool\n"
        "  -> Linear(50, init=orthogonal(gain=0.5), bias_init=uniform(2, 3))"
    )
    made_net = written(spec)
    torch.manual_seed(0)
    theirs = {k: v.numpy() for k, v in made(made_net).state_dict().items()}
    ours = {name: draw(name, param, 0) for name, param in state(made_net).items()}
    assert theirs.keys() == ours.keys()
    for name in ("q", "conv1.bias", "bn1.weight", "body.0.weight"):
        assert np.array_equal(theirs[name], ours[name]), name
    for name in ("p", "conv1.weight", "body.2.weight", "fc1.bias"):
        assert abs(theirs[name].std() / ours[name].std() - 1) < 0.35, name
        assert abs(theirs[name].mean() - ours[name].mean()) < ours[name].std(), name
    for weight in (theirs["fc1.weight"], ours["fc1.weight"]):
        assert np.allclose(weight @ weight.T, 0.25 * np.eye(50), atol=1e-5)


def test_parameters_that_start_alike_share_a_loop_and_instances_pass_what_differs() -> None:
    spec = """
block B(width: int, std: float) {
    input x: [N, C]
    output x -> Linear(width, init=normal(std=std)) -> relu -> Linear(width, init=normal(std=std))
}
net A {
    input x: float32[N, 4]
    init bias: zeros
    output x -> B(5, 0.1) -> B(6, 0.2) -> a: Linear(3) -> b: (Linear(3) -> relu)
}
"""
    source = to_torch(written(spec))
    assert (
        "for weight in (self.fc1.weight, self.fc2.weight):\n            nn.init.normal_(weight, std=std)"
        in source
    )
    assert (
        'for bias in (self.a.bias, self.get_parameter("b.0.bias")):\n            nn.init.zeros_(bias)'
        in source
    )
    assert source.count("class B") == 1 and "B(4, 5, 0.1)" in source


def test_blocks_that_start_otherwise_are_classes_of_their_own() -> None:
    spec = """
block B(start) {
    input x: [N, C]
    output x -> Linear(C, init=start) -> Linear(C)
}
net A {
    input x: float32[N, 4]
    output x -> B(zeros) -> B(ones) -> B(zeros)
}
"""
    module = made(written(spec)).state_dict()
    sums = [float(module[f"b{i}.fc1.weight"].sum()) for i in (1, 2, 3)]
    assert sums == [0.0, 16.0, 0.0]


def test_a_sequential_class_starts_its_children() -> None:
    spec = """
block B {
    input x: [N, C]
    output x -> 0: Linear(C, init=eye, bias_init=zeros) -> relu -> 2: Linear(C, init=eye, bias_init=zeros)
}
net A {
    input x: float32[N, 4]
    output x -> B
}
"""
    source = to_torch(written(spec))
    assert "class B(nn.Sequential)" in source and 'self.get_parameter("0.weight")' in source
    x = torch.rand(3, 4)
    assert torch.equal(made(written(spec))(x), x)


def test_a_padding_row_stays_zero() -> None:
    spec = "net A {\n input x: int64[N, 3]\n output x -> Embedding(6, 4, padding_idx=2, init=ones)\n}\n"
    theirs, (param,) = made(written(spec)).state_dict(), state(written(spec)).values()
    wanted = np.ones((6, 4))
    wanted[2] = 0
    assert np.array_equal(theirs["embed1.weight"].numpy(), wanted)
    assert np.array_equal(draw("embed1.weight", param, 0), wanted)
