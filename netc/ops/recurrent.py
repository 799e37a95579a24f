"""What LSTM, GRU and RNN share: layers and directions, the steps through time and back, the layout in ONNX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

from netc.budget import spend
from netc.dims import AnyDim, Shape, at_least, same, show, value
from netc.ops.code import Argument, Code, Hole, Keyword, call
from netc.ops.contract import Array, Graph, Init, Op, Operand, Parameter, require
from netc.ops.notation import concat, function
from netc.ops.window import require_float32

State = tuple[Array, ...]
PLACE = 40  # the work of making the parameters of one direction of one layer


@dataclass(frozen=True)
class Weights:
    """The parameters of one direction of one layer; a bias that it lacks is 0."""

    ih: Array
    hh: Array
    b_ih: Array = 0.0
    b_hh: Array = 0.0


@dataclass(frozen=True)
class Tape:
    """One direction of one layer, run: what its steps leave for the way back, in the order in which they ran."""

    x: Array
    weights: Weights
    times: Sequence[int]
    before: Sequence[State]
    saved: Sequence[Any]
    after: State


class Recurrent(Op):
    """An op that passes a state along the time axis of x, with weights for each layer and direction."""

    hidden_size: AnyDim
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool

    gates: ClassVar[int]  # how many blocks of hidden_size rows the weights have
    onnx_gates: ClassVar[tuple[int, ...]]  # ONNX's gates in order, by their place in torch's
    cost: ClassVar[int]  # flops of a step beside matrix products and biases, for each hidden unit

    def step(self, xw: Array, hw: Array, state: State) -> tuple[State, Any]:
        """The next state, whose first part is the output, and what `back` needs.

        xw, hw: the parts of x and of the state before in the gates [N, gates * hidden_size].
        """
        raise NotImplementedError

    def back(self, saved: Any, grads: State) -> tuple[Array, Array, State]:
        """The gradients of xw, of hw, and of the state before as far as it does not pass through hw."""
        raise NotImplementedError

    # -- rules ----------------------------------------------------------------------------------
    def shape(self, x: Shape, *states: Shape) -> list[Shape]:
        axes = "[N, T, D]" if self.batch_first else "[T, N, D]"
        require(len(x) == 3, "x", f"x is {show(x)}, but {self.name} takes {axes}")
        self._require_attributes()
        start = (self.num_layers * self.directions, x[0 if self.batch_first else 1], self.hidden_size)
        for name, given in zip(self.operand_names(1 + len(states))[1:], states, strict=True):
            alike = len(given) == 3 and all(same(n, m) for n, m in zip(given, start, strict=True))
            wanted = "[num_layers * directions, N, hidden_size]"
            require(alike, name, f"{name} is {show(given)}, not {show(start)}: {wanted}")
        whole = len(states) in (0, self.states)
        require(whole, "h0", f"h0 comes alone, but {self.name} starts from all of its states or from none")
        return [(*x[:2], self.directions * self.hidden_size), *((start,) * self.states)]

    def _require_attributes(self) -> None:
        size, layers = self.hidden_size, self.num_layers
        require(at_least(size, 1), "hidden_size", f"hidden_size must be at least 1, not {size}")
        require(layers >= 1, "num_layers", f"num_layers must be at least 1, not {layers}")
        between = f"put dropout between {self.name}s of one layer each"
        require(self.dropout == 0, "dropout", f"only 0 is taken here; for dropout between layers, {between}")

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def states(self) -> int:
        return len(self.operands) - 1

    def params(self, x: Shape, *rest: Shape) -> dict[str, Parameter]:
        rows, start = self.gates * self.hidden_size, Init("fan_in", self.hidden_size)
        found: dict[str, Parameter] = {}
        for suffix, width in self._places(x[-1]):
            found[f"weight_ih_{suffix}"] = Parameter((rows, width), start)
            found[f"weight_hh_{suffix}"] = Parameter((rows, self.hidden_size), start)
            for name in ("bias_ih", "bias_hh") if self.bias else ():
                found[f"{name}_{suffix}"] = Parameter((rows,), start)
        return found

    def _places(self, width: AnyDim) -> Iterator[tuple[str, AnyDim]]:
        """The suffix of each direction of each layer, and how wide its input is."""
        spend(PLACE * self.num_layers * self.directions)
        for layer in range(self.num_layers):
            for reverse in ("", "_reverse")[: self.directions]:
                yield f"l{layer}{reverse}", width
            width = self.directions * self.hidden_size

    def macs(self, y: Any, x: Shape, *rest: Shape) -> Any:
        widths = sum(width + self.hidden_size for _, width in self._places(x[-1]))
        return prod(x[:2]) * self.gates * self.hidden_size * widths

    def flops(self, y: Any, x: Shape, *rest: Shape) -> Any:
        """A sigmoid or a tanh is counted as such a layer is, a bias as an addition."""
        units = prod(x[:2]) * self.num_layers * self.directions * self.hidden_size
        return 2 * self.macs(y, x) + units * (self.cost + 2 * self.gates * self.bias)

    # -- numbers --------------------------------------------------------------------------------
    def forward(self, x: Array, *rest: Array) -> tuple[Array, ...]:
        states, weights = self._apart(rest)
        y, tapes = self._run(self._by_time(x), states, weights)
        ends = zip(*(tape.after for tape in tapes), strict=True)
        return (self._by_time(y), *(function("stack", *end, axis=0) for end in ends))

    def vjp(self, g: Any, y: Any, x: Array, *rest: Array) -> tuple[Array, ...]:
        states, weights = self._apart(rest)
        _, tapes = self._run(self._by_time(x), states, weights)
        dy = self._by_time(g[0])
        starts: list[State] = []
        grads: list[Array] = []
        for layer in reversed(range(self.num_layers)):
            first = layer * self.directions
            dx: Array = 0.0
            made: list[Array] = []
            for place in range(first, first + self.directions):
                part = gate(dy, place - first, self.hidden_size)
                d_input, d_start, d_weights = self._through(tapes[place], part, [d[place] for d in g[1:]])
                dx, made = dx + d_input, [*made, *d_weights]
                starts.insert(place - first, d_start)
            dy, grads = dx, [*made, *grads]
        begun = zip(*starts, strict=True) if states else ()
        return (self._by_time(dy), *(function("stack", *start, axis=0) for start in begun), *grads)

    def _apart(self, rest: Sequence[Array]) -> tuple[Sequence[Array], list[Weights]]:
        """The states given, and the weights of each direction of each layer."""
        each = 4 if self.bias else 2
        count = each * self.num_layers * self.directions
        params = rest[len(rest) - count :]
        return rest[: len(rest) - count], [Weights(*params[i : i + each]) for i in range(0, count, each)]

    def _by_time(self, x: Array) -> Array:
        return x.transpose((1, 0, 2)) if self.batch_first else x

    def _run(self, x: Array, states: Sequence[Array], weights: list[Weights]) -> tuple[Array, list[Tape]]:
        """The output of the last layer, and a tape for each direction of each layer."""
        tapes: list[Tape] = []
        for layer in range(self.num_layers):
            ys: list[Array] = []
            for direction in range(self.directions):
                place = layer * self.directions + direction
                start = tuple(s[place] for s in states) or (0.0,) * self.states
                y, tape = self._along(x, start, weights[place], bool(direction))
                ys, tapes = [*ys, y], [*tapes, tape]
            x = concat(ys, axis=2) if len(ys) > 1 else ys[0]
        return x, tapes

    def _along(self, x: Array, state: State, weights: Weights, backwards: bool) -> tuple[Array, Tape]:
        """One direction: the state passed along time, each step's output in the order of x."""
        length = value(x.shape[0])
        require(
            length is not None, "x", f"the gradient of {self.name} needs a known length, not {x.shape[0]}"
        )
        times = range(length or 0)[:: -1 if backwards else 1]
        xw = x @ weights.ih.transpose((1, 0)) + weights.b_ih
        before, saved, outputs = [], [], []
        for t in times:
            before.append(state)
            state, kept = self.step(xw[t], _onto(state[0], weights), state)
            saved.append(kept)
            outputs.append(state[0])
        y = function("stack", *outputs[:: -1 if backwards else 1], axis=0)
        return y, Tape(x, weights, times, before, saved, state)

    def _through(self, tape: Tape, dy: Array, ends: list[Array]) -> tuple[Array, State, list[Array]]:
        """Back through time: the gradients of a direction's input, first state and parameters."""
        state: State = tuple(ends)
        by_time: dict[int, Array] = {}
        onto: list[Array] = []
        for t, kept in zip(reversed(tape.times), reversed(tape.saved), strict=True):
            d_xw, d_hw, direct = self.back(kept, (state[0] + dy[t], *state[1:]))
            state = (direct[0] + d_hw @ tape.weights.hh, *direct[1:])
            by_time[t] = d_xw
            onto.insert(0, d_hw)
        d_xw = function("stack", *(by_time[t] for t in sorted(by_time)), axis=0)
        d_hh = self._into_states(tape, onto)
        biases = [d_xw.sum((0, 1)), function("stack", *onto, axis=0).sum((0, 1))] if self.bias else []
        return d_xw @ tape.weights.ih, state, [_product(d_xw, tape.x), d_hh, *biases]

    def _into_states(self, tape: Tape, onto: list[Array]) -> Array:
        """The gradient of weight_hh; a state that starts as zeros adds nothing to it."""
        held = [(d, s[0]) for d, s in zip(onto, tape.before, strict=True) if not isinstance(s[0], float)]
        if not held:
            return function("full_like", tape.weights.hh, fill_value=0.0)
        ds, hs = (function("stack", *each, axis=0) for each in zip(*held, strict=True))
        return _product(ds, hs)

    # -- spellings ------------------------------------------------------------------------------
    def module(self, x: Shape, *rest: Shape) -> Code:
        return call(
            f"nn.{self.name}",
            Hole(x[-1], "input_size"),
            Hole(self.hidden_size, "hidden_size"),
            *self._keywords(),
        )

    def _keywords(self) -> tuple[Argument, ...]:
        return (
            Keyword("num_layers", self.num_layers, 1),
            Keyword("bias", self.bias, True),
            Keyword("batch_first", self.batch_first, False),
            Keyword("bidirectional", self.bidirectional, False),
        )

    def torch_call(self, function: str, x: Operand, *rest: Operand) -> Code:
        """The functional form, which is told its parameters in a list."""
        count = (4 if self.bias else 2) * self.num_layers * self.directions
        states, params = rest[: len(rest) - count], rest[len(rest) - count :]
        batch = f"{x}.shape[{0 if self.batch_first else 1}]"
        layers = self.num_layers * self.directions
        zeros = f"{x}.new_zeros({layers}, {batch}, {self.hidden_size})"
        given = [str(s) for s in states] or [zeros] * self.states
        start = given[0] if self.states == 1 else f"({', '.join(given)})"
        flags = (Hole(self.bias), Hole(self.num_layers), "0.0, False", Hole(self.bidirectional))
        return call(function, x, start, f"[{', '.join(params)}]", *flags, Hole(self.batch_first))

    def onnx_layers(self, graph: Graph, x: Operand, *rest: Operand, **attributes: Any) -> tuple[str, ...]:
        """A node for each layer: [T, N, D] to [T, directions, N, H], and the states in [directions, N, H]."""
        require_float32(self.name, x)
        states, weights = self._apart(rest)
        y = graph.node("Transpose", x, perm=[1, 0, 2]) if self.batch_first else str(x)
        ends: list[list[str]] = [[] for _ in range(self.states)]
        for layer in range(self.num_layers):
            mine = slice(layer * self.directions, (layer + 1) * self.directions)
            given = [_rows(graph, s, mine, self.num_layers) for s in states]
            operands = self._onnx_weights(graph, weights[mine])
            y, *lasts = graph.node(
                self.name, y, *operands, "", *given, outputs=1 + self.states,
                hidden_size=self.hidden_size, direction="bidirectional" if self.bidirectional else None,
                **attributes,
            )  # fmt: skip
            y = self._joined(graph, y, self.batch_first and layer == self.num_layers - 1)
            ends = [[*held, last] for held, last in zip(ends, lasts, strict=True)]
        return (y, *(graph.node("Concat", *e, axis=0) if len(e) > 1 else e[0] for e in ends))

    def _onnx_weights(self, graph: Graph, weights: Sequence[Weights]) -> list[str]:
        """W, R and B, with a leading axis of directions and ONNX's order of gates."""
        biases = [[w.b_ih for w in weights], [w.b_hh for w in weights]] if self.bias else []
        groups = [[w.ih for w in weights], [w.hh for w in weights], *biases]
        w, r, *b = [
            _stacked(graph, [self._in_order(graph, part) for part in group], self.bidirectional)
            for group in groups
        ]
        return [w, r, graph.node("Concat", *b, axis=1) if b else ""]

    def _in_order(self, graph: Graph, weight: str) -> str:
        if self.gates == 1:
            return weight
        sizes = graph.sizes((self.hidden_size,) * self.gates)
        parts = graph.node("Split", weight, sizes, axis=0, outputs=self.gates)
        ordered: str = graph.node("Concat", *(parts[i] for i in self.onnx_gates), axis=0)
        return ordered

    def _joined(self, graph: Graph, y: str, batch_first: bool) -> str:
        """[T, directions, N, H] to [T, N, directions * H], or [N, T, directions * H].

        The Transpose comes first: one that a MatMul reads makes onnxruntime 1.31 crash on float16 at its default
        level of optimization (MatmulTransposeFusion).
        """
        if not (batch_first or self.bidirectional):
            return str(graph.node("Squeeze", y, graph.constant([1], "int64")))
        turned = graph.node("Transpose", y, perm=[2, 0, 1, 3] if batch_first else [0, 2, 1, 3])
        if not self.bidirectional:
            return str(graph.node("Squeeze", turned, graph.constant([2], "int64")))
        return str(graph.node("Reshape", turned, graph.constant([0, 0, -1], "int64"), allowzero=0))


def gate(a: Array, k: int, size: AnyDim) -> Array:
    """Part k of the last axis, `size` wide; what is a number is one for each part."""
    if isinstance(a, float):
        return a
    return a[(*(slice(None) for _ in a.shape[1:]), slice(k * size, (k + 1) * size))]


def _onto(h: Array, weights: Weights) -> Array:
    """The state's part in the gates; before the first step it may be the number 0."""
    return weights.b_hh if isinstance(h, float) else h @ weights.hh.transpose((1, 0)) + weights.b_hh


def _product(d: Array, x: Array) -> Array:
    """The sum over time and batch of the outer products of d and x."""
    flat = d.reshape((prod(d.shape[:2]), d.shape[2]))
    return flat.transpose((1, 0)) @ x.reshape((prod(x.shape[:2]), x.shape[2]))


def _rows(graph: Graph, x: str, rows: slice, layers: int) -> str:
    """The states of one layer."""
    if layers == 1:
        return x
    bounds = (graph.constant([n], "int64") for n in (rows.start, rows.stop, 0))
    part: str = graph.node("Slice", x, *bounds)
    return part


def _stacked(graph: Graph, parts: Sequence[str], several: bool) -> str:
    """`parts` along a new first axis."""
    axis = graph.constant([0], "int64")
    raised = [graph.node("Unsqueeze", part, axis) for part in parts]
    return graph.node("Concat", *raised, axis=0) if several else raised[0]  # type: ignore[no-any-return]
