"""Weights in ONNX files: laid out as the graph reads them, each element once, and all of them recovered to the bit."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from emitted import RIGHT, ROOT, net_of, sizes_of, written
from handmade import Hand
from onnx import numpy_helper

from netc.backends.onnx_file import write_onnx
from netc.backends.onnx_parameters import read_parameters
from netc.backends.onnx_proto import protobuf
from netc.backends.to_onnx import to_onnx
from netc.backends.to_onnx_training import to_onnx_training
from netc.backends.weights import Drawn, Held, opened_weights, write_safetensors
from netc.ops.contract import Init
from netc.passes.elaborate import elaborate
from netc.passes.initial import state
from netc.passes.load import load
from netc.passes.recipe import Chosen

SPECS = {  # the smallest net of each spec
    "alexnet": "AlexNet", "char": "CharTransformer", "densenet": "DenseNet121", "digits": "DigitsCNN",
    "googlenet": "GoogLeNet", "lenet": "LeNet5", "mobilenet_v2": "MobileNetV2", "perceptron": "Perceptron",
    "resnet": "ResNet18", "resnet_cifar": "ResNetNarrow", "siamese": "Siamese", "unet": "UNet", "vit": "ViTTiny",
}  # fmt: skip
LISTED = [*SPECS.items(), ("char", "CharLSTM"), *((path.stem, None) for path in RIGHT)]
SGD = Chosen("sgd", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0, "nesterov": False})


def random_weights(table):
    """Starting values, those that are 0 or 1 otherwise being random, too."""
    drawn = dict(zip(table, Drawn(table).pieces(list(table)), strict=True))
    random = np.random.default_rng(0)
    return {
        name: random.uniform(0.5, 1.5, a.shape).astype(a.dtype) if a.size and (a == a.flat[0]).all() else a
        for name, a in drawn.items()
    }


def listed(stem, name):
    folder = ROOT / "specs" if name else ROOT / "tests" / "soundness" / "right"
    return net_of(folder / f"{stem}.net", name)


def small_vgg():
    """VGG16 on pictures of 32 x 32: a quarter of its weights."""
    program = load(str(ROOT / "specs" / "vgg.net"), lambda path: Path(path).read_bytes())
    return elaborate(program, "VGG16", {"side": 32})


def compiled(net, path, weights=None, opset=20):
    write_onnx(path, to_onnx(net, opset), weights or Drawn(state(net)))
    return onnx.load(path)


def facts(model):
    (entry,) = model.metadata_props
    return json.loads(entry.value)


def stored(model):
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def assert_recovered(net, path, weights):
    """That the file holds each parameter of the outputs as `weights` has it."""
    found = read_parameters(path, state(net))
    for name, values in found.items():
        assert values.dtype == weights[name].dtype and values.shape == weights[name].shape, name
        assert values.tobytes() == weights[name].tobytes(), name
    return found


@pytest.mark.parametrize(("stem", "name"), LISTED, ids=lambda value: str(value))
def test_parameters_are_recovered_to_the_bit(stem, name, tmp_path):
    net = listed(stem, name)
    weights = random_weights(state(net))
    model = compiled(net, tmp_path / "a.onnx", Held(weights))
    found = assert_recovered(net, tmp_path / "a.onnx", weights)
    params = {".".join(path): param for path, param in to_onnx(net).located.flat.params.items()}
    needed = {
        name for name in params if not name.endswith("num_batches_tracked")
    }  # which only training reads
    assert needed == found.keys()
    # each element once: nothing but parameters and constants lies in the file
    sizes = sum(a.size for n, a in stored(model).items() if not n.startswith("constant/"))
    assert sizes == sum(found[name].size for name in needed)


def test_parameters_of_vgg_are_recovered_to_the_bit(tmp_path):
    net = small_vgg()
    write_onnx(tmp_path / "a.onnx", to_onnx(net), Drawn(state(net)))
    names = list(state(net))
    weights = dict(zip(names, Drawn(state(net)).pieces(names), strict=True))
    assert assert_recovered(net, tmp_path / "a.onnx", weights).keys() == weights.keys()


def test_a_wrong_layout_is_noticed(tmp_path):
    """The comparison above can fail: with the first part's axes exchanged, or its start."""
    net = listed("char", "CharTransformer")
    weights = random_weights(state(net))
    path = tmp_path / "a.onnx"
    model = compiled(net, path, Held(weights))
    layouts = facts(model)["layouts"]
    attention = next(name for name in layouts if name.endswith("in_proj_weight"))
    for key, value in (("axes", [0, 1]), ("initializer", layouts[attention]["parts"][1]["initializer"])):
        wrong = json.loads(model.metadata_props[0].value)
        wrong["layouts"][attention]["parts"][0][key] = value
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        changed.metadata_props[0].value = json.dumps(wrong)
        onnx.save(changed, path)
        with pytest.raises(AssertionError):
            assert_recovered(net, path, weights)


@pytest.mark.parametrize("limit", [2**31 - 1, 1000])
def test_weights_of_a_file_are_laid_out(limit, tmp_path):
    """Also where the weights lie beside the graph."""
    net = listed("char", "CharLSTM")
    weights = random_weights(state(net))
    write_safetensors(tmp_path / "w.safetensors", state(net), Held(weights), "{}")
    with opened_weights(tmp_path / "w.safetensors", state(net)) as source:
        write_onnx(tmp_path / "a.onnx", to_onnx(net), source, limit=limit)
    assert (tmp_path / "a.onnx.data").exists() == (limit == 1000)
    assert_recovered(net, tmp_path / "a.onnx", weights)
    text = np.arange(64).reshape(2, 32)
    compiled(net, tmp_path / "b.onnx", Held(weights))
    found, wanted = (
        onnxruntime.InferenceSession(str(tmp_path / name)).run(None, {"text": text})[0]
        for name in ("a.onnx", "b.onnx")
    )
    np.testing.assert_array_equal(found, wanted)


# -- what is stored, and under which name ---------------------------------------------------------------


def graph_of(text, path, opset=20):
    net = written(text)
    return compiled(net, path / "a.onnx", opset=opset)


def kinds(model):
    return [node.op_type for node in model.graph.node]


def names(model):
    return [t.name for t in model.graph.initializer if not t.name.startswith("constant/")]


def test_a_linear_layer_on_tokens_reads_its_weight(tmp_path):
    model = graph_of("net A {\n input x: float32[N, 3, 4]\n output x -> fc: Linear(5)\n}", tmp_path)
    assert kinds(model) == ["MatMul", "Add"] and names(model) == ["fc.weight/MatMul", "fc.bias"]
    assert facts(model)["layouts"] == {
        "fc.weight": {
            "shape": [5, 4],
            "parts": [
                {"initializer": "fc.weight/MatMul", "box": [[0, 5], [0, 4]], "axes": [1, 0], "start": [0, 0]}
            ],
        }
    }


def test_a_linear_layer_on_rows_keeps_its_weight(tmp_path):
    model = graph_of("net A {\n input x: float32[N, 4]\n output x -> fc: Linear(5)\n}", tmp_path)
    assert kinds(model) == ["Gemm"] and names(model) == ["fc.weight", "fc.bias"]
    assert "layouts" not in facts(model)


def test_attention_reads_three_weights(tmp_path):
    text = "net A {\n input x: float32[N, 3, 4]\n output (x, x, x) -> attn: MultiheadAttention(2)\n}"
    model = graph_of(text, tmp_path)
    parts = [f"attn.in_proj_{kind}/{i}" for kind in ("weight/MatMul", "bias/Add") for i in range(3)]
    assert names(model) == [*parts, "attn.out_proj.weight/MatMul", "attn.out_proj.bias"]
    assert "Split" not in kinds(model)


@pytest.mark.parametrize("opset", [17, 20, 23])
@pytest.mark.parametrize("layer", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("bidirectional", ["true", "false"])
def test_recurrent_layers_read_their_weights(layer, bidirectional, opset, tmp_path):
    rest = "h, c" if layer == "LSTM" else "h"
    text = f"net A {{\n input x: float32[N, 3, 4]\n y, {rest} = x -> r: {layer}(5, bidirectional={bidirectional})\n output y\n}}"
    model = graph_of(text, tmp_path, opset)
    assert set(kinds(model)) <= {layer, "Transpose", "Squeeze", "Reshape"}
    assert names(model) == [f"r.{kind}_l0/{layer}" for kind in ("weight_ih", "weight_hh", "bias_ih")]


TIED = """net A {
    input x: int64[N, 4]
    embed = Embedding(7, 3)
    output (x -> embed) @ transpose(embed.weight, 0, 1)
}"""


def test_a_weight_that_is_read_in_two_layouts_is_stored_once(tmp_path):
    model = graph_of(TIED, tmp_path)
    assert kinds(model) == ["Gather", "Transpose", "MatMul"] and names(model) == ["embed.weight"]


def test_a_weight_that_two_layers_read_alike_is_stored_once(tmp_path):
    text = "net A {\n input x: float32[N, 3, 4]\n fc = Linear(4)\n output x -> fc -> relu -> fc\n}"
    model = graph_of(text, tmp_path)
    assert kinds(model).count("Transpose") == 0 and names(model) == ["fc.weight/MatMul", "fc.bias"]


@pytest.mark.parametrize(
    ("expression", "nodes"),
    [
        ("x + w[0:3]", ["Slice", "Add"]),  # the rest is not read
        ("x + w[0:3] + w[3:6]", ["Add", "Add"]),
        ("x + w[0:3] + w[2:5] + w[5:6]", ["Slice"] * 3 + ["Add"] * 3),  # a row is read twice
        ("x + w[::2] + w[1::2]", ["Slice"] * 2 + ["Add"] * 2),  # not boxes
        ("x + concat(w, w, axis=0)[0:3]", ["Concat", "Slice", "Add"]),
        (
            "x + concat(w[3:6], w[0:3], axis=0)[0:3] + w[3:6]",
            ["Slice"] * 4 + ["Concat"] + ["Add"] * 2,
        ),
        ("x + reshape(w, 3, 2)[:, 0:1] + reshape(w, 3, 2)[:, 1:2]", None),
    ],
)
def test_a_parameter_that_is_not_read_in_boxes_stays(expression, nodes, tmp_path):
    text = f"net A {{\n input x: float32[3, 1]\n param w: [6, 1] = normal\n output {expression}\n}}"
    model = graph_of(text, tmp_path)
    if nodes is None:
        assert names(model) == ["w"]
    else:
        assert sorted(kinds(model)) == sorted(nodes)
    assert_recovered(
        written(text),
        tmp_path / "a.onnx",
        dict(zip(["w"], Drawn(state(written(text))).pieces(["w"]), strict=True)),
    )


def test_weights_that_are_trained_keep_their_layout(tmp_path):
    text = """net A {
    input x: float32[N, 3, 4]
    target t: float32[N, 3, 4]
    y = (x, x, x) -> attn: MultiheadAttention(2)
    output y
    loss mse(y, t)
}"""
    model = to_onnx_training(written(text), SGD)
    inputs = {value.name for value in model.proto.graph.input}
    assert {"attn.in_proj_weight", "attn.out_proj.weight"} <= inputs
    assert not model.initializers and "layouts" not in facts(model.proto)


def test_an_output_that_is_a_weight_laid_out_anew_stays_computed(tmp_path):
    hand = Hand()
    w = hand.param("w", "float32", (2, 3), Init("normal", 0.0, 1.0))
    x = hand.input("x", "float32", 3)
    turned = hand.apply("transpose", w, dim0=0, dim1=1, hint="turned")
    net = hand.net("Turned", turned, hand.apply("relu", x))
    model = compiled(net, tmp_path / "a.onnx")
    found = onnxruntime.InferenceSession(str(tmp_path / "a.onnx")).run(None, {"x": np.zeros(3, "f")})[0]
    np.testing.assert_array_equal(found, stored(model)["w"].T)


# -- random rearrangements, against onnxruntime ---------------------------------------------------------


def random_moves(random, values, shapes):
    """Nodes that rearrange what `values` names, until some are left; gives nodes, constants and the names left."""
    helper, nodes, constants, left = onnx.helper, [], [], dict(zip(values, shapes, strict=True))

    def numbers(values):
        constants.append(numpy_helper.from_array(np.asarray(values, np.int64), f"c{len(constants)}"))
        return constants[-1].name

    for step in range(random.integers(1, 8)):
        name = list(left)[random.integers(len(left))]
        shape = left.pop(name)
        rank, out = len(shape), f"v{step}"
        axis = int(random.integers(rank))
        kind = random.choice(["Transpose", "Split", "Unsqueeze", "Squeeze", "Concat", "Slice", "Reshape"])
        if kind == "Transpose":
            perm = random.permutation(rank).tolist()
            nodes.append(helper.make_node(kind, [name], [out], perm=perm))
            left[out] = tuple(shape[a] for a in perm)
        elif kind == "Split" and shape[axis] > 1:
            cut = int(random.integers(1, shape[axis]))
            sizes = (cut, shape[axis] - cut)
            nodes.append(helper.make_node(kind, [name, numbers(sizes)], [out, out + "b"], axis=axis - rank))
            for made, size in zip((out, out + "b"), sizes, strict=True):
                left[made] = (*shape[:axis], size, *shape[axis + 1 :])
        elif kind == "Slice" and shape[axis] > 1:
            cut = int(random.integers(1, shape[axis]))
            for made, start, end in ((out, 0, cut), (out + "b", cut - shape[axis], 2**31)):
                nodes.append(helper.make_node(kind, [name, *map(numbers, ([start], [end], [axis]))], [made]))
            left[out] = (*shape[:axis], cut, *shape[axis + 1 :])
            left[out + "b"] = (*shape[:axis], shape[axis] - cut, *shape[axis + 1 :])
        elif kind == "Unsqueeze" and rank < 5:
            nodes.append(helper.make_node(kind, [name, numbers([axis])], [out]))
            left[out] = (*shape[:axis], 1, *shape[axis:])
        elif kind == "Squeeze" and shape[axis] == 1 and rank > 1:
            nodes.append(helper.make_node(kind, [name, numbers([axis - rank])], [out]))
            left[out] = (*shape[:axis], *shape[axis + 1 :])
        elif kind == "Reshape":
            made = (1, *(n for n in shape if n != 1), 1)
            nodes.append(helper.make_node(kind, [name, numbers(made)], [out]))
            left[out] = made
        elif kind == "Concat" and any(s == shape for s in left.values()):
            other = next(n for n, s in left.items() if s == shape)
            left.pop(other)
            nodes.append(helper.make_node(kind, [name, other], [out], axis=axis))
            left[out] = (*shape[:axis], 2 * shape[axis], *shape[axis + 1 :])
        else:
            left[name] = shape
    return nodes, constants, left


@pytest.mark.parametrize("seed", range(60))
def test_random_rearrangements(seed):
    from netc.backends.onnx_layout import lay_out_parameters
    from netc.backends.onnx_parameters import values_of
    from netc.backends.to_onnx import OnnxModel
    from netc.ir.module import Param, Type

    random = np.random.default_rng(seed)
    shapes = [(4, 6), (4, 6), (2, 3, 4)]
    arrays = {n: random.standard_normal(s).astype("f") for n, s in zip("abc", shapes, strict=True)}
    nodes, constants, left = random_moves(random, list(arrays), shapes)
    nodes += [onnx.helper.make_node("Neg", [name], [f"out_{name}"]) for name in left]
    outputs = [onnx.helper.make_tensor_value_info(f"out_{n}", 1, s) for n, s in left.items()]
    graph = onnx.helper.make_graph(nodes, "moves", [], outputs, constants)

    def run(graph, values):
        for name, array in values.items():
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)
        return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {})

    plain = onnx.GraphProto()
    plain.CopyFrom(graph)
    wanted = run(plain, arrays)
    params = {
        n: Param(n, Type("float32", s), (n,), Init("zeros")) for n, s in zip("abc", shapes, strict=True)
    }
    initializers = lay_out_parameters(graph, params, lambda name: name)
    assert [n.op_type for n in graph.node] == ["Neg"] * len(left)
    model = OnnxModel(protobuf().ModelProto(), params, initializers, None, ())
    values = values_of(model, Held(arrays), list(initializers))
    found = run(graph, dict(zip(initializers, values, strict=True)))
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


# -- the graph around them ------------------------------------------------------------------------------


def fed(model, sizes):
    """Inputs of a model, at these sizes."""
    random = np.random.default_rng(0)
    kinds = {1: "float32", 7: "int64", 6: "int32", 9: "bool", 11: "float64"}
    found = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        shape = [d.dim_value or sizes[d.dim_param] for d in tensor.shape.dim]
        kind = kinds[tensor.elem_type]
        found[value.name] = (
            random.standard_normal(shape) if kind.startswith("float") else random.integers(0, 2, shape)
        ).astype(kind)
    return found


def shapes_said(model):
    """What value_info says of each value: numbers, and names of free sizes."""
    return {
        v.name: [d.dim_value or d.dim_param for d in v.type.tensor_type.shape.dim]
        for v in model.graph.value_info
    }


@pytest.mark.parametrize("opset", [17, 20, 23])
@pytest.mark.parametrize(("stem", "name"), LISTED, ids=lambda value: str(value))
def test_graphs_are_lean_and_described(stem, name, opset):
    net = listed(stem, name)
    model = onnx.load_from_string(to_onnx(net, opset).proto.SerializeToString())
    graph = model.graph
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    assert all(read.intersection(node.output) for node in graph.node)
    assert all(tensor.name in read for tensor in graph.initializer)
    outputs = {value.name for value in graph.output}
    assert all(outputs.issuperset(node.output) for node in graph.node if node.op_type == "Identity")
    made = {name for node in graph.node for name in node.output}
    said = shapes_said(model)
    assert said.keys() <= made - outputs
    ops = {".".join(n.path) for n in to_onnx(net).located.flat.nodes if n.path is not None}
    assert {name for name in made - outputs if name in ops} <= said.keys()


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_shapes_are_those_of_onnxruntime(path, tmp_path):
    net = net_of(path)
    model = compiled(net, tmp_path / "a.onnx", Held(random_weights(state(net))))
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    sizes = sizes_of(path)
    said = shapes_said(model)
    for name in said:
        model.graph.output.add().name = name
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    found = dict(
        zip((o.name for o in session.get_outputs()), session.run(None, fed(model, sizes)), strict=True)
    )
    for name, shape in said.items():
        assert [sizes.get(d, d) for d in shape if isinstance(d, int) or d in sizes] == [
            n for n, d in zip(found[name].shape, shape, strict=True) if isinstance(d, int) or d in sizes
        ], name


@pytest.mark.parametrize("stem", ["char", "vit", "resnet", "densenet", "googlenet", "mobilenet_v2", "unet"])
def test_strict_shape_inference_agrees(stem, tmp_path):
    net = listed(stem, SPECS[stem])
    model = compiled(net, tmp_path / "a.onnx")
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)


def test_a_large_weight_is_turned_in_little_memory(tmp_path):
    text = "net A {\n input x: float32[N, 3, 2048]\n output x -> Linear(8192, bias=false)\n}"
    net = written(text)
    weights = Held({name: np.ones((8192, 2048), np.float32) for name in state(net)})
    model = to_onnx(net)
    tracemalloc.start()
    try:
        write_onnx(tmp_path / "a.onnx", model, weights)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20  # of 64 MB
