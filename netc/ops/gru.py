"""Gated recurrent units: GRU."""

from __future__ import annotations

from typing import Any

from netc.dims import AnyDim
from netc.ops.code import Code
from netc.ops.contract import Array, Graph, Operand, integers, register, sample
from netc.ops.notation import concat, sigmoid, tanh
from netc.ops.recurrent import Recurrent, State, gate


@register("GRU")
class GRU(Recurrent):
    """h_t = (1 - z) n + z h_(t-1),  n = tanh(a_n + r b_n),  r = sigmoid(a_r + b_r),  z = sigmoid(a_z +
    b_z), where [a_r a_z a_n] = W_ih x_t + b_ih and [b_r b_z b_n] = W_hh h_(t-1) + b_hh.

    The reset gate r scales what the weights made of the state, as in torch and cuDNN, not the state itself
    as in the paper. Gives h of the last layer at every step, and the last h of each layer. It starts from
    h0, as zeros where that is absent. `bidirectional` runs each layer once more from the end, and joins
    what both give; a further layer takes the output of the one below. Weights start uniform within
    1/sqrt(hidden_size); the rows of the gates stand in the order r, z, n.

    There is no dropout between the layers: put it between GRUs of one layer each. Take the outputs by name,
    as in `y, h = x -> GRU(8)`: a chain would lead the states into the next layer, too,
    which is refused.

    Shape: x [T, N, D] ([N, T, D] with `batch_first`) -> [T, N, directions H] and h [layers directions, N,
    H], H being `hidden_size`; h0 is shaped as h.
    Gradient: back-propagation through time, over a length T that must be known.
    Source: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder (2014);
    https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html
    """

    operands = ("x", "h0?")
    analytic = True
    short = "gru"
    gates, onnx_gates = 3, (1, 0, 2)
    cost = 16  # two sigmoids and a tanh, a sum in each of three gates, and four operations on the state

    hidden_size: AnyDim
    num_layers: int = 1
    bias: bool = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False

    def step(self, xw: Array, hw: Array, state: State) -> tuple[State, Any]:
        (h,), size = state, self.hidden_size
        r, z = (sigmoid(gate(xw, k, size) + gate(hw, k, size)) for k in (0, 1))
        held = gate(hw, 2, size)
        n = tanh(gate(xw, 2, size) + r * held)
        return ((1 - z) * n + z * h,), (r, z, n, held, h)

    def back(self, saved: Any, grads: State) -> tuple[Array, Array, State]:
        r, z, n, held, h = saved
        (dh,) = grads
        d_n = dh * (1 - z) * (1 - n * n)
        d_r = d_n * held * r * (1 - r)
        d_z = dh * (h - n) * z * (1 - z)
        return concat([d_r, d_z, d_n], axis=1), concat([d_r, d_z, d_n * r], axis=1), (dh * z,)

    def torch(self, x: Operand, *rest: Operand) -> Code:
        return self.torch_call("torch.gru", x, *rest)

    def onnx(self, graph: Graph, x: Operand, *rest: Operand) -> Any:
        return self.onnx_layers(graph, x, *rest, linear_before_reset=1)

    samples = (
        # rows of 3 H gates: 2 * 3 * 12 * (5 + 4) multiply-adds; 24 units, each 16 and two biases of three gates
        sample((2, 3, 5), hidden_size=4, macs=648, flops=2 * 648 + 24 * (16 + 6)),
        sample((2, 3, 5), hidden_size=4, bias=False, flops=2 * 648 + 24 * 16),
        sample((3, 2, 4), hidden_size=5, batch_first=True),
        sample((4, 2, 3), hidden_size=2, num_layers=2, macs=8 * 6 * (3 + 2 + 2 + 2)),
        sample((3, 2, 4), hidden_size=3, bidirectional=True, macs=6 * 9 * 2 * (4 + 3)),
        sample((2, 3, 4), hidden_size=2, num_layers=2, bidirectional=True, batch_first=True),
        sample((3, 2, 4), (1, 2, 5), hidden_size=5),
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
        sample(
            (3, 2, 4), hidden_size=5, dropout=0.5, rejects="dropout", without=("torch",)
        ),  # torch draws it
    )
