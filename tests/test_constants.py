"""Tensors from numbers and buffers: known at compile time, and alike in numpy, PyTorch, onnxruntime and the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from emitted import SPECS, loaded, made, net_of, written
from in_memory import body, codes, found
from safetensors.numpy import load_file
from three_ways import agree, gradients, model_of, values

from netc.autodiff.trial import random_weights
from netc.backends.to_onnx_training import to_onnx_training
from netc.backends.to_torch import to_torch
from netc.backends.weights import Drawn, Held, load_weights, write_safetensors
from netc.deploy.verify import verify
from netc.ir.text import text
from netc.passes.cost import cost
from netc.passes.initial import draw, state
from netc.passes.recipe import Chosen

X = np.random.default_rng(0).standard_normal((2, 3, 4)).astype("float32")
MEAN = [0.485, 0.456, 0.406]
SWIN = """
w = 3
row = expand(unsqueeze(tensor(range(w)), 1), w, w)
column = expand(tensor(range(w)), w, w)
place = stack(flatten(row, 0), flatten(column, 0), axis=0)
apart = unsqueeze(place, 2) - unsqueeze(place, 1) + (w - 1)
buffer index: int64[w * w, w * w] = apart[0] * (2 * w - 1) + apart[1]
"""


def swin_index(w: int) -> np.ndarray:
    """relative_position_index as torchvision computes it."""
    coords = torch.stack(torch.meshgrid(torch.arange(w), torch.arange(w), indexing="ij")).flatten(1)
    relative = (coords[:, :, None] - coords[:, None, :]).permute(1, 2, 0).contiguous() + (w - 1)
    relative[:, :, 0] *= 2 * w - 1
    return relative.sum(-1).numpy()


# -- tensors from numbers -----------------------------------------------------------------------------
def test_a_tensor_beside_another(tmp_path: Path) -> None:
    all_three = values(f"y = x - reshape(tensor({MEAN}), 3, 1)", tmp_path / "m.onnx", x=X)
    agree(all_three, X.astype("float64") - np.array(MEAN)[:, None], 1e-6)


@pytest.mark.parametrize(
    ("written", "dtype", "wanted"),
    [
        ("tensor([1, 2, 3])", "int64", [1, 2, 3]),
        ("tensor([1, 2.5, 3])", "float32", [1, 2.5, 3]),
        ("tensor([true, false])", "bool", [True, False]),
        ('tensor([1, 2], dtype="float64")', "float64", [1, 2]),
        ('tensor([1, 2], dtype="int32")', "int32", [1, 2]),
        ("tensor([[1, 2], [3, 4]])[1]", "int64", [3, 4]),
        ("tensor(range(2, 9, 3))", "int64", [2, 5, 8]),
        ("tensor([i] * 3) + tensor(range(3))", "int64", [4, 5, 6]),
        ("tensor([shape(x)[1], 7])", "int64", [3, 7]),
        ("tensor([[-1.0]]) ** 2", "float32", [[1.0]]),
        ("-(tensor([1, 2]) + tensor([3, 4])) * tensor([2, 3])", "int64", [-8, -18]),
        ("chunk(tensor([1.0, 2.0, 3.0, 4.0]), 2)[1]", "float32", [3, 4]),
        ("sum(tensor([0.5, 0.25]))", "float32", 0.75),
        ("tensor([1.0, 4.0]) > tensor([2.0, 3.0])", "bool", [False, True]),
        ('cast(tensor([1, 2]), "float32") / 4', "float32", [0.25, 0.5]),
        ("softmax(tensor([[0.0, 0.0]]))", "float32", [[0.5, 0.5]]),
    ],
)
def test_what_is_known_at_compile_time(written: str, dtype: str, wanted: object, tmp_path: Path) -> None:
    """As an output, so that every target shows what it holds; no node is left to compute it."""
    all_three = values(f"i = 4\ny = {written}", tmp_path / "m.onnx", x=X)
    for target, y in all_three.items():
        assert str(y.dtype) == ("float64" if target == "numpy" and dtype == "float32" else dtype), target
        np.testing.assert_array_equal(y, wanted, err_msg=target)
    graph = onnx.load(tmp_path / "m.onnx").graph
    assert [node.op_type for node in graph.node] == ["Identity"]


def test_it_is_differentiated_as_a_number_is() -> None:
    statements = 't = tensor([1.5, -2.0, 0.25], dtype="float64")\ny = x * reshape(t, 3, 1) ** 2'
    for by_netc, by_torch in gradients(statements, x=X).values():
        np.testing.assert_allclose(by_netc, by_torch, 1e-12)


def test_the_module_reads_as_by_hand() -> None:
    net = written(
        "net A {\n    input x: float32[N, 3, 8, 8]\n    mean = reshape(tensor([0.485, 0.456, 0.406]), 3, 1, 1)\n"
        f"{SWIN}    buffer seen: int64[]\n    output (x - mean) * tensor([2.0]), index\n}}\n"
    )
    source = to_torch(net)
    mean = '"mean", torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1), persistent=False'
    assert f"        self.register_buffer(\n            {mean}\n        )\n" in source
    assert '        self.register_buffer("index", apart[0] * 5 + apart[1])\n' in source
    assert "torch.arange(3).unsqueeze(1).expand(3, 3)" in source
    assert "return (x - self.mean) * self.constant, self.index" in source


def test_constants_move_with_the_module_and_are_no_state() -> None:
    module = loaded(written(body("x = x * tensor([1.0, 2.0, 3.0, 4.0])")), {})
    assert not module.state_dict() and [n for n, _ in module.named_buffers()] == ["constant"]
    assert module.double()(torch.ones(1, 4, dtype=torch.float64)).dtype == torch.float64


def test_equal_constants_share_a_class_and_others_do_not() -> None:
    spec = (
        'block B(k: int) {\n    input x: [N, C]\n    output x * tensor([k, 2], dtype="float32")\n}\n'
        "net A {\n    input x: float32[N, 2]\n    output x -> B(1) -> B(1) -> B(3)\n}\n"
    )
    source = to_torch(written(spec))
    assert source.count("class B") == 2
    assert verify(written(spec), source, "A").passed


# -- buffers ------------------------------------------------------------------------------------------
BUFFERS = f"""
block Whiten {{
    input x: [N, C]
    buffer mean: [C] = constant(0.5)
    buffer dev: [C] = tensor([1, 2, 4], dtype="float32")
    output (x - mean) / dev
}}
net A {{
    input x: float32[N, 3]
    target label: int64[N]
    {SWIN}
    buffer seen: bool[2] = ones
    buffer steps: int64[] = constant(7)
    param table: [25, 3] = normal(std=0.02)
    param scale: [3] = tensor([1.0, 2.0, 3.0])
    whiten = Whiten()
    y = whiten(x) + mean(table[index], axis=[0, 1]) * scale
    logits = y - whiten.mean -> fc: Linear(3)
    output logits
    loss cross_entropy(logits, label)
}}
"""
STATE = ["whiten.mean", "whiten.dev", "index", "seen", "steps"]


def test_buffers_are_state_and_not_trained(tmp_path: Path) -> None:
    net = written(BUFFERS)
    table = state(net)
    assert [name for name, p in table.items() if not p.trainable] == STATE
    module = loaded(net, {name: draw(name, p, 0) for name, p in table.items()})
    assert set(module.state_dict()) == set(table)
    assert [n for n, _ in module.named_buffers()] == ["index", "seen", "steps", "whiten.mean", "whiten.dev"]
    assert cost(net).params == sum(p.numel() for p in module.parameters()) == 75 + 3 + 12
    graph = model_of(net, tmp_path / "m.onnx", {name: draw(name, p, 0) for name, p in table.items()}).graph
    stored = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    np.testing.assert_array_equal(stored["index"], swin_index(3))
    assert stored["whiten.dev"].tolist() == [1, 2, 4] and stored["whiten.mean"].tolist() == [0.5] * 3


def test_the_module_starts_them_as_the_file_does(tmp_path: Path) -> None:
    net = written(BUFFERS)
    write_safetensors(tmp_path / "a.safetensors", state(net), Drawn(state(net)), "")
    stored = load_file(tmp_path / "a.safetensors")
    module = made(net)
    for name in (*STATE, "scale"):
        mine = module.state_dict()[name].numpy()
        assert mine.dtype == stored[name].dtype
        np.testing.assert_array_equal(mine, stored[name], err_msg=name)
    assert stored["steps"] == 7 and stored["seen"].tolist() == [True, True]


def test_other_values_are_loaded(tmp_path: Path) -> None:
    net = written(BUFFERS)
    arrays = {name: draw(name, p, 0) for name, p in state(net).items()}
    arrays |= {"index": 24 - arrays["index"], "steps": np.array(3), "seen": np.array([True, False])}
    write_safetensors(tmp_path / "a.safetensors", state(net), Held(arrays), "")
    held = load_weights(tmp_path / "a.safetensors", state(net))
    assert all(np.array_equal(held[name], array) for name, array in arrays.items())


def test_the_targets_agree_also_in_training() -> None:
    net = written(BUFFERS)
    report = verify(net, to_torch(net), "A", small=net)
    assert report.passed and report.training is not None
    gradients = {e.key for e in report.training.errors if e.target == "onnx" and e.kind == "gradient"}
    assert gradients == {f"gradient/{name}" for name in ("table", "scale", "fc.weight", "fc.bias")}


def test_a_small_swin_agrees() -> None:
    """Its index is a buffer of each layer, with the numbers of torchvision's."""
    net = net_of(next(path for path in SPECS if path.stem == "swin"), "SwinTiny")
    index = draw("", state(net)["features.1.0.attn.relative_position_index"], 0)
    np.testing.assert_array_equal(index.reshape(16, 16), swin_index(4))
    assert verify(net, to_torch(net), net.name, small=net).passed


def test_a_training_step_leaves_them_alone() -> None:
    model = to_onnx_training(
        written(BUFFERS), Chosen("sgd", {"lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0})
    )
    taken = {i.name for i in model.proto.graph.input}
    assert "table" in taken and taken.isdisjoint(STATE)
    assert {"index", "whiten.mean", "whiten.dev"} <= set(model.parameters)


def test_random_weights_keep_what_points_somewhere() -> None:
    arrays = random_weights(state(written(BUFFERS)))
    np.testing.assert_array_equal(arrays["index"], swin_index(3))
    assert (arrays["whiten.dev"] > 0.4).all()


def test_a_wrong_buffer_is_noticed() -> None:
    """A negative control: a module that computes its constants otherwise does not pass."""
    spec = f"net A {{\n    input x: float32[N, 3]\n    output x - tensor({MEAN})\n}}\n"
    source = to_torch(written(spec))
    assert verify(written(spec), source, "A").passed
    assert not verify(written(spec), source.replace("0.456", "0.457"), "A").passed


def test_they_are_told_apart() -> None:
    net = written(BUFFERS)
    rows = {".".join(row.path): row for row in (*cost(net).rows, *cost(net).beside)}
    assert {rows[name].layer for name in STATE} == {"buffer"} and rows["table"].layer == "param"
    assert "  buffer index: int64[9, 9]\n" in text(net) and "  param table: float32[25, 3]\n" in text(net)


# -- words and refusals -------------------------------------------------------------------------------
def test_buffer_and_tensor_are_names_elsewhere() -> None:
    assert not codes(
        body("buffer = x\nx = buffer + 1\ntensor = relu\nx = tensor(x)\nbuffer = x if true else buffer")
    )
    assert not codes("block buffer {\n    input x: [N, C]\n    output relu(x)\n}\n" + body("x = x -> buffer"))


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("y = tensor(3)", "E0313", "takes a list of numbers, not the number 3"),
        ("y = tensor([])", "E0313", "none of them empty"),
        ("y = tensor([[1], [2, 3]])", "E0313", "the same length"),
        ("y = tensor([1, [2]])", "E0313", "not a list of 1"),
        ("y = tensor([x])", "E0313", "not a tensor"),
        ("y = tensor([relu])", "E0313", "not a layer"),
        ("y = tensor([1], [2])", "E0313", "takes one list"),
        ("y = tensor([1], type=2)", "E0313", "takes one list"),
        ('y = tensor([1], dtype="int")', "E0313", '"int" is not a dtype'),
        ("y = tensor([1], dtype=3)", "E0313", "this is not a dtype"),
        ('y = tensor([1.5], dtype="int64")', "E0313", "1.5 is not a number of int64"),
        ('y = tensor([3000000000], dtype="int32")', "E0313", "3000000000 is not a number of int32"),
        ("y = tensor([1e39])", "E0313", "1e+39 is not a number of float32"),
        ("y = tensor([true, 1])", "E0313", "do not stand beside numbers"),
        ("y = tensor([N])", "E0303", "N"),
        ("y = log(tensor([0.0]))", "E0313", "not finite in float32"),
        ("y = exp(tensor([100.0]))", "E0313", "not finite in float32"),
        ("y = tensor([1.0])[tensor([3])]", "E0401", "must stay below 1"),
        ("y = gather(tensor([1.0]), tensor([-3]), axis=0)", "E0313", "out of bounds"),
        ("y = expand(tensor([1]), 1000001)", "E0313", "1,000,001"),
        ("y = tensor([[[1] * 100] * 100] * 11)", "E0311", "too long"),
        ("y = x - [1.0, 2.0, 3.0, 4.0]", "E0301", "`tensor([...])`"),
        ("y = x - tensor([1, 2, 3, 4])", "E0401", 'dtype="float32"'),
        ("m = [1, 2]\ny = reshape(m, 1, 2)", "E0205", "write `tensor(m)`"),
        ("y = arange(3)", "E0201", "tensor(range(n))"),
        ("buffer m: [4] = [1, 2, 3, 4]", "E0414", "write `tensor([1, 2, 3, 4])`"),
        ("buffer m: [4] = x[0]", "E0414", "known at compile time"),
        ("buffer m: [4] = tensor([1, 2, 3, 4])", "E0417", 'dtype="float32"'),
        ("buffer m: [4] = tensor([1.0])", "E0417", "its start is float32[1]"),
        ("buffer m: int64[4] = normal(std=2.0)", "E0417", "cannot start `m`"),
        ("buffer m: int64[4] = constant(1.5)", "E0417", "cannot start `m`"),
        ("buffer m: bool[4] = constant(1)", "E0417", "cannot start `m`"),
        ("buffer m: [N] = ones", "E0405", "N"),
        ("param m: int64[4] = ones", "E0416", "`buffer`"),
        ("buffer m: [4] = ones\nparam m: [4] = ones", "E0503", "m"),
        ("buffer forward: [4] = ones", "E0504", "forward"),
        ("buffer m = ones", "E0105", "`:` is"),
    ],
)  # fmt: skip
def test_what_is_refused(line: str, code: str, said: str) -> None:
    (wrong,) = found(body(line))
    assert wrong.code == code
    assert said in f"{wrong.message} {wrong.help} {wrong.span.text if wrong.span else ''}"


@pytest.mark.parametrize("count", [99_999, 100_000])
def test_as_long_as_a_list(count: int) -> None:
    assert not codes(body(f"y = tensor(range({count}))"))


def test_work_at_compile_time_is_counted() -> None:
    lines = ["t = expand(tensor([1.0]), 1000, 1000)", *["t = t + 1.0"] * 60]
    assert codes(body("\n".join(lines))) == ["E0311"]
    assert codes(body("t = expand(tensor([1.0]), 1000, 1000)\nt = t @ t")) == ["E0311"]
