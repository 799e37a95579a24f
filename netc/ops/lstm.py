"""Long short-term memory: LSTM."""

from __future__ import annotations

from typing import Any

from netc.dims import AnyDim
from netc.ops.code import Code
from netc.ops.contract import Array, Graph, Operand, integers, register, sample
from netc.ops.notation import concat, sigmoid, tanh
from netc.ops.recurrent import Recurrent, State, gate


@register("LSTM")
class LSTM(Recurrent):
    """c_t = f c_(t-1) + i g,  h_t = o tanh(c_t),  where [i f g o] = W_ih x_t + b_ih + W_hh h_(t-1) + b_hh,
    i, f and o through a sigmoid and g through tanh.

    Gives h of the last layer at every step, and the last h and c of each layer. They start from h0 and c0,
    both or neither; as zeros where these are absent. `bidirectional` runs each layer once more from the
    end, and joins what both give; a further layer takes the output of the one below. Weights start uniform
    within 1/sqrt(hidden_size); the rows of the gates stand in the order i, f, g, o.

    There is no dropout between the layers: put it between LSTMs of one layer each. Take the outputs by
    name, as in `y, h, c = x -> LSTM(8)`: a chain would lead the states into the next layer, too,
    which is refused.

    Shape: x [T, N, D] ([N, T, D] with `batch_first`) -> [T, N, directions H], h [layers directions, N, H]
    and c likewise, H being `hidden_size`; h0 and c0 are shaped as h and c.
    Gradient: back-propagation through time, over a length T that must be known.
    Source: Hochreiter and Schmidhuber, Long Short-term Memory (1997), with the forget gate of Gers,
    Schmidhuber and Cummins (2000); https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
    """

    operands = ("x", "h0?", "c0?")
    nested = True
    analytic = True
    short = "lstm"
    gates, onnx_gates = 4, (0, 3, 1, 2)
    cost = 22  # three sigmoids, two tanhs, a sum in each of four gates, and four operations on the state

    hidden_size: AnyDim
    num_layers: int = 1
    bias: bool = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False

    def step(self, xw: Array, hw: Array, state: State) -> tuple[State, Any]:
        a, c = xw + hw, state[1]
        i, f, o = (sigmoid(gate(a, k, self.hidden_size)) for k in (0, 1, 3))
        g = tanh(gate(a, 2, self.hidden_size))
        new = f * c + i * g
        y = tanh(new)
        return (o * y, new), (i, f, g, o, c, y)

    def back(self, saved: Any, grads: State) -> tuple[Array, Array, State]:
        i, f, g, o, c, y = saved
        dh, dc = grads
        dc = dc + dh * o * (1 - y * y)
        da = concat(
            [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g), dh * y * o * (1 - o)], axis=1
        )
        return da, da, (0.0, dc * f)

    def torch(self, x: Operand, *rest: Operand) -> Code:
        return self.torch_call("torch.lstm", x, *rest)

    def onnx(self, graph: Graph, x: Operand, *rest: Operand) -> Any:
        return self.onnx_layers(graph, x, *rest)

    samples = (
        # rows of 4 H gates: 2 * 3 * 16 * (5 + 4) multiply-adds; 24 units, each 22 and two biases of four gates
        sample((2, 3, 5), hidden_size=4, macs=864, flops=2 * 864 + 24 * (22 + 8)),
        sample((2, 3, 5), hidden_size=4, bias=False, flops=2 * 864 + 24 * 22),
        sample((3, 2, 4), hidden_size=5, batch_first=True),
        sample((4, 2, 3), hidden_size=2, num_layers=2, macs=8 * 8 * (3 + 2 + 2 + 2)),
        sample((3, 2, 4), hidden_size=3, bidirectional=True, macs=6 * 12 * 2 * (4 + 3)),
        sample((2, 3, 4), hidden_size=2, num_layers=2, bidirectional=True, batch_first=True),
        sample((3, 2, 4), (1, 2, 5), (1, 2, 5), hidden_size=5),
        sample(
            (2, 3, 4), (4, 2, 3), (4, 2, 3), hidden_size=3, num_layers=2, bidirectional=True, batch_first=True
        ),
        sample((3, 2, 4), (3, 2, 2), (3, 2, 2), hidden_size=2, num_layers=3, bias=False),
        sample((1, 2, 3), hidden_size=4),
        sample((1, 1, 1), hidden_size=1, bidirectional=True),
        sample((3, 2, 4), (1, 2, 5), hidden_size=5, rejects="h0"),
        sample((3, 2, 4), (1, 2, 5), (1, 3, 5), hidden_size=5, rejects="c0"),
        sample((3, 2, 4), (2, 5), (2, 5), hidden_size=5, rejects="h0"),
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
