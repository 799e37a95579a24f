"""The ONNX files: right by the checker, run by onnxruntime as torch runs the layers, named as the spec."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from handmade import Hand
from in_memory import lines_run
from onnx import numpy_helper
from torch import nn

from netc.backends.onnx_file import write_onnx
from netc.backends.onnx_graph import GraphBuilder
from netc.backends.onnx_proto import describe_value
from netc.backends.to_onnx import IR_VERSIONS, to_onnx
from netc.backends.weights import Drawn, Held
from netc.diagnostics import Refused
from netc.dims import Fact, size
from netc.ir.module import Constraint, Type, Value
from netc.ops.contract import Init
from netc.passes.initial import state

torch.set_num_threads(1)
N, H, W, T = size("N"), size("H"), size("W"), size("T")


def small():
    """A convolutional net with a head that only the loss needs."""
    hand = Hand()
    image, label = hand.input("image", "float32", N, 3, size("H", 4), 8), hand.input("label", "int64", N)
    y = hand.apply("Conv2d", image, path="stem.conv1", out_channels=8, kernel_size=3, stride=2, padding=1)
    y = hand.apply("BatchNorm2d", y, path="stem.bn1")
    y = hand.apply("relu", y)
    y = hand.apply("max_pool2d", y, kernel_size=2)
    pooled = hand.apply("global_avg_pool", y)
    logits = hand.apply("Linear", pooled, path="fc", out_features=5, hint="logits")
    aside = hand.apply("Linear", pooled, path="aux.fc", out_features=5)
    losses = [hand.apply("cross_entropy", x, label) for x in (logits, aside)]
    bound = (Constraint(Fact("H", 4)),)
    return hand.net(
        "Small",
        logits,
        doc="A small net.",
        targets=[label],
        losses=losses,
        constraints=bound,
        free=("N", "H"),
    )


def twin():
    """What `small` is in torch."""
    stem = nn.Sequential()
    stem.add_module("conv1", nn.Conv2d(3, 8, 3, 2, 1))
    stem.add_module("bn1", nn.BatchNorm2d(8))
    module = nn.ModuleDict({"stem": stem, "fc": nn.Linear(8, 5)})

    def forward(image):
        y = nn.functional.max_pool2d(module["stem"](image).relu(), 2)
        return module["fc"](y.mean((2, 3)))

    return module.eval(), forward


def written(net, path, weights=None, opset=20, **options):
    model = to_onnx(net, opset)
    write_onnx(path, model, weights or Drawn(state(net)), **options)
    return onnx.load(path)


def run(path, **inputs):
    return onnxruntime.InferenceSession(str(path)).run(None, inputs)


@pytest.mark.parametrize("opset", [17, 20, 23])
def test_agrees_with_torch_at_every_opset(tmp_path, opset):
    module, forward = twin()
    for buffer in (module["stem"].bn1.running_mean, module["stem"].bn1.running_var):
        nn.init.uniform_(buffer, 0.5, 1.5)
    weights = Held({name: t.numpy() for name, t in module.state_dict().items()})
    path = tmp_path / "small.onnx"
    proto = written(small(), path, weights, opset)
    onnx.checker.check_model(proto, full_check=True)
    assert proto.ir_version == IR_VERSIONS[opset]
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", opset)]
    for batch, height in ((2, 8), (3, 20)):
        image = torch.randn(batch, 3, height, 8)
        with torch.no_grad():
            wanted = forward(image).numpy()
        (found,) = run(path, image=image.numpy())
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_ir_versions_are_those_of_the_opsets():
    first = {}
    for _, ir, opset, *_ in onnx.helper.VERSION_TABLE:
        first.setdefault(opset, ir)
    assert {opset: first[opset] for opset in IR_VERSIONS} == IR_VERSIONS


@pytest.mark.parametrize("opset", [16, 24])
def test_other_opsets_are_refused(opset):
    with pytest.raises(Refused, match=r"E0706.*17 to 23"):
        to_onnx(small(), opset)


def test_names_and_description(tmp_path):
    proto = written(small(), tmp_path / "small.onnx")
    graph = proto.graph
    assert [n.name for n in graph.node][:3] == ["stem.conv1", "stem.bn1", "relu"]
    assert "fc" in {n.name for n in graph.node}
    assert len({n.name for n in graph.node}) == len(graph.node)
    assert (graph.name, graph.doc_string, proto.producer_name) == ("Small", "A small net.", "netc")
    assert [i.name for i in graph.input] == ["image"]
    assert [o.name for o in graph.output] == ["logits"]
    dims = [d.dim_param or d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]
    assert dims == ["N", 3, "H", 8]
    weights = {t.name for t in graph.initializer if not t.name.startswith("constant/")}
    assert weights == {
        "stem.conv1.weight", "stem.conv1.bias", "stem.bn1.weight", "stem.bn1.bias", "stem.bn1.running_mean",
        "stem.bn1.running_var", "fc.weight", "fc.bias",
    }  # fmt: skip
    (entry,) = proto.metadata_props
    facts = json.loads(entry.value)
    assert entry.key == "netc" and facts["net"] == "Small" and facts["constraints"] == ["H % 4 == 0"]


def test_preprocessing_and_classes_are_described():
    how = {"size": [8, 8], "channels": 3, "mean": [0.5] * 3, "std": [0.25] * 3}
    (entry,) = to_onnx(small(), 20, how, ["cat", "dog"]).proto.metadata_props
    facts = json.loads(entry.value)
    assert (facts["preprocess"], facts["classes"]) == (how, ["cat", "dog"])


def test_two_compiles_are_the_same_to_the_byte(tmp_path):
    for name in "ab":
        written(small(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_weights_are_the_same_as_those_drawn(tmp_path):
    net = small()
    proto = written(net, tmp_path / "small.onnx", Drawn(state(net), seed=3))
    drawn = dict(zip(state(net), Drawn(state(net), seed=3).pieces(list(state(net))), strict=True))
    for tensor in proto.graph.initializer:
        if tensor.name in drawn:
            np.testing.assert_array_equal(numpy_helper.to_array(tensor), drawn[tensor.name])


def test_weights_beyond_the_limit_lie_beside(tmp_path):
    net = small()
    written(net, tmp_path / "one.onnx")
    proto = written(net, tmp_path / "two.onnx", limit=1000)
    assert (tmp_path / "two.onnx.data").is_file()
    onnx.checker.check_model(str(tmp_path / "two.onnx"), full_check=True)
    image = np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32)
    (one,), (two,) = (run(tmp_path / f"{name}.onnx", image=image) for name in ("one", "two"))
    np.testing.assert_array_equal(one, two)
    assert len(proto.graph.initializer) == len(onnx.load(tmp_path / "one.onnx").graph.initializer)
    written(net, tmp_path / "two.onnx", limit=1000)  # knows both files for its own


def test_an_input_and_a_double_as_outputs_are_copies(tmp_path):
    hand = Hand()
    x = hand.input("x", "float32", N, 4)
    y = hand.apply("relu", x, hint="y")
    proto = written(hand.net("Copies", y, x, y), tmp_path / "copies.onnx")
    onnx.checker.check_model(proto, full_check=True)
    given = np.array([[-1, 2, -3, 4]], np.float32)
    first, second, third = run(tmp_path / "copies.onnx", x=given)
    np.testing.assert_array_equal(first, np.maximum(given, 0))
    np.testing.assert_array_equal(second, given)
    np.testing.assert_array_equal(third, first)


def test_an_output_that_an_op_hands_through_keeps_its_name(tmp_path):
    hand = Hand()
    x = hand.input("x", "float32", N, 4)
    proto = written(hand.net("Through", hand.apply("dropout", x, hint="y")), tmp_path / "through.onnx")
    assert [o.name for o in proto.graph.output] == ["y"]
    given = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(run(tmp_path / "through.onnx", x=given)[0], given)


@pytest.mark.parametrize("sizes", [(2, 5, 7), (3, 8, 4), (1, 4, 9)])
def test_sizes_are_computed_at_run_time(sizes):
    """Products, sums, quotients with a remainder, a known multiple, and a difference below zero."""

    def shape(n, h, w):
        return n * h, h // 2 + 3 * w, (h + w) // 3, n * (h * w + n), (h - 2 * w) // 4 + 2 * w, 7

    x = Value("x", Type("float32", (N, H, W)))
    builder = GraphBuilder(20, [x], ["x"])
    name = builder.sizes(shape(N, H, W))
    assert builder.sizes(shape(N, H, W)) == name
    graph = builder.graph
    describe_value(graph.input.add(), "x", "float32", (N, H, W))
    describe_value(graph.output.add(), name, "int64", (6,))
    graph.name = "sizes"
    model = onnx.ModelProto(ir_version=9, graph=graph)
    model.opset_import.add(version=20)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert session.run(None, {"x": np.zeros(sizes, np.float32)})[0].tolist() == list(shape(*sizes))


def test_a_size_known_in_multiples(tmp_path):
    hand = Hand()
    side = size("H", 4)
    x = hand.input("x", "float32", N, side)
    y = hand.apply("reshape", x, sizes=[N * (side // 4), 2, 2])
    written(hand.net("Multiples", y, free=("N", "H")), tmp_path / "multiples.onnx")
    given = np.arange(36, dtype=np.float32).reshape(3, 12)
    np.testing.assert_array_equal(run(tmp_path / "multiples.onnx", x=given)[0], given.reshape(9, 2, 2))


def test_a_size_is_read_off_a_formula(tmp_path):
    hand = Hand()
    x = hand.input("x", "float32", N, 2 * T + 1)
    one = hand.param("one", "float32", (1, 1), Init("ones"))
    net = hand.net("Formula", hand.apply("expand", one, sizes=[N, T]), hand.apply("relu", x), free=("N", "T"))
    written(net, tmp_path / "formula.onnx")
    assert run(tmp_path / "formula.onnx", x=np.zeros((3, 9), np.float32))[0].shape == (3, 4)


def test_a_size_that_no_input_tells_is_refused():
    hand = Hand()
    x = hand.input("x", "float32", N, H * W)
    one = hand.param("one", "float32", (1, 1), Init("ones"))
    net = hand.net(
        "Hidden", hand.apply("expand", one, sizes=[N, H]), hand.apply("relu", x), free=("N", "H", "W")
    )
    with pytest.raises(Refused, match=r"E0710.*H"):
        to_onnx(net)


def block_with_its_own_size():
    """A block whose op has an attribute in the block's own size, called at two sizes."""
    inner = Hand()
    x = inner.input("x", "float32", size("B"), 2, size("L"))
    bias = inner.param("bias", "float32", (1, 2, 1), Init("normal", 0.0, 1.0))
    wide = inner.apply("expand", bias, sizes=[size("B"), 2, size("L")])
    block = inner.block("Shift", inner.apply("add", x, wide), sizes=("B", "L"))
    hand = Hand()
    a, b = hand.input("a", "float32", N, 2, T), hand.input("b", "float32", N, 2, 3 * T)
    one = hand.call(block, "one", [a], [(N, 2, T)], B=N, L=T)
    two = hand.call(block, "two", [b], [(N, 2, 3 * T)], B=N, L=3 * T)
    return hand.net("Sized", one, two, free=("N", "T"))


def test_attributes_are_in_the_sizes_of_the_net(tmp_path):
    net = block_with_its_own_size()
    proto = written(net, tmp_path / "sized.onnx")
    assert {"one.expand", "two.expand", "one.add", "two.add"} <= {n.name for n in proto.graph.node}
    given = {"a": np.zeros((2, 2, 5), np.float32), "b": np.zeros((2, 2, 15), np.float32)}
    one, two = run(tmp_path / "sized.onnx", **given)
    bias = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    np.testing.assert_array_equal(one, np.broadcast_to(bias["one.bias"], (2, 2, 5)))
    np.testing.assert_array_equal(two, np.broadcast_to(bias["two.bias"], (2, 2, 15)))


def deep(layers):
    hand = Hand()
    x = hand.input("x", "float32", N, 8)
    for i in range(layers // 2):
        x = hand.apply("relu", hand.apply("Linear", x, path=f"fc{i}", out_features=8))
    return hand.net("Deep", x)


def test_time_is_linear_in_the_nodes():
    few, many = deep(100), deep(800)
    to_onnx(few)  # what is looked up once
    assert lines_run(lambda: to_onnx(many)) < 8.5 * lines_run(lambda: to_onnx(few))


EMIT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from handmade import Hand
from netc.backends.onnx_file import write_onnx
from netc.backends.to_onnx import to_onnx
from netc.backends.weights import Drawn
from netc.passes.initial import state

hand = Hand()
x = hand.input("x", "float32", 2, 3)
net = hand.net("One", hand.apply("Linear", x, path="fc", out_features=4))
write_onnx(Path(sys.argv[2]), to_onnx(net), Drawn(state(net)))
assert not {"onnx", "torch", "onnxruntime", "lark"} & set(sys.modules)
import onnx
assert onnx.load(sys.argv[2]).graph.name == "One"
"""


def test_only_the_message_classes_of_onnx_are_imported(tmp_path):
    subprocess.run(
        [sys.executable, "-c", EMIT, str(Path(__file__).parent), str(tmp_path / "one.onnx")], check=True
    )


UNET = """
import sys
from pathlib import Path
from netc.backends.onnx_file import write_onnx
from netc.backends.to_onnx import to_onnx
from netc.backends.weights import Drawn, write_safetensors
from netc.passes.elaborate import elaborate
from netc.passes.initial import state
from netc.passes.load import load

net = elaborate(load(sys.argv[1], lambda path: Path(path).read_bytes()), "UNet", {"width": 4})
table, folder = state(net), Path(sys.argv[2])
write_onnx(folder / "unet.onnx", to_onnx(net), Drawn(table))
write_safetensors(folder / "unet.safetensors", table, Drawn(table), "{}")
"""


def test_other_processes_write_the_same_bytes(tmp_path):
    spec = Path(__file__).parents[1] / "specs" / "unet.net"
    for seed in ("0", "1"):
        command = [sys.executable, "-c", UNET, str(spec), str(tmp_path / seed)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed})
    for name in ("unet.onnx", "unet.safetensors"):
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "1" / name).read_bytes()
    onnx.checker.check_model(str(tmp_path / "0" / "unet.onnx"), full_check=True)
