"""Traps 46, 65 and 66, of recurrent layers and attention: each by netc's numpy, PyTorch and onnxruntime."""

import math

import numpy as np
import onnx
import pytest
import torch
from in_memory import found
from three_ways import agree, gradients, model_of, net_with, values
from torch import nn

from netc.backends.to_torch import to_torch

INF = math.inf


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.onnx"


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def state(module, prefix="r"):
    return {f"{prefix}.{name}": value.numpy() for name, value in module.state_dict().items()}


RECURRENT = {"LSTM": (nn.LSTM, "y, h, c"), "GRU": (nn.GRU, "y, h"), "RNN": (nn.RNN, "y, h")}


@pytest.mark.parametrize("kind", RECURRENT)
@pytest.mark.parametrize("options", ["", "num_layers=2, bidirectional=true, batch_first=true", "bias=false"])
def test_trap_65_gates_stand_in_their_own_order_in_torch_and_onnx(kind, options, path):
    """torch has i, f, g, o and ONNX i, o, f, c; torch r, z, n and ONNX z, r, h."""
    torch.manual_seed(1)
    made, names = RECURRENT[kind]
    module = made(4, 3, **eval(f"dict({options})", {"true": True, "false": False}))
    x = drawn(2, 5, 4)
    ys = module(torch.from_numpy(x))
    states = ys[1] if isinstance(ys[1], tuple) else (ys[1],)
    arguments = ", ".join(filter(None, ["3", options]))
    for name, wanted in zip(names.split(", "), (ys[0], *states), strict=True):
        statements = f"{names} = x -> r: {kind}({arguments})\ny = {name}"
        near(values(statements, path, state(module), x=x), wanted.detach().numpy())


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", (0, 3, 1, 2)), ("GRU", (1, 0, 2)), ("RNN", (0,))])
def test_trap_65_the_graph_lays_weights_out_as_onnx_wants_them(kind, gates, path):
    """What the nodes make of each weight, and of the biases, of which there are two."""
    names = RECURRENT[kind][1]
    net = net_with(f"{names} = x -> r: {kind}(3)", {"x": drawn(2, 5, 4)})
    weights = {n: drawn(*s, seed=i) for i, (n, s) in enumerate(sizes(len(gates)).items())}
    model = model_of(net, path, weights)
    (node,) = [n for n in model.graph.node if n.op_type == kind]
    order = np.concatenate([np.arange(3 * g, 3 * g + 3) for g in gates])
    w, r, b = (made_in(model, name) for name in node.input[1:4])
    np.testing.assert_array_equal(w, weights["r.weight_ih_l0"][order][None])
    np.testing.assert_array_equal(r, weights["r.weight_hh_l0"][order][None])
    both = [weights["r.bias_ih_l0"][order], weights["r.bias_hh_l0"][order]]
    np.testing.assert_array_equal(b, np.concatenate(both)[None])


def sizes(gates, width=4):
    return {
        "r.weight_ih_l0": (3 * gates, width), "r.weight_hh_l0": (3 * gates, 3),
        "r.bias_ih_l0": (3 * gates,), "r.bias_hh_l0": (3 * gates,),
    }  # fmt: skip


def made_in(model, name):
    """The value of an input of a node, by the reference implementation."""
    asked = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
    graph = onnx.GraphProto()
    graph.CopyFrom(model.graph)
    del graph.output[:]
    graph.output.append(asked)
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    whole.graph.CopyFrom(graph)
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(whole).run(None, {"x": drawn(2, 5, 4)})[0]


def test_trap_65_the_reset_gate_scales_what_the_weights_made_of_the_state(path):
    net = net_with("y, h = x -> r: GRU(3)", {"x": drawn(2, 5, 4)})
    model = model_of(net, path, {n: drawn(*s) for n, s in sizes(3).items()})
    (node,) = [n for n in model.graph.node if n.op_type == "GRU"]
    assert {a.name: a.i for a in node.attribute}["linear_before_reset"] == 1


def test_trap_65_states_that_are_given_are_taken(path):
    torch.manual_seed(2)
    module = nn.LSTM(4, 3, num_layers=2, bidirectional=True)
    x, h, c = drawn(5, 2, 4), drawn(4, 2, 3, seed=1), drawn(4, 2, 3, seed=2)
    wanted, (_, last) = module(*map(torch.from_numpy, (x,)), (torch.from_numpy(h), torch.from_numpy(c)))
    for name, right in (("y", wanted), ("b", last)):
        statements = f"y, a, b = LSTM(3, num_layers=2, bidirectional=true)(x, h, c)\ny = {name}"
        weights = {k.replace("r.", "lstm1."): v for k, v in state(module).items()}
        near(values(statements, path, weights, x=x, h=h, c=c), right.detach().numpy())


def test_emitted_code_nests_the_states_of_an_lstm_alone():
    source = to_torch(net_with("y, h, c = x -> LSTM(3)\ny, h, c = LSTM(3)(y, h, c)", {"x": drawn(2, 5, 4)}))
    assert "y, (h, c) = self.lstm1(x)" in source and "y, _ = self.lstm2(y, (h, c))" in source
    source = to_torch(net_with("y, h = x -> GRU(3)\ny, h = GRU(3)(y, h)", {"x": drawn(2, 5, 4)}))
    assert "y, h = self.gru1(x)" in source and "y, _ = self.gru2(y, h)" in source


def test_a_gradient_through_time_needs_a_known_length():
    from emitted import written

    from netc.autodiff.reverse import reverse
    from netc.diagnostics import Refused
    from netc.passes.locate import locate

    located = locate(written("net A {\n input x: float32[T, 2, 4]\n y, h = x -> GRU(3)\n output y\n}\n"))
    with pytest.raises(Refused) as refused:
        reverse(located, located.flat.outputs, located.flat.inputs, {})
    assert "needs a known length, not T" in refused.value.diagnostics[0].message


# -- attention ----------------------------------------------------------------------------------------------

QKV = {"q": drawn(2, 3, 4), "k": drawn(2, 5, 4, seed=1), "v": drawn(2, 5, 6, seed=2)}
ATTEND = "y = scaled_dot_product_attention(q, k, v{})"


def softmax(scores):
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def by_hand(mask):
    """Attention where `mask` is true, in float64."""
    scores = QKV["q"].astype("float64") @ QKV["k"].astype("float64").transpose(0, 2, 1) / 2
    return softmax(np.where(mask, scores, -1e300)) @ QKV["v"]


@pytest.mark.parametrize("kind", ["bool", "float"])
def test_trap_46_a_query_that_sees_no_key_gets_zeros(kind, path):
    """softmax over nothing but -inf is NaN; attention gives 0, as torch's does, and passes no gradient on."""
    seen = np.array([[1, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
    mask = seen if kind == "bool" else np.where(seen, 0, -INF).astype("float32")
    wanted = by_hand(seen)
    wanted[:, 1] = 0
    near(values(ATTEND.format(", m"), path, **QKV, m=mask), wanted)
    by_netc, by_torch = gradients(ATTEND.format(", m"), **QKV, m=mask)["q"]
    assert not by_netc[:, 1].any() and by_netc[:, 0].any()
    np.testing.assert_allclose(by_netc, by_torch, 1e-9, 1e-12)


def test_trap_46_softmax_of_nothing_is_nan(path):
    x = np.array([[-INF, -INF], [-INF, 1]], "float32")
    agree(values("y = softmax(x)", path, x=x), [[math.nan, math.nan], [0, 1]])


def test_trap_66_true_keeps_a_key(path):
    mask = np.array([[1, 0, 1, 1, 0], [0, 1, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
    found = values(ATTEND.format(", m"), path, **QKV, m=mask)
    near(found, by_hand(mask))
    np.testing.assert_allclose(found["onnx"][:, 1], QKV["v"][:, 1], 1e-5)  # the one key it sees
    assert np.abs(found["numpy"] - by_hand(~mask | (mask.sum(-1, keepdims=True) == 5))).max() > 0.1


def test_trap_66_the_mask_of_multihead_attention_is_the_other_way_round_in_torch(path):
    torch.manual_seed(3)
    module = nn.MultiheadAttention(4, 2, batch_first=True)
    x, mask = drawn(2, 5, 4), np.random.default_rng(5).random((2, 1, 5, 5)) < 0.6
    mask |= np.eye(5, dtype=bool)
    tensor = torch.from_numpy(x)
    for left_out, same in ((~mask, True), (mask & ~np.eye(5, dtype=bool), False)):
        each = torch.from_numpy(np.repeat(left_out, 2, 1).reshape(4, 5, 5))
        wanted = module(tensor, tensor, tensor, attn_mask=each)[0].detach().numpy()
        found = values("y = (x, x, x, m) -> r: MaskedMultiheadAttention(2)", path, state(module), x=x, m=mask)
        for y in found.values():
            assert bool(np.abs(y - wanted).max() < 1e-5) is same


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_trap_66_a_query_that_sees_nothing_gets_the_last_bias(dropout, path):
    torch.manual_seed(3)
    module = nn.MultiheadAttention(4, 2, batch_first=True)
    torch.nn.init.normal_(module.out_proj.bias)
    x, mask = drawn(2, 5, 4), np.ones((2, 1, 5, 5), bool)
    mask[:, :, 4] = False
    statement = f"y = (x, x, x, m) -> r: MaskedMultiheadAttention(2, dropout={dropout})"
    for y in values(statement, path, state(module), x=x, m=mask).values():
        np.testing.assert_allclose(y[:, 4], np.tile(module.out_proj.bias.detach().numpy(), (2, 1)), 1e-6)
        assert np.abs(y[:, :4] - y[:, 4:]).max(-1).min() > 1e-3


@pytest.mark.parametrize(("queries", "keys"), [(3, 5), (5, 3), (4, 4)])
def test_trap_66_causal_counts_from_the_first_query_and_key(queries, keys, path):
    q, k, v = drawn(2, queries, 4), drawn(2, keys, 4, seed=1), drawn(2, keys, 6, seed=2)
    scores = q.astype("float64") @ k.astype("float64").transpose(0, 2, 1) / 2
    wanted = softmax(np.where(np.tri(queries, keys), scores, -1e300)) @ v
    found = values(ATTEND.format(", is_causal=true"), path, q=q, k=k, v=v)
    near(found, wanted)
    np.testing.assert_allclose(found["torch"][:, 0], v[:, 0], 1e-5)  # the first sees the first alone


@pytest.mark.parametrize("opset", [17, 23])
def test_attention_is_scaled_by_its_features(opset, path):
    wanted = by_hand(np.ones((3, 5), bool))
    near(values(ATTEND.format(""), path, opset=opset, **QKV), wanted)
    near(values(ATTEND.format(", scale=0.5"), path, opset=opset, **QKV), wanted)


INPUTS = "input q: float32[N, 3, 4], k: float32[N, 5, 4], m: bool[3, 5], x: float32[7, N, 4]"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "y = scaled_dot_product_attention(q, k, k, m, is_causal=true)",
            "m comes with is_causal, which hides keys itself",
        ),
        ("y = scaled_dot_product_attention(q, k, q)", "q has 3 tokens, but k has 5"),
        ("y, h, c = x -> LSTM(3, dropout=0.5)", "put dropout between LSTMs of one layer each"),
        ("y, h, c = LSTM(3)(x, q, q)", "q is [N, 3, 4], not [1, N, 3]"),
        ("y, h = m -> GRU(3)", "m is bool"),
        ("y, h = x -> GRU(3) -> RNN(3)", "the last become its `h0`"),
        ("y, h, c = x -> LSTM(3) * 2", "the last become its `h0` and `c0`"),
    ],
)
def test_what_is_refused_says_why(statement, said):
    text = f"net A {{\n    {INPUTS}\n    {statement}\n    output y\n}}\n"
    (finding,) = found(text)
    assert said in finding.message


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("y, g = t -> GRU(4)", True),
        ("y, g = t -> (GRU(4) -> RNN(4))", True),
        ("g = gru: GRU(4)\n    y, i = t -> g", True),
        ("y, g = (t[0], t[1]) -> GRU(4)", False),
        ("y, g = GRU(t[0], t[1], 4)", False),
        ("y, g = (t[0], t[1]) -> first: GRU(4)", False),
        ("y = t[0] -> GRU(4) * 1 -> Take", False),
        ("y = t -> Take", False),
    ],
)
def test_states_are_passed_on_where_they_are_written_out(statement, refused):
    block = "block Take {\n    input x: [L, N, C], h: [1, N, C]\n    output x\n}\n"
    text = f"{block}net A {{\n    {INPUTS}\n    t = x -> GRU(4)\n    {statement}\n    output y\n}}\n"
    assert [f.code for f in found(text)] == ["E0511"] * refused


def test_a_number_is_an_argument_and_no_state():
    calls = "a, h = GRU(x, 3)\n    b, _ = GRU(a, h, 3)\n    y, _, _ = LSTM(b, 3, 2)"
    assert not found(f"net A {{\n    {INPUTS}\n    {calls}\n    output y\n}}\n")


def near(found, wanted):
    """That each of the three gives `wanted`, as near as float32 comes."""
    for target, y in found.items():
        np.testing.assert_allclose(y, wanted, 1e-5, 1e-5, err_msg=target)
