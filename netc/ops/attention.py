"""Attention: scaled_dot_product_attention."""

from __future__ import annotations

from math import inf, prod, sqrt
from typing import Any

from netc.dims import AnyDim, Dim, Shape, decide, same, show
from netc.ops.code import Code, Keyword, call
from netc.ops.contract import (
    FLOATS,
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
from netc.ops.notation import equal, extent, function, unbroadcast, where


@register("scaled_dot_product_attention")
class ScaledDotProductAttention(Op):
    """y = softmax(q k^T scale + mask) v along the keys; `scale` is 1 / sqrt(E) unless given.

    A mask of bools keeps the keys where it is true, as in torch's function and unlike
    nn.MultiheadAttention, where true leaves a key out; a mask of floats is added. It broadcasts to [..., L,
    S]. `is_causal` lets query i see the keys up to i, counted from the first of both, also where L is not
    S. A query that sees no key gets zeros, and passes no gradient on, in every target.

    Shape: q [..., L, E], k [..., S, E], v [..., S, D], mask of at most as many axes -> y [..., L, D].
    Gradient: with the weights p and dp = g v^T, ds = p (dp - sum(p dp)); dq = ds k scale, dk = ds^T q
    scale, dv = p^T g, and for a mask of floats ds, summed over what was broadcast.
    Source: Vaswani et al., Attention Is All You Need (2017), arXiv:1706.03762;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
    """

    analytic = True
    operands = ("q", "k", "v", "mask?")

    is_causal: bool = False
    scale: float | None = None

    def shape(self, q: Shape, k: Shape, v: Shape, *mask: Shape) -> Shape:
        for name, x in (("q", q), ("k", k), ("v", v)):
            require(len(x) >= 2, name, f"{name} is {show(x)}, but attention takes [..., tokens, features]")
        for name, x in (("k", k), ("v", v)):
            alike = len(x) == len(q) and all(same(n, m) for n, m in zip(x[:-2], q[:-2], strict=True))
            require(
                alike, name, f"{name} is {show(x)} and q is {show(q)}: all but the last two axes must agree"
            )
        require(same(k[-1], q[-1]), "k", f"k has {k[-1]} features, but q has {q[-1]}")
        require(same(v[-2], k[-2]), "v", f"v has {v[-2]} tokens, but k has {k[-2]}")
        above = self.scale is None or self.scale > 0
        require(above, "scale", f"scale must be above 0, not {self.scale}: PyTorch takes its root")
        if mask:
            require(
                not self.is_causal,
                "mask",
                "mask comes with is_causal, which hides keys itself: take one of the two",
            )
            self._require_mask(mask[0], (*q[:-1], k[-2]))
        return (*q[:-1], v[-1])

    def _require_mask(self, mask: Shape, scores: Shape) -> None:
        said = f"mask is {show(mask)}, which does not broadcast to {show(scores)}"
        require(2 <= len(mask) <= len(scores), "mask", said)
        fits = zip(mask, scores[len(scores) - len(mask) :], strict=True)
        require(all(decide("zero", n - 1) is True or same(n, m) for n, m in fits), "mask", said)

    def dtype(self, q: str, k: str, v: str, *mask: str) -> str:
        made = super().dtype(q, k, v)
        assert isinstance(made, str)
        for kind in mask:
            require(kind in ("bool", q), "mask", f"mask is {kind}, neither bool nor {q} as q")
        return made

    # -- numbers --------------------------------------------------------------------------------
    def forward(self, q: Array, k: Array, v: Array, *mask: Array) -> Array:
        return self._weights(q, k, *mask) @ v

    def vjp(self, g: Array, y: Array, q: Array, k: Array, v: Array, *mask: Array) -> tuple[Array | None, ...]:
        p = self._weights(q, k, *mask)
        dp = g @ _turned(v)
        ds = p * (dp - (dp * p).sum(-1, keepdims=True))
        scaled = ds * self._scale(q)
        d_mask = [unbroadcast(ds, m.shape) if str(m.dtype) in FLOATS else None for m in mask]
        return (scaled @ k, _turned(scaled) @ q, _turned(p) @ g, *d_mask)

    def _scale(self, q: Array) -> Any:
        if self.scale is not None:
            return self.scale
        features = q.shape[-1]
        return extent(features, q) ** -0.5 if isinstance(features, Dim) else 1 / sqrt(features)

    def _weights(self, q: Array, k: Array, *mask: Array) -> Array:
        """What each query takes of each value [..., L, S]."""
        scores = q @ _turned(k) * self._scale(q)
        if self.is_causal:
            scores = where(_causal(scores), scores, -inf)
        if not mask:
            return function("softmax", scores, axis=-1)
        chosen = str(mask[0].dtype) == "bool"
        scores = where(mask[0], scores, -inf) if chosen else scores + mask[0]
        blind = equal(scores.max(-1, keepdims=True), -inf)
        return where(blind, 0.0, function("softmax", where(blind, 0.0, scores), axis=-1))

    # -- cost -----------------------------------------------------------------------------------
    def flops(self, y: Shape, q: Shape, k: Shape, v: Shape, *mask: Shape) -> Any:
        """The scores are scaled, masked and go through a softmax of five operations."""
        return 2 * self.macs(y, q, k, v) + prod(q[:-1]) * k[-2] * (6 + len(mask))

    def macs(self, y: Shape, q: Shape, k: Shape, v: Shape, *mask: Shape) -> Any:
        return prod(q[:-1]) * k[-2] * (q[-1] + v[-1])

    # -- spellings ------------------------------------------------------------------------------
    def torch(self, q: Operand, k: Operand, v: Operand, *mask: Operand) -> Code:
        return call(
            "F.scaled_dot_product_attention",
            q,
            k,
            v,
            *(f"attn_mask={m}" for m in mask),
            Keyword("is_causal", self.is_causal, False),
            Keyword("scale", self.scale, None),
        )

    def onnx(self, graph: Graph, q: Operand, k: Operand, v: Operand, *mask: Operand) -> Any:
        axes = list(range(len(k.shape)))
        turned = graph.node("Transpose", k, perm=[*axes[:-2], axes[-1], axes[-2]])
        scores = graph.node("Mul", graph.node("MatMul", q, turned), self._onnx_scale(graph, q))
        if self.is_causal:
            seen = _onnx_causal(graph, q.shape[-2], k.shape[-2])
            scores = graph.node("Where", seen, scores, graph.constant(-inf, q.dtype))
        if not mask:
            return graph.node("MatMul", graph.node("Softmax", scores, axis=-1), v)
        added, nothing = mask[0].dtype != "bool", graph.constant(-inf, q.dtype)
        scores = (
            graph.node("Add", scores, mask[0]) if added else graph.node("Where", mask[0], scores, nothing)
        )
        blind = graph.node("Equal", graph.reduce("ReduceMax", scores, [len(axes) - 1], True), nothing)
        weights = graph.node("Softmax", scores, axis=-1)
        weights = graph.node("Where", blind, graph.constant(0.0, q.dtype), weights)
        return graph.node("MatMul", weights, v)

    def _onnx_scale(self, graph: Graph, q: Operand) -> str:
        features = q.shape[-1]
        if self.scale is not None:
            return graph.constant(self.scale, q.dtype)
        if isinstance(features, int):
            return graph.constant(1 / sqrt(features), q.dtype)
        root = graph.node("Sqrt", cast_node(graph, graph.sizes((features,)), q.dtype))
        inverse: str = graph.node("Reciprocal", root)
        return inverse

    samples = (
        # 2 * 3 * 4 scores of 5 and 6 features: 24 * 11 multiply-adds, and 6 operations a score
        sample((2, 3, 5), (2, 4, 5), (2, 4, 6), macs=264, flops=2 * 264 + 24 * 6),
        sample(
            (2, 3, 5), (2, 4, 5), (2, 4, 6), given(*[[1, 0, 1, 1]] * 3, dtype="bool"), flops=2 * 264 + 24 * 7
        ),
        sample((2, 1, 3, 4), (2, 1, 5, 4), (2, 1, 5, 2), is_causal=True),
        sample((1, 2, 5, 4), (1, 2, 3, 4), (1, 2, 3, 4), is_causal=True, scale=0.3),
        sample((1, 2, 4, 4), (1, 2, 4, 4), (1, 2, 4, 3), scale=1.0),
        sample((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 3), (3, 5)),
        sample((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 3), (2, 1, 1, 5)),
        sample((2, 2, 3, 1), (2, 2, 2, 1), (2, 2, 2, 1), integers((2, 2, 3, 2), 2, "bool")),
        sample((2, 3), (4, 3), (4, 5)),
        sample((1, 1), (1, 1), (1, 1), is_causal=True),
        # queries that see no key: the middle one here, and the first for the mask that is added
        sample((3, 2), (2, 2), (2, 3), given((1, 0), (0, 0), (1, 1), dtype="bool")),
        sample(
            (1, 2, 2),
            (1, 3, 2),
            (1, 3, 2),
            given((-inf,) * 3, (0.5, -inf, 1.0)),
            without=("numeric gradient",),
        ),  # infinite mask
        sample(
            (3, 5), (4, 5), (4, 6), scale=0.0, rejects="scale", without=("torch",)
        ),  # torch: NaN, or the mean
        sample((5,), (4, 5), (4, 6), rejects="q"),
        sample((3, 5), (5,), (4, 6), rejects="k"),
        sample((3, 5), (4, 5), (4,), rejects="v"),
        sample((2, 3, 5), (3, 4, 5), (2, 4, 6), rejects="k"),
        sample((2, 3, 5), (2, 4, 5), (4, 6), rejects="v", without=("torch",)),  # torch broadcasts
        sample((2, 3, 5), (2, 4, 6), (2, 4, 6), rejects="k"),
        sample((2, 3, 5), (2, 4, 5), (2, 3, 6), rejects="v"),
        sample((2, 3, 5), (2, 4, 5), (2, 4, 6), (3, 4), is_causal=True, rejects="mask"),
        sample((2, 3, 5), (2, 4, 5), (2, 4, 6), (3, 5), rejects="mask"),
        sample((2, 3, 5), (2, 4, 5), (2, 4, 6), (4,), rejects="mask", without=("torch",)),  # torch takes it
        sample((2, 3, 5), (2, 4, 5), (2, 4, 6), (2, 2, 3, 4), rejects="mask", without=("torch",)),  # the same
        sample((2, 3, 5), (2, 4, 5), (2, 4, 6), integers((3, 4), 2), rejects="mask"),
        sample(integers((3, 5), 9), (4, 5), (4, 6), rejects="q"),
    )


def _turned(x: Array) -> Array:
    """x with its last two axes exchanged."""
    axes = tuple(range(len(x.shape)))
    return x.transpose((*axes[:-2], axes[-1], axes[-2]))


def _causal(scores: Array) -> Array:
    """Whether query i may see key j: j <= i."""
    queries, keys = (function("positions", scores, axis=axis) for axis in (-2, -1))
    return keys <= queries.reshape((scores.shape[-2], 1))


def _onnx_causal(graph: Graph, queries: AnyDim, keys: AnyDim) -> str:
    zero, one = graph.constant(0, "int64"), graph.constant(1, "int64")
    first = graph.constant([0], "int64")
    i, j = (
        graph.node("Range", zero, graph.node("Squeeze", graph.sizes((n,)), first), one)
        for n in (queries, keys)
    )
    column = graph.node("Unsqueeze", i, graph.constant([1], "int64"))
    kept: str = graph.node("LessOrEqual", j, column)
    return kept
