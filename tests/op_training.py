"""The check of what an op computes in training, against torch in training mode with the same mask."""

from types import SimpleNamespace

import numpy as np
import torch
from op_case import Case, case_of, close, several
from op_symbols import accept_free, named_apart
from op_torch import render, spelled, tensors
from op_traced import Traced
from torch import nn
from torch.nn import functional

from netc.dims import Prover, proving, substitute
from netc.ops.contract import FLOATS, Mismatch, Operand


def check_training(op_class, sample):
    """The value and the buffers after it are those of torch, on arrays and on values of a graph alike."""
    if not op_class.trains:
        return
    case = case_of(op_class, sample)
    mask = drawn_mask(case)
    try:
        made = case.op.training(*case.arrays, *mask)
    except Mismatch:
        check_torch_refuses_training(case, mask)
        return
    check_against_torch(case, mask, made)
    check_dtypes(op_class, sample, mask)
    check_traced(case, mask, made)
    check_noise_on_symbols(op_class, sample, case)


def drawn_mask(case: Case) -> list:
    """The mask or other draw that the op asks for, as an operand; none where it asks for none."""
    noise = case.op.noise(*case.shapes)
    if noise is None:
        return []
    rng = np.random.default_rng(5)
    return [noise.drawn(rng, noise.shape)]


def check_against_torch(case: Case, mask, made):
    ys, buffers = several(made[0]), made[1]
    found = [run(case, mask) for run in (train_module, train_expression)]
    assert any(found), "neither a module nor an expression to train"
    for wanted, after in filter(None, found):
        for i, (y, right) in enumerate(zip(ys, wanted, strict=True)):
            close(y, right.detach().numpy(), 1e-10, f"training output {i}")
        assert set(buffers) == set(after), f"buffers {sorted(buffers)}, not {sorted(after)}"
        for name, right in after.items():
            close(buffers[name], right.numpy(), 1e-10, name)


def train_module(case: Case, mask):
    """The outputs and the buffers of the nn.Module after a step in training mode; None where there is none."""
    code = case.op.module(*case.shapes)
    if code is None:
        return None
    module = eval(render(code), {"nn": nn, "torch": torch}).double().train()
    module.load_state_dict({name: torch.tensor(p) for name, p in case.params.items()})
    values = tensors(case)
    with Masked(mask):
        ys = several(module(*(values[spelled(name)] for name in case.names)))
    return ys, dict(module.named_buffers())


def train_expression(case: Case, mask):
    """The outputs of the expression in training mode; None for an op with parameters, whose module is called."""
    if case.params:
        return None
    names = map(spelled, case.names)
    operands = [Operand.of(n, x.shape, str(x.dtype)) for n, x in zip(names, case.operands, strict=True)]
    scope = {"torch": torch, "F": functional, "self": SimpleNamespace(training=True), **tensors(case)}
    with Masked(mask):
        return several(eval(render(case.op.torch(*operands)), scope)), {}


class Masked:
    """Puts the mask given in the place of what torch's dropouts would draw, and its draws."""

    NAMES = ("dropout", "dropout1d", "dropout2d", "dropout3d")
    DRAWS = ("randn_like", "rand_like")

    def __init__(self, mask):
        self.mask = [torch.tensor(m) for m in mask]
        self.kept = {}

    def dropout(self, x, p=0.5, training=True, inplace=False):
        if not training:
            return x
        (mask,) = self.mask
        assert mask.numel() == x.numel() or mask.dim() == x.dim(), f"a mask {mask.shape} for {x.shape}"
        return x * mask / (1 - p) if p < 1 else x * mask

    def draw(self, x):
        (drawn,) = self.mask
        assert drawn.shape == x.shape, f"a draw {drawn.shape} for {x.shape}"
        return drawn

    def __enter__(self):
        self.kept = {name: getattr(functional, name) for name in self.NAMES}
        self.kept_draws = {name: getattr(torch, name) for name in self.DRAWS}
        for name in self.NAMES if self.mask else ():
            setattr(functional, name, self.dropout)
        for name in self.DRAWS if self.mask else ():
            setattr(torch, name, self.draw)

    def __exit__(self, *_):
        for name, kept in self.kept.items():
            setattr(functional, name, kept)
        for name, kept in self.kept_draws.items():
            setattr(torch, name, kept)


def check_torch_refuses_training(case: Case, mask):
    for run in (train_module, train_expression):
        try:
            found = run(case, mask)
        except (ValueError, RuntimeError):
            continue
        assert found is None, "torch trains on what netc refuses to"


def check_dtypes(op_class, sample, mask):
    """Outputs have the dtype that the rule says, buffers their own."""
    for floats in FLOATS:
        case = case_of(op_class, sample, floats)
        made, buffers = case.op.training(*case.arrays, *(m.astype(floats) for m in mask))
        rule = case.op.dtypes(len(several(made)), *(str(x.dtype) for x in case.operands))
        assert tuple(str(np.asarray(y).dtype) for y in several(made)) == rule
        for name, after in buffers.items():
            assert np.asarray(after).dtype == case.params[name].dtype, f"{name} is {after.dtype} for {floats}"
            assert np.asarray(after).shape == case.params[name].shape, f"{name} is {after.shape}"


def check_traced(case: Case, mask, made):
    """On values of the graph it gives values of the graph, and the same numbers."""
    found, buffers = case.op.training(*map(Traced, (*case.arrays, *mask)))
    pairs = [*zip(several(found), several(made[0]), strict=True)]
    pairs += [(buffers[name], after) for name, after in made[1].items()]
    for value, right in pairs:
        assert isinstance(value, Traced), f"{type(value)} is no value of the graph"
        assert np.allclose(value.array, right, rtol=1e-12, atol=1e-12)


def check_noise_on_symbols(op_class, sample, case: Case):
    """The mask of named sizes is that of numbers."""
    shapes, values = named_apart(case.shapes)
    free = accept_free(op_class, sample.attributes, shapes, values)
    if free is None:
        return
    op, named, facts = free
    with proving(Prover(facts=facts)):
        noise, wanted = op.noise(*named), case.op.noise(*case.shapes)
    assert (noise is None) == (wanted is None)
    if noise is not None:
        assert tuple(substitute(n, values) for n in noise.shape) == wanted.shape
        assert (noise.keep, noise.kind) == (wanted.keep, wanted.kind)
