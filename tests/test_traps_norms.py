"""Where normalisation, resizing, dropout and look-ups differ between frameworks: netc's numpy, torch and ONNX agree."""

from itertools import product

import numpy as np
import pytest
import torch
from emitted import loaded, made, written
from op_case import case_of
from op_driver import OPSETS, check_dtype, check_onnx, check_torch
from op_graph import Graph, run_model
from op_torch import check_module, render
from torch import nn
from torch.nn import functional as F

from netc.autodiff.interpret import interpret
from netc.autodiff.training import training
from netc.backends.to_torch import to_torch
from netc.diagnostics import Refused
from netc.ops.attributes import bind
from netc.ops.contract import OPS, Mismatch, Operand, given, integers, sample
from netc.ops.resize_taps import nearest, rounds_alike
from netc.passes.initial import draw, state
from netc.passes.inline import inline
from netc.passes.locate import locate


def numpy_of(name, *operands, **attributes):
    """What the op makes of operands and parameters, in numpy."""
    return bind(OPS[name], (), attributes).forward(*map(np.asarray, operands))


def agree(name, *draws, **attributes):
    """netc's numpy, torch's function and layer, and onnxruntime at every opset give the same."""
    application = sample(*draws, **attributes)
    for check in (check_torch, check_module, check_onnx):
        check(OPS[name], application)


def nodes_of(name, *draws, opset=20, **attributes):
    """The ONNX nodes of the op."""
    case = case_of(OPS[name], sample(*draws, **attributes), "float32")
    shapes = zip((*case.names, *case.params), case.arrays, strict=True)
    operands = [Operand.of(n, x.shape, str(x.dtype)) for n, x in shapes]
    graph = Graph(opset, operands)
    case.op.onnx(graph, *operands)
    return {node.op_type: {a.name: a for a in node.attribute} for node in graph.nodes}


def refused(name, *shapes, **attributes):
    with pytest.raises(Mismatch) as found:
        bind(OPS[name], (), attributes).shape(*shapes)
    return found.value.message


# -- resizing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_trap_16_resizing_to_a_single_element_takes_the_centre(mode):
    x = np.array([[[[0.0, 1.0, 5.0], [2.0, 3.0, 7.0], [4.0, 9.0, 8.0]]]])
    assert numpy_of("interpolate", x, size=(1,), mode=mode) == pytest.approx(3.0)
    assert numpy_of("interpolate", x, size=(1,), mode=mode, align_corners=True) == pytest.approx(0.0)
    for corners in (False, True):
        agree("interpolate", (2, 3, 3, 5), size=1, mode=mode, align_corners=corners)
        agree("interpolate", (1, 2, 1, 1), size=[2, 3], mode=mode, align_corners=corners)
        agree("interpolate", (1, 2, 4, 3), size=[7, 5], mode=mode, align_corners=corners)


def test_trap_17_nearest_rounds_down_and_nearest_exact_takes_the_middle():
    x = np.arange(5.0).reshape(1, 1, 5)
    assert numpy_of("interpolate", x, size=(3,)).ravel().tolist() == [0, 1, 3]
    assert numpy_of("interpolate", x, size=(3,), mode="nearest-exact").ravel().tolist() == [0, 2, 4]
    for mode in ("nearest", "nearest-exact"):
        for size in ([3, 4], [10, 6], [5, 7], [2, 9]):
            agree("interpolate", (1, 2, 5, 6), size=size, mode=mode)


@pytest.mark.parametrize(
    ("n", "out", "mode"), [(2, 82, "nearest"), (3, 123, "nearest"), (2, 41, "nearest-exact")]
)
def test_trap_17_sizes_that_torch_rounds_either_way_are_refused(n, out, mode):
    x = torch.arange(float(n), dtype=torch.float64).reshape(1, 1, n)
    line = F.interpolate(x, size=out, mode=mode)[0, 0]
    row = F.interpolate(x[:, :, None], size=(1, out), mode=mode)[0, 0, 0]
    assert not torch.equal(line, row), "a map of one row is resized as a line is: the refusal may go"
    assert "PyTorch rounds" in refused("interpolate", (1, 1, n), size=(out,), mode=mode)


def test_trap_17_sizes_taken_are_resized_alike_by_every_kernel_of_torch():
    sizes = [(n, out) for n in (1, 2, 3, 5, 7, 12, 30) for out in range(1, 70)]
    for mode in ("nearest", "nearest-exact"):
        taken = [pair for pair in sizes if rounds_alike(mode, *pair)]
        assert len(taken) > 0.9 * len(sizes)
        for (n, out), dtype in product(taken, (torch.float32, torch.float64)):
            x = torch.arange(n, dtype=dtype).reshape(1, 1, n)
            found = [
                F.interpolate(x, size=out, mode=mode),
                F.interpolate(x[:, :, None], size=(1, out), mode=mode),
            ]
            found.append(F.interpolate(x[:, :, None, None], size=(1, 1, out), mode=mode))
            assert {tuple(y.ravel().int().tolist()) for y in found} == {tuple(nearest(mode, n, out))}


@pytest.mark.parametrize(("factor", "mode"), [(41, "nearest"), (49, "nearest")])
def test_trap_17_a_free_axis_grows_by_factors_that_floats_divide_exactly(factor, mode):
    spec = "net A {{\n input x: float32[N, 1, L]\n output interpolate(x, scale_factor={}, mode={!r})\n}}\n"
    assert "L" in written(spec.format(3, mode).replace("'", '"')).free
    with pytest.raises(Refused):
        written(spec.format(factor, mode).replace("'", '"'))


def test_trap_18_a_factor_that_cuts_a_size_down_is_refused():
    x = torch.arange(7.0).reshape(1, 1, 7)
    by_factor = F.interpolate(x, scale_factor=0.6, mode="linear")
    by_size = F.interpolate(x, size=4, mode="linear")
    assert by_factor.shape == by_size.shape and not torch.allclose(by_factor, by_size)
    assert "give a size" in refused("interpolate", (1, 1, 7), scale_factor=(0.6,), mode="linear")
    assert np.allclose(numpy_of("interpolate", x.numpy(), size=(4,), mode="linear"), by_size)
    agree("interpolate", (2, 3, 7), size=4, mode="linear")
    agree("interpolate", (2, 3, 10), scale_factor=0.7, mode="linear")


def test_trap_19_the_cubic_kernel_is_that_of_minus_three_quarters():
    impulse = np.eye(9)[4].reshape(1, 1, 1, 9)
    y = numpy_of("interpolate", impulse, size=(1, 18), mode="bicubic").ravel()
    a, d = -0.75, 0.75  # position 7 is 0.75 before the impulse
    assert y[7] == pytest.approx((a + 2) * d**3 - (a + 3) * d**2 + 1)
    assert (
        nodes_of("interpolate", (1, 1, 4, 9), size=[4, 18], mode="bicubic")["Resize"]["cubic_coeff_a"].f == a
    )
    agree("interpolate", (1, 2, 4, 5), size=[9, 3], mode="bicubic")


# -- normalisation --------------------------------------------------------------------------------------


def batch_norm(x, momentum, old_mean=0.5, old_var=2.0):
    """The buffers of a BatchNorm2d of one channel after a training step."""
    op = bind(OPS["BatchNorm2d"], (), {"momentum": momentum, "affine": False})
    return op.training(x, np.array([old_mean]), np.array([old_var]), np.asarray(3))[1]


def test_trap_20_momentum_is_the_share_of_the_batch():
    x = np.random.default_rng(0).normal(size=(2, 1, 2, 4))
    assert batch_norm(x, 0.1)["running_mean"] == pytest.approx(0.9 * 0.5 + 0.1 * x.mean())
    layer = nn.BatchNorm2d(1, affine=False, momentum=0.1).double()
    layer.running_mean.fill_(0.5)
    layer(torch.tensor(x))
    assert batch_norm(x, 0.1)["running_mean"] == pytest.approx(layer.running_mean.numpy())
    attributes = nodes_of("BatchNorm2d", (2, 1, 2, 4), momentum=0.1)["BatchNormalization"]
    assert attributes["momentum"].f == pytest.approx(0.9)


def test_trap_20_no_momentum_is_the_average_of_all_batches():
    x = np.random.default_rng(0).normal(size=(2, 1, 2, 4))
    after = batch_norm(x, None)
    assert after["running_mean"] == pytest.approx(0.75 * 0.5 + 0.25 * x.mean())
    assert after["num_batches_tracked"] == 4


def test_trap_21_running_variance_is_unbiased_and_normalisation_biased():
    x = np.random.default_rng(0).normal(size=(2, 1, 2, 4))
    assert batch_norm(x, 1.0)["running_var"] == pytest.approx(x.var(ddof=1))
    op = bind(OPS["BatchNorm2d"], (), {"affine": False, "eps": 0.0})
    y = op.training(x, np.zeros(1), np.ones(1), np.asarray(0))[0]
    assert y.var() == pytest.approx(1.0)
    layer = nn.BatchNorm2d(1, affine=False, momentum=1.0).double()
    layer(torch.tensor(x))
    assert batch_norm(x, 1.0)["running_var"] == pytest.approx(layer.running_var.numpy())


def test_trap_21_training_mode_is_not_exported():
    for opset in OPSETS:
        attributes = nodes_of("BatchNorm2d", (2, 3, 2, 4), opset=opset)["BatchNormalization"]
        assert attributes["training_mode"].i == 0


def test_trap_22_epsilon_is_explicit():
    for name, shape in (("BatchNorm1d", (2, 3)), ("LayerNorm", (2, 3)), ("InstanceNorm1d", (2, 3, 4))):
        assert bind(OPS[name], (), {}).eps == 1e-5
        written_out = [a["epsilon"].f for a in nodes_of(name, shape).values() if "epsilon" in a]
        assert written_out == [pytest.approx(1e-5)]


def test_trap_22_rms_norm_has_the_epsilon_of_float32():
    op = bind(OPS["RMSNorm"], (), {})
    assert op.eps == np.finfo("float32").eps
    assert render(op.module((2, 3))) == "nn.RMSNorm(3, eps=1.1920928955078125e-07)"
    small = torch.full((2, 3), 1e-4)
    torch.testing.assert_close(eval(render(op.module((2, 3))))(small), nn.RMSNorm(3)(small))
    agree("RMSNorm", (2, 3))


@pytest.mark.parametrize(("name", "shape"), [("BatchNorm1d", (1, 3)), ("BatchNorm2d", (1, 3, 1, 1))])
def test_trap_23_training_on_one_value_a_channel_is_refused(name, shape):
    case = case_of(OPS[name], sample(shape))
    with pytest.raises(Mismatch, match="more than one value per channel"):
        case.op.training(*case.arrays)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        getattr(nn, name)(3)(torch.zeros(shape))
    agree(name, shape)


def test_trap_23_a_net_that_cannot_be_trained_is_refused_where_it_stands():
    spec = "net A {\n input x: float32[1, 3]\n target t: float32[1, 3]\n y = BatchNorm1d()(x)\n"
    net = written(f"{spec} output y\n loss mse(y, t)\n}}\n")
    with pytest.raises(Refused) as refusal:
        training(locate(net, tuple(net.losses.values())), {})
    (found,) = refusal.value.diagnostics
    assert (
        found.code == "E0401" and "more than one value per channel" in found.message and found.span.line == 4
    )


def test_trap_24_layer_norm_counts_its_axes_from_the_end():
    for opset in OPSETS:
        assert nodes_of("LayerNorm", (2, 3, 4), axes=2, opset=opset)["LayerNormalization"]["axis"].i == -2
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    y = numpy_of("LayerNorm", x, axes=2, affine=False, eps=0.0)
    assert np.allclose(y.mean((1, 2)), 0) and np.allclose(y.var((1, 2)), 1)
    agree("LayerNorm", (2, 3, 4), axes=2)


def test_trap_24_group_norm_scales_each_channel_at_every_opset():
    for opset in OPSETS:
        found = nodes_of("GroupNorm", (2, 4, 3), num_groups=2, opset=opset)
        assert ("GroupNormalization" in found) == (opset >= 21), "before, its scale is one a group"
    agree("GroupNorm", (2, 4, 3, 5), num_groups=2)
    agree("GroupNorm", (2, 6, 5), num_groups=3)


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("LayerNorm", {"affine": False}),
        ("GroupNorm", {"num_groups": 1, "affine": False}),
        ("InstanceNorm1d", {}),
    ],
)
def test_trap_25_normalisation_divides_by_the_biased_variance(name, attributes):
    x = np.array([[[1.0, 2.0]]])
    assert np.allclose(numpy_of(name, x, eps=0.0, **attributes), [[[-1.0, 1.0]]])
    agree(name, (2, 3, 4), **attributes | ({"num_groups": 3} if name == "GroupNorm" else {}))


def test_trap_26_instance_norm_of_single_elements_is_refused():
    for rank in (1, 2, 3):
        name, shape = f"InstanceNorm{rank}d", (2, 3, *(1,) * rank)
        assert "single value" in refused(name, shape)
        with pytest.raises(ValueError, match="more than 1 spatial element"):
            getattr(nn, name)(3)(torch.zeros(shape))
    spec = "net A {\n input x: float32[N, 3, H, W]\n output InstanceNorm2d()(x)\n}\n"
    assert written(spec).facts["W"].minimum == 2


def test_trap_26_a_map_without_variance_gives_the_bias():
    flat = given(
        ((2.0, 2.0, 2.0), (-1.0, -1.0, -1.0)),
    )
    agree("InstanceNorm1d", flat, affine=True, eps=0.01)
    x = np.full((1, 2, 3), 7.0)
    assert np.array_equal(numpy_of("InstanceNorm1d", x), np.zeros((1, 2, 3)))


# -- dtypes, look-ups, dropout --------------------------------------------------------------------------

FAMILY = (
    "BatchNorm1d BatchNorm2d BatchNorm3d LayerNorm RMSNorm GroupNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d "
    "local_response_norm Linear Bilinear interpolate pixel_shuffle pixel_unshuffle dropout dropout2d drop_path"
).split()


@pytest.mark.parametrize("name", FAMILY)
def test_trap_44_floats_keep_their_precision(name):
    application = next(s for s in OPS[name].samples if not s.rejects)
    check_dtype(OPS[name], application)
    check_torch(OPS[name], application)  # which looks at torch's dtypes, too


LOOK_UP = "net A {\n input x: int64[N]\n y = x -> table: Embedding(4, 3)\n output y\n}\n"


def test_trap_62_an_embedding_refuses_indices_out_of_range_and_onnx_counts_negative_ones_from_the_end():
    net = written(LOOK_UP)
    weights = {name: draw(name, param, 0) for name, param in state(net).items()}
    flat, module = inline(net), loaded(net, weights)
    table = weights["table.weight"]
    right = np.array([3, 0])
    assert np.array_equal(interpret(flat, {"x": right}, weights)[0], table[right])
    assert np.array_equal(module(torch.tensor(right)).detach().numpy(), table[right])
    for wrong in (-1, 4):
        with pytest.raises(Refused, match="a position that is not there"):
            interpret(flat, {"x": np.array([wrong])}, weights)
        with pytest.raises(IndexError):
            module(torch.tensor([wrong]))
    assert np.array_equal(looked_up(table, -1), table[[-1]]), "the one difference, which the op's text states"
    with pytest.raises(Exception, match="out of data bounds"):
        looked_up(table, 4)
    assert "negative" in OPS["Embedding"].__doc__


def looked_up(table, index):
    """What onnxruntime finds in `table`."""
    x, weight = Operand.of("x", (1,), "int64"), Operand.of("weight", table.shape, "float32")
    graph = Graph(20, [x, weight])
    y = bind(OPS["Embedding"], (), {"num_embeddings": 4, "embedding_dim": 3}).onnx(graph, x, weight)
    model = graph.model([(y, (1, 3), "float32")])
    return run_model(model, {"x": np.array([index]), "weight": table})[0]


def test_trap_62_the_padding_row_starts_at_zero_and_stays():
    net = written(LOOK_UP.replace("4, 3", "4, 3, padding_idx=-1"))
    (param,) = state(net).values()
    start = draw("table.weight", param, 0)
    assert np.array_equal(start[3], np.zeros(3)) and np.all(start[:3] != 0)
    op = bind(OPS["Embedding"], (), {"num_embeddings": 4, "embedding_dim": 3, "padding_idx": -1})
    gradient = op.vjp(np.ones((3, 3)), None, np.array([3, 1, 3]), start)[1]
    assert gradient.tolist() == [[0] * 3, [1] * 3, [0] * 3, [0] * 3]
    agree("Embedding", integers((2, 3), 4), num_embeddings=4, embedding_dim=3, padding_idx=-1)


DROPOUTS = ("dropout", "dropout2d", "drop_path")


@pytest.mark.parametrize("name", DROPOUTS)
def test_trap_67_dropout_is_the_identity_in_evaluation(name):
    agree(name, (2, 3, 4, 5), p=0.7)
    net = written(f"net A {{\n input x: float32[N, 3, 4, 5]\n output {name}(x, 0.7)\n}}\n")
    x = torch.randn(2, 3, 4, 5)
    assert torch.equal(made(net)(x), x)


@pytest.mark.parametrize("name", DROPOUTS)
@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
def test_trap_67_dropout_scales_by_what_it_keeps_and_drops_all_at_one(name, p):
    op = bind(OPS[name], (), {"p": p})
    x = np.random.default_rng(0).normal(size=(40, 3, 2, 2))
    noise = op.noise(x.shape)
    assert noise.keep == 1 - p
    y = op.training(x, np.full(noise.shape, float(noise.keep > 0)))[0]
    assert np.allclose(y, x / (1 - p) if p < 1 else 0)
    torch.manual_seed(0)
    net = written(f"net A {{\n input x: float32[N, 3, 2, 2]\n output {name}(x, {p})\n}}\n")
    found = made(net).train()(torch.tensor(x, dtype=torch.float32)).numpy()
    kept = found != 0
    assert np.allclose(found[kept], (x / (1 - p) if p < 1 else x)[kept], rtol=1e-5)
    assert abs(kept.mean() - (1 - p)) < 0.2, "so many are kept"
    assert [len(np.unique(part)) for part in masked(kept, noise.shape)] == [1] * int(np.prod(noise.shape))
    assert "training=self.training" in to_torch(net)


def masked(kept, shape):
    """The parts of an array that share an element of the mask."""
    for place in np.ndindex(*shape):
        yield kept[
            tuple(
                slice(None) if n == 1 and m > 1 else i
                for i, n, m in zip(place, shape, kept.shape, strict=True)
            )
        ]
