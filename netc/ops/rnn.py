"""The plain recurrent layer: RNN."""

from __future__ import annotations

from typing import Any, Literal

from netc.dims import AnyDim
from netc.ops.arrays import np
from netc.ops.code import Argument, Code, Keyword
from netc.ops.contract import Array, Graph, Operand, integers, register, sample
from netc.ops.notation import cast, function
from netc.ops.recurrent import Recurrent, State


@register("RNN")
class RNN(Recurrent):
    """h_t = f(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), f being tanh or, as `nonlinearity` says, relu.

    Gives h of the last layer at every step, and the last h of each layer. It starts from h0, as zeros where
    that is absent. `bidirectional` runs each layer once more from the end, and joins what both give; a
    further layer takes the output of the one below. Weights start uniform within 1/sqrt(hidden_size).

    There is no dropout between the layers: put it between RNNs of one layer each. Take the outputs by name,
    as in `y, h = x -> RNN(8)`: a chain would lead the states into the next layer, too,
    which is refused.

    Shape: x [T, N, D] ([N, T, D] with `batch_first`) -> [T, N, directions H] and h [layers directions, N,
    H], H being `hidden_size`; h0 is shaped as h.
    Gradient: back-propagation through time, over a length T that must be known; that of relu at 0 is 0.
    Source: Elman, Finding Structure in Time (1990);
    https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html
    """

    analytic = True
    operands = ("x", "h0?")
    short = "rnn"
    gates, onnx_gates = 1, (0,)
    cost = 2  # a sum and the nonlinearity

    hidden_size: AnyDim
    num_layers: int = 1
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    bias: bool = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False

    def step(self, xw: Array, hw: Array, state: State) -> tuple[State, Any]:
        h = function(self.nonlinearity, xw + hw)
        return (h,), h

    def back(self, saved: Any, grads: State) -> tuple[Array, Array, State]:
        h, (dh,) = saved, grads
        da = dh * (1 - h * h) if self.nonlinearity == "tanh" else dh * cast(h > 0, h)
        return da, da, (0.0,)

    def branch(self, x: Array, *rest: Array) -> Array | None:
        if self.nonlinearity == "tanh":
            return None
        states, weights = self._apart(rest)
        _, tapes = self._run(self._by_time(x), states, weights)
        return np.stack([np.asarray(h) > 0 for tape in tapes for h in tape.saved])

    def _keywords(self) -> tuple[Argument, ...]:
        layers, *others = super()._keywords()
        return (layers, Keyword("nonlinearity", self.nonlinearity, "tanh"), *others)

    def torch(self, x: Operand, *rest: Operand) -> Code:
        return self.torch_call(f"torch.rnn_{self.nonlinearity}", x, *rest)

    def onnx(self, graph: Graph, x: Operand, *rest: Operand) -> Any:
        each = {"tanh": "Tanh", "relu": "Relu"}[self.nonlinearity]
        return self.onnx_layers(graph, x, *rest, activations=[each] * self.directions)

    samples = (
        # 2 * 3 * 4 * (5 + 4) multiply-adds; 24 units, each 2 and two biases
        sample((2, 3, 5), hidden_size=4, macs=216, flops=2 * 216 + 24 * (2 + 2)),
        sample((2, 3, 5), hidden_size=4, bias=False, flops=2 * 216 + 24 * 2),
        sample((2, 3, 5), hidden_size=4, nonlinearity="relu"),
        sample((3, 2, 4), hidden_size=5, batch_first=True),
        sample((4, 2, 3), hidden_size=2, num_layers=2, nonlinearity="relu", macs=8 * 2 * (3 + 2 + 2 + 2)),
        sample((3, 2, 4), hidden_size=3, bidirectional=True, macs=6 * 3 * 2 * (4 + 3)),
        sample(
            (2, 3, 4), hidden_size=2, num_layers=2, nonlinearity="relu", bidirectional=True, batch_first=True
        ),
        sample((3, 2, 4), (1, 2, 5), hidden_size=5, nonlinearity="relu"),
        sample((2, 3, 4), (4, 2, 3), hidden_size=3, num_layers=2, bidirectional=True, batch_first=True),
        sample((3, 2, 4), (3, 2, 2), hidden_size=2, num_layers=3, bias=False),
        sample((1, 2, 3), hidden_size=4),
        sample((1, 1, 1), hidden_size=1, bidirectional=True, bias=False),
        sample((3, 2, 4), (1, 3, 5), hidden_size=5, rejects="h0"),
        sample((3, 2, 4), (2, 5), hidden_size=5, rejects="h0"),
        sample((3, 4), hidden_size=5, rejects="x", without=("torch",)),  # torch takes a single sequence, too
        sample(
            integers((3, 2, 4), 5), hidden_size=5, rejects="x", without=("torch",)
        ),  # drawn as floats there
        sample((3, 2, 4), hidden_size=0, rejects="hidden_size"),
        sample((3, 2, 4), hidden_size=5, num_layers=0, rejects="num_layers"),
        sample((3, 2, 4), hidden_size=5, nonlinearity="sin", rejects="nonlinearity"),
        sample(
            (3, 2, 4), hidden_size=5, dropout=0.5, rejects="dropout", without=("torch",)
        ),  # torch draws it
    )
