"""Bugs of the ONNX emitter."""

from __future__ import annotations

from tests.mutants.mutant import Mutant


def _m(what: str, where: str, old: str, new: str, *tests: str, equivalent: str = "") -> Mutant:
    return Mutant(
        f"to_onnx: {what}", f"backends.{where}", old, new, ("nets",), tests or ("test_onnx",), equivalent
    )


LAYOUT = ("test_onnx_layout",)

MUTANTS = (
    _m("outputs of a node in reverse", "to_onnx:_Emitter.node", "for mark, v in zip(marks, node.outputs, strict=True)",
       "for mark, v in zip(reversed(marks), node.outputs, strict=True)"),
    _m("a number is always float32", "to_onnx:_Emitter.operand", "self.builder.constant(value.number, value.type.dtype)",
       'self.builder.constant(float(value.number), "float32")'),
    _m("an output that has another name is left out", "to_onnx:_Emitter.finish",
       "if (made := str(self.operand(value))) != name:", "if (made := str(self.operand(value))) == '':"),
    _m("operands and parameters in another order", "to_onnx:_Emitter.node",
       "[self.operand(v) for v in node.operands]", "[self.operand(v) for v in (*node.inputs[::-1], *node.params)]"),
    _m("least sizes are forgotten", "to_onnx:emit", "facts=net.training_facts if facts is None else facts", "facts={}"),
    _m("opset 17 is 18", "to_onnx:_envelope", "version=opset", "version=max(18, opset)"),
    _m("constants of other dtypes are one", "onnx_graph:GraphBuilder.constant",
       "key = (dtype, shape, elements.tobytes())", "key = ('', shape, elements.tobytes())"),
    _m("constants of other shapes are one", "onnx_graph:GraphBuilder.constant",
       "key = (dtype, shape, elements.tobytes())", "key = (dtype, (), elements.tobytes())"),
    _m("axes are an input from opset 17", "onnx_graph:GraphBuilder.reduce",
       "self.opset >= AXES_ARE_INPUTS", "self.opset >= AXES_ARE_INPUTS - 1"),
    _m("axes are an attribute up to opset 20", "onnx_graph:GraphBuilder.reduce",
       "self.opset >= AXES_ARE_INPUTS", "self.opset > 20"),
    _m("reductions drop axes that they should keep", "onnx_graph:GraphBuilder.reduce",
       'self.constant(axes, "int64"), keepdims=int(keepdims)', 'self.constant(axes, "int64"), keepdims=0'),
    _m("a copy that an output needs is left out", "onnx_graph:GraphBuilder._kept",
       "if exact and name != wanted:", "if False:",
       equivalent="the end of the graph copies what has not the name of an output by then"),
    _m("an attribute is written as 0", "onnx_proto:add_attribute", "int(value)", "0"),
    _m("an attribute of floats is rounded", "onnx_proto:add_attribute", "float(value)", "float(round(value))"),
    _m("terms of a size are multiplied", "onnx_sizes:RunTimeSizes._sum", '"Add"', '"Mul"'),
    _m("a coefficient of a size is left out", "onnx_sizes:RunTimeSizes._term",
       "if coefficient != 1 or not factors:", "if not factors:"),
    _m("factors of a size are added", "onnx_sizes:RunTimeSizes._term", '"Mul"', '"Add"'),
    _m("a negative quotient is cut off", "onnx_sizes:RunTimeSizes._quotient", "if negative:", "if False:",
       equivalent="a quotient by a number keeps coefficients from 0 up; one by a size that may be negative is no size"),
    _m("the size of a multiple is not divided", "onnx_sizes:RunTimeSizes._atom",
       "whole if atom.multiple == 1 else", "whole if True else"),
    _m("a size is read off the axis before", "onnx_sizes:RunTimeSizes._read",
       "enter_size(size.name, \"Shape\", value.hint, start=axis, end=axis + 1)",
       "enter_size(size.name, \"Shape\", value.hint, start=axis - 1, end=axis)"),
    _m("a size read off a formula is not solved", "onnx_sizes:RunTimeSizes._solve",
       "if slope != 1 else rest", "if False else rest"),
    _m("a size read off a formula is off", "onnx_sizes:RunTimeSizes._solve", '"Sub", read', '"Add", read'),
    _m("a vector of sizes in reverse", "onnx_sizes:RunTimeSizes.vector",
       "[self._size(d) for d in shape]", "[self._size(d) for d in reversed(shape)]"),
    _m("weights in another order", "onnx_parameters:values_of",
       "weights.pieces(list(left))", "weights.pieces(list(reversed(left)))"),
    _m("a weight's frame is a byte short", "onnx_file:_head", "len(head) + size)", "len(head) + size - 1)"),
    _m("the IR version is that of the newest opset", "to_onnx:_envelope", "IR_VERSIONS[opset]", "IR_VERSIONS[23]"),
    _m("a constant that nothing reads is written", "onnx_layout:drop_unread",
       "if graph.initializer[index].name not in read:", "if False:", *LAYOUT),
    _m("a node that nothing reads is written", "onnx_layout:drop_unread",
       "if read.isdisjoint(node.output):", "if False:", *LAYOUT),
    _m("a parameter is stored twice", "onnx_layout:_settle", "if not spoilt:", "if True:", *LAYOUT),
    _m("parts that overlap are taken for all of a parameter", "onnx_layout:_tiles",
       "max(a, c) < min(b, d)", "max(a, c) > min(b, d)", *LAYOUT),
    _m("parts that leave a gap are taken for all of a parameter", "onnx_layout:_tiles",
       "sum(prod(p.shape) for p in parts) != prod(shape)", "False", *LAYOUT),
    _m("a part of a weight is cut off its other end", "onnx_moves:_cut_patch",
       "patch.box[source][0] - begin", "patch.box[source][0]", *LAYOUT),
    _m("weights lie one on the other", "onnx_moves:_concat", "end += x.shape[axis]", "end += 0", *LAYOUT),
    _m("a weight is not turned", "onnx_parameters:_cut_out", "box.transpose(order + rest)", "box", *LAYOUT),
    _m("a weight's place in the file is not told", "onnx_layout:layouts",
       '"start": list(patch.start)', '"start": [0] * len(patch.start)', *LAYOUT),
    _m("a weight's axes are not told", "onnx_layout:layouts",
       '"axes": list(patch.axes)', '"axes": sorted(patch.axes)', *LAYOUT),
    _m("the shape of a value is that of another", "to_onnx:_Emitter.describe_values",
       "type_.shape", "type_.shape[::-1]", *LAYOUT),
)  # fmt: skip
