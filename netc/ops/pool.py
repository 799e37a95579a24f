"""What pooling over sliding windows shares: the windows, with those that ceil_mode adds, and their spelling.

torch's ceil_mode equals floor mode with more padding at the end: min(padding + stride - 1, extent - 1). That
many keeps a last window that begins on the map or in its left padding, and drops one that begins behind.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from netc.dims import Shape, at_least
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import Graph, Operand, require
from netc.ops.window import Window, WindowOp, alike, require_fit, require_least, require_map


class Pooling(WindowOp):
    """What all pools share; `padded` and `dilated` tell which have those attributes."""

    kernel_size: Any
    stride: Any
    ceil_mode: bool
    padded: ClassVar[bool] = True
    filled: ClassVar[bool] = False  # torch refuses a side shorter than the kernel, whatever is added to it
    dilated: ClassVar[bool] = False

    @property
    def margin(self) -> tuple[int, ...]:
        """The padding, one number an axis."""
        return tuple(self.axes("padding")) if self.padded else (0,) * self.rank

    def window(self) -> Window:
        kernel, padding = self.axes("kernel_size"), self.margin
        stride = self.axes("stride") if self.stride is not None else kernel
        holes = self.axes("dilation") if self.dilated else (1,) * self.rank
        window = Window(kernel, stride, holes, padding, padding)
        if not self.ceil_mode:
            return window
        steps = zip(padding, stride, window.extent, strict=True)
        return replace(window, end=tuple(min(p + s - 1, extent - 1) for p, s, extent in steps))

    def shape(self, x: Shape) -> Any:
        require_map(self.name, x, self.rank + 2)
        window = self.window()
        require_least(1, kernel_size=window.kernel, stride=window.stride, dilation=window.dilation)
        require_least(0, padding=self.margin)
        for p, k in zip(self.margin, window.kernel, strict=True):
            require(p <= k // 2, "padding", f"padding may be at most half the kernel ({k // 2}), not {p}")
        require_fit(window, x[2:])
        for n, k in zip(x[2:], window.kernel, strict=True):
            fits = not self.filled or at_least(n, k)
            require(
                fits, "kernel_size", f"a side of {n} is shorter than its kernel, {k}, which PyTorch refuses"
            )
        return (*x[:2], *window.positions(x[2:]))

    def torch(self, x: Operand) -> Code:
        return call(f"F.{self.name}", x, *self.arguments())

    def module(self, x: Shape) -> Code:
        return call(f"nn.{self.aliases[0]}", *self.arguments())

    def arguments(self) -> tuple[Hole | Keyword, ...]:
        """What torch's function and its module take alike."""
        kernel = alike(self.axes("kernel_size"))
        padding = (Keyword("padding", alike(self.margin), 0),) if self.padded else ()
        return (Hole(kernel, "kernel_size"), Keyword("stride", alike(self.window().stride), kernel), *padding)


def onnx_pad(graph: Graph, x: Operand, window: Window, amount: float) -> str:
    """A Pad node for the padding of `window`."""
    pads = graph.constant([0, 0, *window.begin, 0, 0, *window.end], "int64")
    out: str = graph.node("Pad", x, pads, graph.constant(amount, x.dtype), mode="constant")
    return out
