"""A node test case of the ONNX project, computed by netc ops: in numpy, and as nodes by onnxruntime."""

import warnings
from collections import defaultdict
from dataclasses import dataclass
from functools import cache

import numpy as np
import onnx
from onnx import helper, numpy_helper
from op_case import close, several
from op_driver import OPSETS, drop_unused
from op_graph import Graph, run_model
from op_symbols import shapes_of

from netc.ops.attributes import bind
from netc.ops.contract import DTYPES, OPS, Mismatch, Operand

CLOSE = 5e-6
AS_PRINTED = {"averagepool_2d_ceil_last_window_starts_on_pad"}  # its outputs have four digits
EXPANDED = "_expanded"  # the body of a function, on the inputs and outputs of the case without


class Inexpressible(Exception):
    """netc has nothing for what a case asks of its node."""


@dataclass(frozen=True)
class Absent:
    """Stands for an output of the node that no op of netc gives."""

    reason: str


@dataclass(eq=False)
class Value:
    """A tensor on the way from the inputs of a case to its outputs."""

    array: np.ndarray

    @property
    def shape(self):
        return self.array.shape

    @property
    def dtype(self):
        return str(self.array.dtype)

    def numbers(self):
        """What a constant input holds, such as axes."""
        return self.array.tolist()


@dataclass(frozen=True)
class NodeCase:
    """One node with its attributes, on inputs and with outputs; None where an operand is absent."""

    name: str
    op_type: str
    attributes: dict
    inputs: tuple
    outputs: tuple
    rtol: float
    atol: float

    def foreign(self):
        """Why no op can take the tensors of this case; None where one could."""
        tensors = [x for x in (*self.inputs, *self.outputs) if x is not None]
        if not all(isinstance(x, np.ndarray) for x in tensors):
            return "not tensors"
        if others := {str(x.dtype) for x in tensors} - set(DTYPES):
            return f"dtype {', '.join(sorted(others))}"
        return None


@cache
def all_cases():
    """Every case of a single node by its type, and those of several nodes or of a function's body by name."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # they are computed anew, some from overflows
        cases = collect_testcases(None)
    single, others = defaultdict(list), {}
    for case in cases:
        if len(case.model.graph.node) == 1 and EXPANDED not in case.name:
            read = node_case(case)
            single[read.op_type].append(read)
        else:
            others[case.name] = case
    return dict(single), others


def node_case(case):
    (node,) = case.model.graph.node
    ((inputs, outputs),) = case.data_sets
    return NodeCase(
        case.name.removeprefix("test_"),
        node.op_type,
        {a.name: attribute(a) for a in node.attribute},
        placed(node.input, inputs),
        placed(node.output, outputs),
        case.rtol,
        case.atol,
    )


def attribute(proto):
    value = helper.get_attribute_value(proto)
    return value.decode() if isinstance(value, bytes) else value


def placed(names, tensors):
    """The tensors at the places that have a name."""
    left = iter(tensors)
    return tuple(tensor(next(left)) if name else None for name in names)


def tensor(value):
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return np.asarray(value) if isinstance(value, np.ndarray | np.generic) else value


class Rewriting:
    """What a rule makes of a case: netc ops, applied one after the other in numpy and kept for a graph."""

    def __init__(self, case):
        self.case = case
        self.inputs = [None if x is None else Value(x) for x in case.inputs]
        self.leaves = [x for x in self.inputs if x is not None]
        self.steps = []
        self.read = set()
        self.takes_other_dtypes = False  # of the result, where netc gives the same numbers in another

    def attribute(self, name, default=None):
        self.read.add(name)
        return self.case.attributes.get(name, default)

    def leaf(self, array, dtype=None):
        """A tensor that the rule makes from constants, such as weights in another order."""
        made = Value(np.ascontiguousarray(array, dtype).reshape(np.shape(array)))
        self.leaves.append(made)
        return made

    def number(self, value, beside):
        return self.leaf(value, beside.dtype)

    def op(self, name, *operands, params=None, **attributes):
        """The op on operands and, by name, its parameters; what it gives is as its rules say."""
        if any(0 in x.shape for x in operands):
            raise Inexpressible("a size of 0")
        op, ruled = ruled_op(name, operands, attributes)
        taken = [*operands, *self._params(op, [x.shape for x in operands], params or {})]
        made = [Value(np.asarray(y)) for y in several(op.forward(*(x.array for x in taken)))]
        assert [(y.shape, y.dtype) for y in made] == ruled, (
            f"{name} gives other shapes or dtypes than {ruled}"
        )
        self.steps.append((op, taken, made))
        return made[0] if len(made) == 1 else tuple(made)

    def _params(self, op, shapes, given):
        owned = op.params(*shapes)
        assert set(given) <= set(owned), f"{op.name} has no parameter {set(given) - set(owned)}"
        for name, parameter in owned.items():
            if name not in given and parameter.dtype == "int64":  # it counts batches
                given[name] = self.leaf(np.zeros(parameter.shape), "int64")
            assert given[name].shape == parameter.shape, (
                f"{name} is {given[name].shape}, not {parameter.shape}"
            )
        return [given[name] for name in owned]

    def by_onnxruntime(self, results, opset):
        """The results as the ONNX spelling of each op gives them."""
        names = {
            x: Operand.of(f"x{i}", x.shape, x.dtype) for i, x in enumerate(self.leaves) if x.dtype in DTYPES
        }
        graph = Graph(opset, list(names.values()))
        for op, taken, made in self.steps:
            spelled = several(op.onnx(graph, *(names[x] for x in taken)))
            names |= {y: Operand.of(n, y.shape, y.dtype) for n, y in zip(spelled, made, strict=True)}
        model = graph.model([(names[y], y.shape, y.dtype) for y in results])
        used = {i for node in model.graph.node for i in node.input}
        drop_unused(model, used)
        feeds = {str(names[x]): x.array for x in self.leaves if x in names}
        return run_model(model, {name: x for name, x in feeds.items() if name in used})


def ruled_op(name, operands, attributes):
    """The op, and the shape and dtype of each result as its rules say."""
    shapes, dtypes = [x.shape for x in operands], [x.dtype for x in operands]
    try:
        op = bind(OPS[name], (), attributes)
        made = op.dtypes(len(shapes_of(op, shapes)), *dtypes)
        op.agree(shapes, dtypes)
    except Mismatch as refused:
        raise Inexpressible(f"{name} refuses {refused.at}") from refused
    return op, list(zip(shapes_of(op, shapes), made, strict=True))


def compare(case, rule, opsets=OPSETS):
    """Asserts that netc gives what the case wants, in numpy and in each opset; gives the reasons of outputs left out.

    Raises Inexpressible where netc does not take the case.
    """
    made = Rewriting(case)
    with np.errstate(all="ignore"):
        results = rule(made, *made.inputs)
    unread = set(case.attributes) - made.read
    assert not unread, f"the rule does not read {', '.join(sorted(unread))}"
    there, absent = beside_outputs(case, results if isinstance(results, tuple) else (results,))
    if made.takes_other_dtypes:
        there = [(y, right.astype(y.dtype)) for y, right in there]
    for i, (y, right) in enumerate(there):
        agree(case, f"output {i} in numpy", y.array, right)
    for opset in opsets:
        for i, ran in enumerate(made.by_onnxruntime([y for y, _ in there], opset)):
            agree(case, f"output {i} in opset {opset}", ran, there[i][1])
    return absent


def beside_outputs(case, results):
    """Each result beside the output that it is to be, and why others are absent."""
    wanted = [(i, y) for i, y in enumerate(case.outputs) if y is not None]
    assert len(results) > wanted[-1][0], f"{len(results)} results for {len(case.outputs)} outputs"
    there = [(results[i], y) for i, y in wanted if not isinstance(results[i], Absent)]
    assert there, "nothing to compare"
    return there, [results[i].reason for i, _ in wanted if isinstance(results[i], Absent)]


def agree(case, target, found, wanted):
    """Within the tolerance of the case, for each element, and that of this project, for all together."""
    assert found.shape == wanted.shape, f"{target}: shape {found.shape}, not {wanted.shape}"
    assert found.dtype == wanted.dtype, f"{target}: {found.dtype}, not {wanted.dtype}"
    np.testing.assert_allclose(found, wanted, case.rtol, case.atol, err_msg=target)
    if case.name not in AS_PRINTED:
        close(found, wanted, CLOSE, target)


def reason_left_out(case, rule):
    """Why netc does not compute this case; None where it does, as is asserted."""
    if why := case.foreign():
        return why
    try:
        absent = compare(case, rule)
    except Inexpressible as lacking:
        return str(lacking)
    return f"in part: {', '.join(absent)}" if absent else None
