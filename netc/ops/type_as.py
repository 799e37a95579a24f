"""A tensor in the dtype of another: type_as."""

from __future__ import annotations

from typing import Any

from netc.dims import Shape
from netc.ops.arithmetic import is_number
from netc.ops.arrays import np
from netc.ops.code import Code, method
from netc.ops.contract import (
    DTYPES,
    FLOATS,
    INTEGERS,
    Array,
    Graph,
    Op,
    Operand,
    given,
    integers,
    register,
    require,
    sample,
)
from netc.ops.function import cast_node
from netc.ops.notation import cast


@register("type_as")
class TypeAs(Op):
    """y = x in the dtype of `other`, true being 1.

    Of `other` only the dtype counts: positions become numbers that can be reckoned with beside it. What
    would not fit is refused as in cast.
    Shape: x [...] and other of any shape -> y of the shape of x.
    Gradient: dx = g in the dtype of x; none for whole numbers, and none for `other`.
    Source: torch.Tensor.type_as, https://docs.pytorch.org/docs/stable/generated/torch.Tensor.type_as.html
    """

    analytic = True
    operands = ("x", "other")
    elements_of = ("x",)
    accepts = DTYPES

    def shape(self, x: Shape, other: Shape) -> Shape:
        return x

    def dtype(self, x: str, other: str) -> str:
        require(other != "bool", "other", "other is bool; compare x with a number instead")
        narrows = (x in FLOATS and other in INTEGERS) or (x, other) == ("int64", "int32")
        require(not narrows, "x", f"x is {x}, which may not fit in {other}")
        return other

    def forward(self, x: Array, other: Array) -> Array:
        return x if np.iscomplexobj(x) else x.astype(other.dtype)

    def vjp(self, g: Array, y: Array, x: Array, other: Array) -> tuple[Array | None, None]:
        return (cast(g, x) if str(x.dtype) in FLOATS else None), None

    def flops(self, y: Shape, x: Shape, other: Shape) -> Any:
        return 0

    def torch(self, x: Operand, other: Operand) -> Code:
        """A number has the dtype of the tensor beside it."""
        if is_number(other):
            return method(x, "clone")
        return method(other, "new_tensor", x) if is_number(x) else method(x, "type_as", other)

    def onnx(self, graph: Graph, x: Operand, other: Operand) -> Any:
        return cast_node(graph, x, other.dtype)

    samples = (
        sample((2, 3), (4,), flops=0),
        sample(integers((3, 1), 9), (2, 2)),
        sample(integers((3,), 9), ()),
        sample(integers((), 9, "int32"), (5,)),
        sample(integers((2, 3), 2, "bool"), (2, 3)),
        sample(given(True, False, dtype="bool"), integers((1,), 3)),
        sample(integers((2, 2), 9, "int32"), integers((1,), 3)),
        sample(integers((2, 2), 9), integers((4, 1), 3)),
        sample((), (2, 1)),
        sample((1, 3, 2), ()),
        sample((2, 3), integers((2,), 3), rejects="x", without=("torch",)),  # torch cuts
        sample(integers((2,), 9), integers((2,), 3, "int32"), rejects="x", without=("torch",)),  # torch wraps
        sample(
            (2, 3), integers((2,), 2, "bool"), rejects="other", without=("torch",)
        ),  # torch tests for zero
    )
