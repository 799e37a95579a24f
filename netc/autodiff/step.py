"""Turns a net and an optimizer into the graph of one training step: weights and state in, loss and new ones out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from netc.autodiff.objective import trained
from netc.autodiff.reverse import pruned, reverse
from netc.autodiff.tape import Tape, Traced
from netc.autodiff.training import Training, training
from netc.autodiff.update import OPTIMIZERS, state_of
from netc.diagnostics import Refused
from netc.diagnostics.wording_gradient import name_taken, nothing_to_train
from netc.dims import Prover, proving
from netc.ir.module import Net, Param, Type, Value, training_values
from netc.ops.notation import cast
from netc.passes.locate import Located, locate
from netc.passes.recipe import Chosen


@dataclass(frozen=True)
class TrainingStep:
    """inputs: the net's, its targets, the masks, lr, then what is carried from step to step.

    carried: each input that the step replaces, with the name of the output that does. outputs: the losses by
    name, the metrics, then those. masks: how likely an element of each is 1. draws: the distribution of each other
    draw. zeros: the carried inputs that start at 0.
    """

    located: Located
    inputs: tuple[Value, ...]
    outputs: tuple[tuple[str, Value], ...]
    carried: Mapping[str, str]
    masks: Mapping[str, float]
    draws: Mapping[str, str]
    zeros: tuple[str, ...]


def training_step(net: Net, optimizer: Chosen) -> TrainingStep:
    """One step of training by `optimizer`, whose learning rate is an input, as schedules change it."""
    if not net.losses:
        raise Refused(nothing_to_train(net.block.span, net.name))
    facts = net.training_facts
    values = training_values(net)
    mode = training(locate(net, values), facts)
    losses = mode.located.flat.outputs[: len(net.losses)]
    weights = trained(mode.located.flat, losses)
    if not weights:
        raise Refused(nothing_to_train(net.block.span, net.name))
    backward = reverse(mode.located, losses, weights, facts)
    with proving(Prover(facts=facts)):
        return _Step(net, optimizer, mode, backward, weights).made()


class _Step:
    """The parts of a step, put together."""

    def __init__(
        self, net: Net, optimizer: Chosen, mode: Training, backward: Located, weights: Sequence[Param]
    ) -> None:
        self.net, self.optimizer, self.mode, self.weights = net, optimizer, mode, weights
        self.backward = backward
        self.tape = Tape(list(backward.flat.nodes), list(backward.scopes))
        number = Type(weights[0].type.dtype, ())
        self.lr, self.count = Value("lr", number), Value("step", number)
        self.carried: list[tuple[Value, Value]] = []  # what is carried, and what it becomes
        self.state: list[Value] = []

    def made(self) -> TrainingStep:
        outputs = self.backward.flat.outputs
        names = [*self.net.losses, *(f"metric.{name}" for name in self.net.metrics)]
        self._update(outputs[len(self.mode.located.flat.outputs) :])
        first = len(outputs) - len(self.weights) - len(self.mode.buffers)
        became = outputs[first : first + len(self.mode.buffers)]
        self.carried += list(zip(self.mode.buffers.values(), became, strict=True))
        following = [(f"{_name(before)}.next", after) for before, after in self.carried]
        return self._step([*zip(names, outputs, strict=False), *following])

    def _update(self, gradients: Sequence[Value]) -> None:
        """The next parameters and the optimizer's next state."""
        kind, arguments = OPTIMIZERS[self.optimizer.name], self.optimizer.arguments
        lr, step = self.tape.wrap([self.lr, self.count])
        if kind.counts:
            self.tape.at(("step",), self.net.block.span)
            step = step + 1.0
            self.state.append(self.count)
            self.carried.append((self.count, step.value))
        for weight, gradient in zip(self.weights, self.tape.wrap(gradients), strict=True):
            self.tape.at((*weight.path, "update"), self.net.block.span)
            held = {
                name: Traced(Value(f"{_name(weight)}.{name}", weight.type), self.tape)
                for name in state_of(self.optimizer.name, arguments)
            }
            p = Traced(weight, self.tape)
            rate, number = (v if v.dtype == p.dtype else cast(v, p) for v in (lr, step))
            after, kept = kind.update(p, gradient, rate, number, held, arguments)
            self.state += [v.value for v in held.values()]
            self.carried.append((weight, after.value))
            self.carried += [(held[name].value, value.value) for name, value in kept.items()]

    def _step(self, outputs: list[tuple[str, Value]]) -> TrainingStep:
        inputs = (*self.backward.flat.inputs, self.lr, *(before for before, _ in self.carried))
        given = Located(replace(self.backward.flat, inputs=inputs), self.backward.scopes)
        located = pruned(given, self.tape, [value for _, value in outputs])
        carried = {_name(before): f"{_name(before)}.next" for before, _ in self.carried}
        read = {v for node in located.flat.nodes for v in node.operands} | set(located.flat.outputs)
        kept = tuple(v for v in inputs if v in read or _name(v) in carried)
        drawn = {mask.value.hint: mask.noise for mask in self.mode.masks if mask.value in read}
        masks = {name: noise.keep for name, noise in drawn.items() if noise.kind == "mask"}
        draws = {name: noise.kind for name, noise in drawn.items() if noise.kind != "mask"}
        names = Counter([*map(_name, kept), *(name for name, _ in outputs)])
        if twice := [name for name, uses in names.items() if uses > 1]:
            raise Refused(name_taken(self.net.block.span, self.net.name, twice))
        return TrainingStep(
            located, kept, tuple(outputs), carried, masks, draws, tuple(map(_name, self.state))
        )


def _name(value: Value) -> str:
    return ".".join(value.path) if isinstance(value, Param) else value.hint
