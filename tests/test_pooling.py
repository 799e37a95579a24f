"""Pooling where other compilers went wrong: the windows of ceil_mode, and zero padding before max_pool2d."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from netc.backends.onnx_graph import GraphBuilder
from netc.dims import Shape, size, substitute
from netc.ops.activation import Identity, Relu
from netc.ops.arithmetic import Add
from netc.ops.contract import Op, Operand
from netc.ops.pad import Pad
from netc.ops.pool_avg import AvgPool2d
from netc.ops.pool_max import MaxPool2d


def torch_windows(n: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """pooling_output_shape of torch's aten/src/ATen/native/Pool.h with ceil_mode."""
    count = (n + 2 * padding - dilation * (kernel - 1) - 1 + stride - 1) // stride + 1
    return count - 1 if (count - 1) * stride >= n + padding else count


def test_ceil_mode_has_as_many_windows_as_torch() -> None:
    cases = [
        (n, k, s, p, d)
        for n, k, s, d in product(range(1, 9), range(1, 5), range(1, 5), range(1, 4))
        for p in range(k // 2 + 1)
        if n + 2 * p + s - 1 >= d * (k - 1) + 1
    ]
    assert len(cases) > 400
    for n, k, s, p, d in cases:
        op = MaxPool2d((k, k), (s, s), (p, p), (d, d), ceil_mode=True)
        free = op.window().positions((size("H"), size("W")))
        counts = [substitute(count, {"H": n, "W": n}) for count in free]
        assert counts == [torch_windows(n, k, s, p, d)] * 2, (n, k, s, p, d)


def run(ops: Sequence[Op], shape: Shape, x: np.ndarray, opset: int) -> np.ndarray:
    """What onnxruntime makes of x when `ops` follow each other."""
    builder, y = GraphBuilder(opset, [], ["x", "y"]), "x"
    for op in ops:
        operands = [Operand.of(y, shape, "float32")]
        if isinstance(op, Add):
            operands.append(Operand.of(builder.constant(0.0, "float32"), (), "float32"))
        y, shape = op.onnx(builder, *operands), op.shape(*(operand.shape for operand in operands))
    builder.close("op", [(y, "y", True)])
    ends = [("x", x.shape), ("y", shape)]
    given, made = ([helper.make_tensor_value_info(name, TensorProto.FLOAT, s)] for name, s in ends)
    graph = builder.graph
    graph.name = "pooling"
    graph.input.extend(given)
    graph.output.extend(made)
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=helper.find_min_ir_version_for(opsets))
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("opset", [17, 20, 22])
@pytest.mark.parametrize("between", [[], [Identity()], [Add()], [Pad((0, 0, 0, 0))], [Relu()]])
def test_zero_padding_stays_zero_in_a_max_pool(between: list[Op], opset: int) -> None:
    """onnxruntime folds a zero Pad into the -inf padding of a MaxPool: a corner of 0 would become -1."""
    x = np.full((1, 2, 6, 7), -1, np.float32)
    ops = [Pad((1, 1, 1, 1)), *between, MaxPool2d((3, 3), (2, 2))]
    y = run(ops, x.shape, x, opset)
    assert y[0, 0, 0, 0] == 0
    assert y.shape == (1, 2, 3, 4)


def test_a_guard_is_needed_only_where_a_pad_may_be() -> None:
    x = Operand.of("x", (1, 2, 6, 7), "float32")
    for op, nodes in ((Relu(), {"Relu", "MaxPool"}), (Pad((1, 1, 1, 1)), {"Pad", "Max", "MaxPool"})):
        builder = GraphBuilder(20, [], ["x", "y"])
        before = Operand.of(op.onnx(builder, x), op.shape(x.shape), "float32")
        builder.close("op", [(MaxPool2d((2, 2)).onnx(builder, before), "y", True)])
        assert {node.op_type for node in builder.graph.node} == nodes


@pytest.mark.parametrize("opset", [17, 20, 22])
@pytest.mark.parametrize("counted", [True, False])
def test_an_average_never_counts_what_ceil_mode_adds(counted: bool, opset: int) -> None:
    x = np.ones((1, 1, 4, 6), np.float32)
    op = AvgPool2d((3, 3), (2, 2), (1, 1), ceil_mode=True, count_include_pad=counted)
    y = run([op], x.shape, x, opset)
    corner = [4 / 9, 2 / 6] if counted else [1, 1]
    assert y.shape == (1, 1, 3, 4)
    assert np.allclose([y[0, 0, 0, 0], y[0, 0, 0, -1]], corner)
    assert np.allclose(y, op.forward(x))
