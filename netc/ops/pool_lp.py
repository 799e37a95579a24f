"""The p-norm of each window: lp_pool1d, lp_pool2d and lp_pool3d."""

from __future__ import annotations

from math import isfinite, prod
from typing import Any

from netc.dims import Shape
from netc.ops.arrays import np
from netc.ops.code import Hole, Keyword
from netc.ops.contract import (
    OPS,
    Array,
    Graph,
    Op,
    Operand,
    given,
    integers,
    register,
    require,
    sample,
    uniform,
)
from netc.ops.notation import equal, where
from netc.ops.pool import Pooling


class LpPooling(Pooling):
    """What lp_pool1d, lp_pool2d and lp_pool3d share: the mean of powers, times the elements of the kernel."""

    norm_type: float
    short = "lppool"
    padded = False

    def shape(self, x: Shape) -> Shape:
        fits = isfinite(self.norm_type) and self.norm_type >= 1
        require(fits, "norm_type", f"norm_type must be a number from 1, not {self.norm_type}")
        y: Shape = super().shape(x)
        return y

    @property
    def elements(self) -> int:
        return prod(self.axes("kernel_size"))

    def mean(self) -> Op:
        """The pool that averages the powers."""
        alike: dict[str, Any] = {n: getattr(self, n) for n in ("kernel_size", "stride", "ceil_mode")}
        return OPS[f"avg_pool{self.rank}d"](**alike)

    def forward(self, x: Array) -> Array:
        return (self.mean().forward(x**self.norm_type) * self.elements) ** (1 / self.norm_type)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        """dy / dx = (x / y)**(norm_type - 1), shared out as the mean is."""
        nothing = equal(y, 0.0)
        share = where(nothing, 0.0, g * where(nothing, 1.0, y) ** (1 - self.norm_type))
        (spread,) = self.mean().vjp(share * float(self.elements), y, x)
        return (spread * x ** (self.norm_type - 1),)

    def branch(self, x: Array) -> Array:
        """The sign of a window's only element that is not 0: there, the norm is its magnitude. A norm of 0 has no slope."""
        window = self.window()
        padded = np.pad(x, ((0, 0), (0, 0), *zip(window.begin, window.end, strict=True)))
        positions = window.positions(x.shape[2:])
        signs = [np.sign(window.view(padded, offset, positions)) for offset in window.offsets()]
        alone = sum(np.abs(sign) for sign in signs) <= 1
        pieces = np.where(alone, sum(signs), 2)
        return np.where(self.forward(x) == 0, 3, pieces).astype("int64")

    def flops(self, y: Shape, x: Shape) -> Any:
        return 2 * prod(y) * self.elements

    def arguments(self) -> tuple[Hole | Keyword, ...]:
        return (
            Hole(self.norm_type, "norm_type"),
            *super().arguments(),
            Keyword("ceil_mode", self.ceil_mode, False),
        )

    def onnx(self, graph: Graph, x: Operand) -> Any:
        """By the mean of powers, as torch: LpPool would not scale the sum of a window that ceil_mode cuts."""
        powers = graph.node("Pow", x, graph.constant(self.norm_type, x.dtype))
        means = self.mean().onnx(graph, Operand.of(powers, x.shape, x.dtype))
        sums = graph.node("Mul", means, graph.constant(float(self.elements), x.dtype))
        return graph.node("Pow", sums, graph.constant(1 / self.norm_type, x.dtype))


@register("lp_pool1d")
class LpPool1d(LpPooling):
    """y[p] = (the sum over the window at p of x**norm_type)**(1 / norm_type).

    For an even norm_type it is the norm of the window. As in torch, the sum of a window that ceil_mode cuts
    short is scaled to a whole one, and powers keep their sign: a negative sum has no odd or broken root.
    The stride is kernel_size unless given.
    Shape: x [N, C, L] -> y [N, C, (L - kernel_size) // stride + 1]; ceil_mode rounds up.
    Gradient: dx = the sum of g (x / y)**(norm_type - 1) over the windows that hold an element; 0 where y = 0.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LPPool1d.html
    """

    analytic = True

    norm_type: float
    kernel_size: int
    stride: int | None = None
    ceil_mode: bool = False

    aliases = ("LPPool1d",)
    samples = (
        sample((2, 3, 7), norm_type=2, kernel_size=2, flops=72),
        sample((1, 2, 7), norm_type=2, kernel_size=3, stride=2),
        sample((1, 2, 6), norm_type=4, kernel_size=3, stride=2, ceil_mode=True),
        sample((1, 2, 6), norm_type=2, kernel_size=4, stride=3, ceil_mode=True),
        sample(uniform((2, 2, 5), 0.5, 2.0), norm_type=3, kernel_size=2, stride=1),
        sample(uniform((2, 2, 5), 0.5, 2.0), norm_type=1, kernel_size=2, stride=1),
        sample(uniform((1, 3, 5), 0.5, 2.0), norm_type=1.5, kernel_size=3),
        sample((2, 3, 4), norm_type=2, kernel_size=1),
        sample((1, 1, 5), norm_type=2, kernel_size=5),
        sample(given(((-3.0, 4.0, 1.0, -2.0),)), norm_type=2, kernel_size=2),
        sample((1, 2, 9), norm_type=6, kernel_size=2, stride=4),
        sample((7, 8), norm_type=2, kernel_size=2, rejects="x", without=("torch",)),  # torch has no N there
        sample(
            integers((1, 2, 8), 9), norm_type=2, kernel_size=2, rejects="x", without=("torch",)
        ),  # as ONNX
        sample((1, 2, 8), norm_type=2, kernel_size=0, rejects="kernel_size"),
        sample((1, 2, 8), norm_type=2, kernel_size=9, rejects="kernel_size"),
        sample((1, 2, 8), norm_type=2, kernel_size=2, stride=0, rejects="stride"),
        sample((1, 2, 8), norm_type=0, kernel_size=2, rejects="norm_type"),
        sample((1, 2, 8), norm_type=0.5, kernel_size=2, rejects="norm_type", without=("torch",)),  # no norm
    )


@register("lp_pool2d")
class LpPool2d(LpPooling):
    """y[p, q] = (the sum over the window at p, q of x**norm_type)**(1 / norm_type).

    For an even norm_type it is the norm of the window. As in torch, the sum of a window that ceil_mode cuts
    short is scaled to a whole one, and powers keep their sign: a negative sum has no odd or broken root.
    The stride is kernel_size unless given.
    Shape: x [N, C, H, W] -> y [N, C, (H - kernel_size) // stride + 1, and so W]; ceil_mode rounds up.
    Gradient: dx = the sum of g (x / y)**(norm_type - 1) over the windows that hold an element; 0 where y = 0.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LPPool2d.html
    """

    analytic = True

    norm_type: float
    kernel_size: tuple[int, int]
    stride: tuple[int, int] | None = None
    ceil_mode: bool = False

    aliases = ("LPPool2d",)
    samples = (
        sample((2, 3, 6, 7), norm_type=2, kernel_size=2, flops=432),
        sample((1, 2, 7, 6), norm_type=2, kernel_size=(3, 2), stride=(2, 1)),
        sample((1, 2, 6, 5), norm_type=2, kernel_size=3, stride=(2, 3), ceil_mode=True),
        sample((1, 2, 6, 5), norm_type=4, kernel_size=(3, 4), stride=2, ceil_mode=True),
        sample(uniform((1, 2, 4, 5), 0.5, 2.0), norm_type=3, kernel_size=(2, 3), stride=1),
        sample(uniform((1, 2, 4, 5), 0.5, 2.0), norm_type=2.5, kernel_size=2),
        sample(uniform((1, 2, 4, 3), 0.5, 2.0), norm_type=1, kernel_size=(1, 3)),
        sample((1, 2, 2, 3), norm_type=2, kernel_size=1),
        sample((1, 1, 3, 4), norm_type=2, kernel_size=(3, 4)),
        sample((3, 1, 2, 5), norm_type=2, kernel_size=(2, 1), stride=(1, 3)),
        sample(
            (2, 7, 8), norm_type=2, kernel_size=2, rejects="x", without=("torch",)
        ),  # torch has no N there
        sample(
            integers((1, 2, 7, 8), 9), norm_type=2, kernel_size=2, rejects="x", without=("torch",)
        ),  # as ONNX
        sample((1, 2, 7, 8), norm_type=2, kernel_size=(0, 2), rejects="kernel_size"),
        sample((1, 2, 3, 4), norm_type=2, kernel_size=(4, 2), rejects="kernel_size"),
        sample((1, 2, 7, 8), norm_type=2, kernel_size=2, stride=(1, 0), rejects="stride"),
        sample((1, 2, 7, 8), norm_type=0, kernel_size=2, rejects="norm_type"),
        sample((1, 2, 7, 8), norm_type=-2, kernel_size=2, rejects="norm_type", without=("torch",)),  # no norm
    )


@register("lp_pool3d")
class LpPool3d(LpPooling):
    """y[p, q, r] = (the sum over the window at p, q, r of x**norm_type)**(1 / norm_type).

    For an even norm_type it is the norm of the window. As in torch, the sum of a window that ceil_mode cuts
    short is scaled to a whole one, and powers keep their sign: a negative sum has no odd or broken root.
    The stride is kernel_size unless given.
    Shape: x [N, C, D, H, W] -> y [N, C, (D - kernel_size) // stride + 1, and so H, W]; ceil_mode rounds up.
    Gradient: dx = the sum of g (x / y)**(norm_type - 1) over the windows that hold an element; 0 where y = 0.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LPPool3d.html
    """

    analytic = True

    norm_type: float
    filled = True
    kernel_size: tuple[int, int, int]
    stride: tuple[int, int, int] | None = None
    ceil_mode: bool = False

    aliases = ("LPPool3d",)
    samples = (
        sample((2, 2, 4, 3, 5), norm_type=2, kernel_size=2, flops=256),
        sample((1, 2, 3, 5, 4), norm_type=2, kernel_size=(1, 3, 2), stride=(2, 2, 1)),
        sample((1, 2, 5, 4, 6), norm_type=2, kernel_size=3, stride=2, ceil_mode=True),
        sample((1, 1, 4, 3, 5), norm_type=4, kernel_size=2, stride=1),
        sample(uniform((1, 1, 3, 4, 5), 0.5, 2.0), norm_type=3, kernel_size=(2, 3, 2), stride=2),
        sample(uniform((1, 1, 3, 2, 4), 0.5, 2.0), norm_type=1.5, kernel_size=2),
        sample(uniform((1, 2, 2, 2, 3), 0.5, 2.0), norm_type=1, kernel_size=(1, 1, 3)),
        sample((1, 2, 2, 1, 3), norm_type=2, kernel_size=1),
        sample((1, 1, 2, 3, 4), norm_type=2, kernel_size=(2, 3, 4)),
        sample((2, 1, 2, 3, 7), norm_type=2, kernel_size=(1, 2, 4), stride=(1, 2, 3)),
        sample((1, 1, 2, 2, 1), norm_type=2, kernel_size=(1, 1, 2), ceil_mode=True, rejects="kernel_size"),
        sample(
            (2, 4, 3, 5), norm_type=2, kernel_size=2, rejects="x", without=("torch",)
        ),  # torch has no N there
        sample(integers((1, 2, 4, 3, 5), 9), norm_type=2, kernel_size=2, rejects="x", without=("torch",)),
        sample((1, 2, 4, 3, 5), norm_type=2, kernel_size=(2, 2, 0), rejects="kernel_size"),
        sample((1, 2, 4, 3, 5), norm_type=2, kernel_size=(2, 4, 2), rejects="kernel_size"),
        sample((1, 2, 4, 3, 5), norm_type=2, kernel_size=2, stride=(1, 0, 1), rejects="stride"),
        sample((1, 2, 4, 3, 5), norm_type=0, kernel_size=2, rejects="norm_type"),
    )
