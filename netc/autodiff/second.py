"""Turns a gradient check's subject into that of its gradients: each element times a weight, summed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from netc.autodiff.differentiable import differentiable
from netc.autodiff.objective import added
from netc.autodiff.reverse import pruned, reverse
from netc.autodiff.subject import Subject
from netc.autodiff.tape import Tape
from netc.ir.module import Value
from netc.passes.initial import numbers
from netc.passes.locate import Located


def second_order(subject: Subject, seed: int = 0) -> Subject:
    """A subject whose gradients are those of second order, along random weights."""
    wrt = tuple(differentiable(subject))
    backward = reverse(subject.located, subject.located.flat.outputs[:1], wrt, {})
    gradients = backward.flat.outputs[len(subject.located.flat.outputs) :]
    weights = tuple(Value(f"weight of gradient {i + 1}", v.type) for i, v in enumerate(wrt))
    tape = Tape(list(backward.flat.nodes), list(backward.scopes))
    tape.at(("second order",), subject.net.block.span)
    terms = [(g * w).sum() for g, w in zip(tape.wrap(gradients), tape.wrap(weights), strict=True)]
    total = added(terms)
    given = replace(backward.flat, inputs=(*backward.flat.inputs, *weights))
    located = pruned(Located(given, backward.scopes), tape, [total.value])
    rng = np.random.default_rng([seed, 3])
    drawn = {w.hint: rng.standard_normal(numbers(w.type.shape)) for w in weights}
    return replace(
        subject, located=located, inputs={**subject.inputs, **drawn}, weighing=(*subject.weighing, *weights)
    )
