"""Bugs of the ONNX emitter."""

from __future__ import annotations

from tests.mutants.mutant import Mutant


def _m(what: str, where: str, old: str, new: str, *tests: str, equivalent: str = "") -> Mutant:
    return Mutant(
        f"to_onnx: {what}", f"backends.{where}", old, new, ("nets",), tests or ("test_onnx",), equivalent
    )


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
    _m("weights in another order", "onnx_file:_Message.write",
       "weights.pieces(list(self.heads))", "weights.pieces(list(reversed(self.heads)))"),
    _m("a weight's frame is a byte short", "onnx_file:_head", "len(head) + size)", "len(head) + size - 1)"),
    _m("the IR version is that of the newest opset", "to_onnx:_envelope", "IR_VERSIONS[opset]", "IR_VERSIONS[23]"),
    _m("a parameter that nothing reads is written", "to_onnx:_Emitter.parameters",
       "for name, param in named.items() if name in read", "for name, param in named.items()"),
)  # fmt: skip
