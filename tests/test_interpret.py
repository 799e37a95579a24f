"""The interpreter: torch's numbers in float64, without keeping what is no longer needed."""

import weakref

import numpy as np
import pytest
import torch
from handmade import Hand
from torch.nn import functional as F

from netc.autodiff.interpret import interpret
from netc.diagnostics import Refused
from netc.dims import size
from netc.ops.contract import Init
from netc.passes.initial import state
from netc.passes.inline import inline
from netc.passes.locate import locate

N, T = size("N"), size("T")


def weights_of(net, seed=0):
    rng = np.random.default_rng(seed)
    return {n: rng.uniform(0.5, 1.5, p.type.shape).astype(p.type.dtype) for n, p in state(net).items()}


def test_agrees_with_torch_in_float64():
    hand = Hand()
    x = hand.input("x", "float32", N, 3, 7, 6)
    y = hand.apply("Conv2d", x, path="conv", out_channels=4, kernel_size=3, stride=2, padding=1)
    y = hand.apply("BatchNorm2d", y, path="bn", eps=1e-3)
    y = hand.apply("add", hand.apply("relu", y), 0.1)
    top, bottom = hand.apply("split", y, split_size=2, axis=2)
    y = hand.apply("Linear", hand.apply("flatten", top), path="fc", out_features=5)
    net = hand.net("Net", hand.apply("softmax", y), bottom)
    w = {n: torch.from_numpy(a).to(torch.float64) for n, a in weights_of(net).items()}
    given = np.random.default_rng(1).standard_normal((2, 3, 7, 6)).astype(np.float32)

    z = F.conv2d(torch.from_numpy(given).double(), w["conv.weight"], w["conv.bias"], 2, 1)
    z = F.batch_norm(z, w["bn.running_mean"], w["bn.running_var"], w["bn.weight"], w["bn.bias"], eps=1e-3)
    above, below = (z.relu() + 0.1).split(2, 2)
    wanted = F.linear(above.flatten(1), w["fc.weight"], w["fc.bias"]).softmax(-1)

    first, second = interpret(inline(net), {"x": given}, weights_of(net))
    assert first.dtype == second.dtype == np.float64
    np.testing.assert_allclose(first, wanted.numpy(), rtol=1e-10)
    np.testing.assert_allclose(second, below.numpy(), rtol=1e-10)


def test_whole_numbers_and_bools_stay():
    hand = Hand()
    x = hand.input("x", "int64", N)
    net = hand.net("Whole", hand.apply("add", x, x), hand.apply("eq", x, x))
    twice, same = interpret(inline(net), {"x": np.array([1, 2**60])}, {})
    assert twice.dtype == np.int64 and twice.tolist() == [2, 2**61]
    assert same.dtype == bool


def sized():
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


def test_attributes_are_in_the_sizes_of_the_run():
    net = sized()
    located, w = locate(net), weights_of(net)
    assert [located.place(i) for i in range(4)] == ["one.expand", "one.add", "two.expand", "two.add"]
    given = {"a": np.zeros((3, 2, 5), np.float32), "b": np.zeros((3, 2, 15), np.float32)}
    one, two = interpret(located.flat, given, w)
    np.testing.assert_allclose(one, np.broadcast_to(w["one.bias"], (3, 2, 5)))
    np.testing.assert_allclose(two, np.broadcast_to(w["two.bias"], (3, 2, 15)))


def test_inputs_that_do_not_fit_are_refused():
    given = {"a": np.zeros((3, 2, 5), np.float32), "b": np.zeros((3, 2, 14), np.float32)}
    with pytest.raises(Refused, match=r"E0713.*b has shape \[3, 2, 14\]"):
        interpret(locate(sized()).flat, given, weights_of(sized()))
    with pytest.raises(Refused, match="E0713"):
        interpret(locate(sized()).flat, given | {"b": np.zeros((3, 2), np.float32)}, weights_of(sized()))


def chain(length):
    hand = Hand()
    x = hand.input("x", "float32", N)
    for _ in range(length):
        x = hand.apply("add", x, 1.0)
    return hand.net("Chain", x)


def test_the_watch_is_told_each_node_and_values_are_freed():
    net = chain(20)
    alive: list[weakref.ref] = []
    most = 0
    told = []

    def watch(index, operands, outputs):
        nonlocal most
        told.append((index, float(operands[0][0]), float(outputs[0][0])))
        alive.append(weakref.ref(outputs[0]))
        most = max(most, sum(ref() is not None for ref in alive))

    (y,) = interpret(inline(net), {"x": np.zeros(4, np.float32)}, {}, watch)
    assert told == [(i, float(i), float(i + 1)) for i in range(20)]
    assert y.tolist() == [20.0] * 4 and most <= 3


def test_an_input_that_nothing_reads_need_not_be_given():
    hand = Hand()
    x, label = hand.input("x", "float32", N), hand.input("label", "int64", N)
    net = hand.net("Net", hand.apply("relu", x), targets=[label])
    assert interpret(inline(net), {"x": np.array([-1.0, 2.0], np.float32)}, {})[0].tolist() == [0.0, 2.0]
