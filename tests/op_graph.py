"""A minimal ONNX graph builder for the tests of single ops, with sizes that may be free."""

from dataclasses import dataclass, field

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from netc.dims import Dim, Size
from netc.ops.contract import Operand

IR_VERSION = 10
TYPES = {"float32": 1, "int32": 6, "int64": 7, "bool": 9, "float64": 11}


@dataclass
class Graph:
    """Implements netc.ops.contract.Graph on protos."""

    opset: int
    inputs: list[Operand]
    nodes: list = field(default_factory=list)
    initializers: list = field(default_factory=list)
    makers: dict = field(default_factory=dict)

    def node(self, op_type, *inputs, outputs=1, **attributes):
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        kept = {name: value for name, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(op_type, [str(i) for i in inputs], names, **kept))
        self.makers |= dict.fromkeys(names, (op_type, tuple(map(str, inputs))))
        return names[0] if outputs == 1 else tuple(names)

    def made_by(self, x):
        return self.makers[str(x)][0] if str(x) in self.makers else None

    def made_from(self, x):
        return self.makers[str(x)][1] if str(x) in self.makers else ()

    def constant(self, values, dtype):
        name = f"constant{len(self.initializers)}"
        array = np.asarray(values)
        cast = array.astype(dtype)
        assert array.dtype.kind == cast.dtype.kind or array.dtype.kind in "iu" or not array.size, (
            values,
            dtype,
        )
        self.initializers.append(numpy_helper.from_array(cast, name))
        return name

    def sizes(self, shape):
        if all(isinstance(n, int) for n in shape):
            return self.constant(shape, "int64")
        return self.node("Concat", *(self._size(n) for n in shape), axis=0)

    def reduce(self, op_type, x, axes, keepdims):
        if op_type == "ReduceSum" or self.opset >= 18:
            return self.node(op_type, x, self.constant(list(axes), "int64"), keepdims=int(keepdims))
        return self.node(op_type, x, axes=list(axes), keepdims=int(keepdims))

    def _size(self, n):
        """A vector of one that holds n at run time."""
        if isinstance(n, int):
            return self.constant([n], "int64")
        terms = [self._product(coefficient, monomial) for monomial, coefficient in n.terms]
        total = terms[0]
        for term in terms[1:]:
            total = self.node("Add", total, term)
        return total

    def _product(self, coefficient, monomial):
        out = self.constant([coefficient], "int64")
        for atom in monomial:
            out = self.node("Mul", out, self._atom(atom))
        return out

    def _atom(self, atom):
        if not isinstance(atom, Size):
            return self.node("Div", self._size(atom.numerator), self._size(atom.divisor))
        for x in self.inputs:
            for axis, n in enumerate(x.shape):
                if isinstance(n, Dim) and n.terms == (((atom,), atom.multiple),):
                    shape = self.node("Shape", x)
                    size = self.node("Gather", shape, self.constant([axis], "int64"), axis=0)
                    return self.node("Div", size, self.constant([atom.multiple], "int64"))
        raise AssertionError(f"no input has the size {atom}")

    def model(self, outputs):
        """The model whose results are `outputs`, as (name, shape, dtype)."""
        inputs = [_info(x, x.dtype, x.shape) for x in self.inputs]
        results = [_info(f"y{i}", dtype, shape) for i, (_, shape, dtype) in enumerate(outputs)]
        for i, (name, _, _) in enumerate(outputs):
            self.nodes.append(helper.make_node("Identity", [str(name)], [f"y{i}"]))
        graph = helper.make_graph(self.nodes, "op", inputs, results, self.initializers)
        opset = helper.make_opsetid("", self.opset)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)


def _info(name, dtype, shape):
    sizes = [n if isinstance(n, int) else str(n) for n in shape]
    return helper.make_tensor_value_info(str(name), TYPES[dtype], sizes)


def run_model(model, feeds):
    """What onnxruntime computes; the checker sees the model first."""
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)
