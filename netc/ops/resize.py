"""Maps resized by interpolation: interpolate."""

from __future__ import annotations

from math import floor, isfinite, prod
from typing import Any, Literal

from netc.dims import AnyDim, Dim, Shape, decide, divides, value
from netc.ops.arrays import np
from netc.ops.code import Code, Keyword, call
from netc.ops.contract import Array, Graph, Op, Operand, integers, register, require, sample
from netc.ops.notation import cast, equal, function, pad, table
from netc.ops.resize_taps import (
    COUNT,
    CUBIC,
    divides_exactly,
    growth,
    matrix,
    nearest,
    rounds_alike,
    shrinkage,
    taps,
)
from netc.ops.window import alike, require_float32, require_least, require_map

KINDS = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}
RANKS = {"linear": (3,), "bilinear": (4,), "bicubic": (4,), "trilinear": (5,)}
FLAT = {"linear": "bilinear", "cubic": "bicubic"}  # the mode for maps of two axes
FINEST = 1024  # of a factor for free sizes: the largest denominator


@register("interpolate")
class Interpolate(Op):
    """y_i = sum_k w_k(p) x_k along each axis of a map, where p is where position i lies on the old axis.

    p = (i + 0.5) n / m - 0.5 for an axis of n resized to m, or i (n - 1) / (m - 1) with align_corners, which
    keeps the corners. The linear modes weigh 2 neighbours by distance, bicubic 4 by the cubic kernel with
    a = -0.75; beyond the map its edge goes on. nearest takes element floor(i n / m), nearest-exact
    floor((i + 0.5) n / m); sizes for which floats round that otherwise are refused. Give `size` or `scale_factor`, one for all
    axes or one each; a factor must make whole sizes.
    Shape: x [N, C, ...] -> y [N, C, size], or [N, C, scale_factor * ...]. linear takes [N, C, L], bilinear and
    bicubic [N, C, H, W], trilinear [N, C, D, H, W], nearest and nearest-exact all three.
    Gradient: dx_k = sum_i w_k(p) g_i along each axis.
    Source: Keys (1981), Cubic convolution interpolation for digital image processing;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
    """

    size: tuple[AnyDim, ...] | None = None
    scale_factor: tuple[float, ...] | None = None
    mode: Literal["nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear"] = "nearest"
    align_corners: bool = False

    aliases = ("Upsample",)
    analytic = True

    @property
    def kind(self) -> str:
        """The mode along one axis."""
        return KINDS.get(self.mode, self.mode)

    @property
    def picks(self) -> bool:
        """Whether each position takes a single element."""
        return COUNT[self.kind] == 1

    def shape(self, x: Shape) -> Shape:
        require_map("interpolate" if self.picks else f"mode {self.mode}", x, *RANKS.get(self.mode, (3, 4, 5)))
        given = [self.size is not None, self.scale_factor is not None]
        require(
            sum(given) == 1, "size", f"give {'size or scale_factor, not both' if all(given) else 'a size'}"
        )
        require(
            not (self.picks and self.align_corners),
            "align_corners",
            f"mode {self.mode} takes single elements, so it has no corners to align",
        )
        out = self._sized(x) if self.size is not None else self._scaled(x)
        if self.picks:
            for n, m in zip(x[2:], out, strict=True):
                self._require_known(n, m)
        return (*x[:2], *out)

    def _sized(self, x: Shape) -> Shape:
        require_least(1, size=self.size or ())
        return tuple(_each(self.size or (), len(x) - 2, "size"))

    def _scaled(self, x: Shape) -> Shape:
        factors = _each(self.scale_factor or (), len(x) - 2, "scale_factor")
        return tuple(_times(n, factor) for n, factor in zip(x[2:], factors, strict=True))

    def _require_known(self, n: AnyDim, m: AnyDim) -> None:
        """That the elements taken are the same in every target: floats may round to below a whole number."""
        old, new = value(n), value(m)
        known = old is not None and new is not None
        at = "size" if self.size is not None else "scale_factor"
        require(
            not known or rounds_alike(self.kind, old or 1, new or 1),
            at,
            f"mode {self.mode} of an axis of {n} resized to {m}: PyTorch rounds some positions to the element"
            " before, some not; choose another size or mode",
        )
        require(
            known or self._grows(n, m) or shrinkage(n, m) is not None,
            at,
            f"mode {self.mode} of an axis of {n} resized to {m}: which elements are taken is not known unless"
            " the sizes are, or one is a whole multiple of the other that floats divide exactly",
        )

    def forward(self, x: Array) -> Array:
        sizes = self.shape(x.shape)
        for axis in range(2, len(sizes)):
            n, m = x.shape[axis], sizes[axis]
            if n != m:
                parts = taps(self.kind, n, m, self.align_corners)  # type: ignore[arg-type]  # m is a number
                x = sum(np.take(x, index, axis) * _along(weight, axis, x) for index, weight in parts)
        return x

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        for axis in range(2, len(x.shape)):
            if decide("zero", x.shape[axis] - g.shape[axis]) is not True:
                g = self._adjoint(g, axis, x)
        return (g,)

    def _adjoint(self, g: Array, axis: int, x: Array) -> Array:
        """The adjoint of resizing one axis: by blocks where sizes are multiples, else by a matrix."""
        n, m = x.shape[axis], g.shape[axis]
        lead, rest = g.shape[:axis], g.shape[axis + 1 :]
        if self.picks and self._grows(n, m):
            return g.reshape((*lead, n, growth(n, m), *rest)).sum(axis + 1)
        if self.picks and (down := shrinkage(n, m)):
            first = self._first(down)
            zeros = (0,) * len(rest)
            apart = g.reshape((*lead, m, 1, *rest))
            before, after = (0,) * (axis + 1) + (first,), (0,) * (axis + 1) + (down - 1 - first,)
            return pad(apart, before + zeros, after + zeros).reshape((*lead, n, *rest))
        order = list(range(len(g.shape)))
        order[axis], order[-1] = order[-1], order[axis]
        return (g.transpose(tuple(order)) @ self._matrix(n, m, x, axis, g)).transpose(tuple(order))

    def _matrix(self, n: AnyDim, m: AnyDim, x: Array, axis: int, g: Array) -> Array:
        """The matrix [m, n] that resizes an axis; of free sizes, what resizing makes of the identity."""
        if isinstance(n, int) and isinstance(m, int):
            return table(matrix(self.kind, n, m, self.align_corners), g)
        at = function("positions", x, axis=axis)
        identity = cast(equal(at.reshape((n, 1)), at.reshape((1, n))), g).reshape((1, 1, n, n))
        flat = {"mode": FLAT[self.kind], "align_corners": self.align_corners}
        return function("interpolate", identity, size=(n, m), **flat).reshape((n, m)).transpose((1, 0))

    def flops(self, y: Shape, x: Shape) -> Any:
        """A multiply-add for each element that a position is made of; nothing where it is a copy."""
        return 0 if self.picks else prod(y) * 2 * COUNT[self.kind] ** (len(x) - 2)

    def torch(self, x: Operand) -> Code:
        return call("F.interpolate", x, *self._arguments())

    def module(self, x: Shape) -> Code | None:
        free = any(isinstance(n, Dim) for n in self.size or ())
        return None if free else call("nn.Upsample", *self._arguments())

    def _arguments(self) -> tuple[Keyword, ...]:
        size = alike(self.size) if self.size is not None else None
        factors = tuple(int(s) if s == int(s) else s for s in self.scale_factor or ())
        return (
            Keyword("size", size, None),
            Keyword("scale_factor", alike(factors) if factors else None, None),
            Keyword("mode", self.mode, "nearest"),
            Keyword("align_corners", self.align_corners, False),
        )

    def onnx(self, graph: Graph, x: Operand) -> Any:
        y = self.shape(x.shape)
        if not self.picks:
            return self._onnx_resize(graph, x, y)
        wide = tuple(m if self._repeats(x, n, m) else n for n, m in zip(x.shape, y, strict=True))
        out: str = x if wide == x.shape else self._onnx_resize(graph, x, wide)
        for axis, (n, m) in enumerate(zip(wide, y, strict=True)):
            if n != m:
                out = self._onnx_pick(graph, out, n, m, axis)
        return graph.node("Identity", x) if out == x else out

    def _repeats(self, x: Operand, n: AnyDim, m: AnyDim) -> bool:
        """Whether Resize is to grow an axis: where onnxruntime has none, known elements are taken by position."""
        return self._grows(n, m) and (x.dtype == "float32" or value(n) is None or value(m) is None)

    def _grows(self, n: AnyDim, m: AnyDim) -> bool:
        """Whether each element is taken the same whole number of times."""
        k = growth(n, m)
        return k is not None and (value(n) is not None or divides_exactly(self.kind, k))

    def _onnx_pick(self, graph: Graph, x: str, n: AnyDim, m: AnyDim, axis: int) -> str:
        """The elements taken along an axis: every k-th, else by their positions, which ONNX may round otherwise."""
        k, known = shrinkage(n, m), (value(n), value(m))
        if k is not None:
            bounds = ([self._first(k)], [2**63 - 1], [axis], [k])
            every: str = graph.node("Slice", x, *(graph.constant(bound, "int64") for bound in bounds))
            return every
        index = graph.constant(nearest(self.kind, known[0] or 0, known[1] or 0), "int64")
        chosen: str = graph.node("Gather", x, index, axis=axis)
        return chosen

    def _first(self, k: int) -> int:
        """Which of each k elements is taken."""
        return k // 2 if self.kind == "nearest-exact" else 0

    def _onnx_resize(self, graph: Graph, x: Operand, y: Shape) -> Any:
        """`half_pixel`, since `pytorch_half_pixel` differs from torch for an axis of 1."""
        require_float32("Resize", x)
        corners, cubic = "align_corners" if self.align_corners else "half_pixel", self.kind == "cubic"
        rounding = {"nearest": "floor", "nearest-exact": "round_prefer_ceil"}
        return graph.node(
            "Resize",
            x,
            "",
            "",
            graph.sizes(y),
            mode="nearest" if self.picks else self.kind,
            coordinate_transformation_mode="asymmetric" if self.kind == "nearest" else corners,
            nearest_mode=rounding.get(self.kind),
            cubic_coeff_a=CUBIC if cubic else None,
        )

    samples = (
        sample((2, 3, 2, 3), scale_factor=2, flops=0),
        sample((2, 3, 4, 5), size=[7, 3], mode="bilinear", flops=1008),
        sample((2, 1, 3, 4), scale_factor=2, mode="bilinear", align_corners=True),
        sample((1, 2, 4, 3), size=[5, 7], mode="bicubic", flops=2240),
        sample((1, 2, 3, 5), size=[4, 2], mode="bicubic", align_corners=True),
        sample((2, 3, 5), size=8, mode="linear"),
        sample((2, 3, 5), size=3, mode="linear", align_corners=True),
        sample((1, 2, 2, 3, 4), size=[3, 2, 5], mode="trilinear"),
        sample((1, 1, 3, 2, 2), scale_factor=2, mode="trilinear", align_corners=True),
        sample((2, 3, 4, 5), size=[3, 7]),
        sample((2, 3, 6, 4), size=[2, 4], mode="nearest-exact"),
        sample((2, 3, 7), size=5, mode="nearest-exact"),
        sample((2, 2, 3), scale_factor=3, mode="nearest-exact"),
        sample((1, 2, 2, 3, 4), scale_factor=[2, 1, 0.5]),
        sample((2, 3, 6, 4), scale_factor=0.5),
        sample((1, 2, 4, 6), scale_factor=[0.5, 1.5], mode="bilinear"),
        sample((1, 1, 2, 1), size=[84, 1]),
        sample((2, 3, 1, 1), size=[3, 4], mode="bilinear"),
        sample((2, 3, 3, 4), size=1, mode="bilinear"),
        sample((2, 3, 3, 4), size=1, mode="bicubic", align_corners=True),
        sample((2, 3, 4, 5), size=[4, 5]),
        sample((1, 2, 1, 3), size=[2, 3], mode="bicubic"),
        sample((2, 3, 10), scale_factor=0.7, mode="linear"),
        sample((2, 3), size=3, rejects="x"),
        sample((2, 3, 4), size=3, mode="bilinear", rejects="x"),
        sample((2, 3, 4, 5), size=3, mode="trilinear", rejects="x"),
        sample(integers((2, 3, 4), 5), size=3, rejects="x"),
        sample((2, 3, 4, 5), rejects="size"),
        sample((2, 3, 4, 5), size=4, scale_factor=2, rejects="size"),
        sample((2, 3, 4, 5), size=[4, 5, 6], rejects="size"),
        sample((2, 3, 4, 5), size=[4, 0], rejects="size"),
        sample((1, 1, 2, 1), size=[82, 1], rejects="size", without=("torch",)),  # it takes one or the other
        sample((1, 1, 2), size=98, rejects="size", without=("torch",)),  # the same
        sample((1, 1, 2), size=41, mode="nearest-exact", rejects="size", without=("torch",)),  # the same
        sample((2, 3, 4, 5), size=3, align_corners=True, rejects="align_corners"),
        sample((2, 3, 4, 5), size=3, mode="area", rejects="mode", without=("torch",)),  # adaptive_avg_pool2d
        sample((2, 3, 4, 5), scale_factor=[2, 2, 3], rejects="scale_factor"),
        sample((2, 3, 4, 5), scale_factor=-1.0, rejects="scale_factor"),
        sample((2, 3, 7, 5), scale_factor=0.6, rejects="scale_factor", without=("torch",)),  # it cuts to 4
        sample((2, 3, 4, 7), scale_factor=0.5, rejects="scale_factor", without=("torch",)),  # it cuts to 3
        sample((2, 3, 3, 5), scale_factor=0.1, rejects="scale_factor"),
    )


def _each(values: tuple[Any, ...], rank: int, at: str) -> tuple[Any, ...]:
    """One value for each axis of a map, which may be given once for all."""
    require(len(values) in (1, rank), at, f"{at} has {len(values)} values, but the map has {rank} axes")
    return values * rank if len(values) == 1 else values


def _times(n: AnyDim, factor: float) -> AnyDim:
    """The size that `factor` makes of n, which must be whole: a size cut down has other coordinates."""
    require(isfinite(factor) and factor > 0, "scale_factor", f"scale_factor must be positive, not {factor:g}")
    over, under = factor.as_integer_ratio()
    if under <= FINEST:
        fits = divides(under, n)
        require(
            fits, "scale_factor", f"{factor:g} times an axis of {n} is no whole size; give a size instead"
        )
        return n * over // under
    known = value(n)
    require(
        known is not None and known * factor == floor(known * factor),
        "scale_factor",
        f"{factor:g} times an axis of {n} is no whole size that is known; give a size instead",
    )
    return floor((known or 0) * factor)


def _along(weight: Any, axis: int, x: Array) -> Any:
    """The weights of positions along an axis of x, in its precision."""
    shape = tuple(-1 if i == axis else 1 for i in range(len(x.shape)))
    return weight.astype(x.dtype if x.dtype.kind == "f" else "float64").reshape(shape)
