"""The checks of an op's PyTorch spelling and of its gradient, against torch and central differences."""

from types import SimpleNamespace

import numpy as np
import torch
from op_case import Case, case_of, close, several
from torch import nn
from torch.nn import functional

from netc.ops.code import Code, Hole, Keyword
from netc.ops.contract import FLOATS, Operand

torch.set_num_threads(1)


def render(code: Code) -> str:
    """The text of an expression with every literal in place."""
    text = ""
    for piece in code.pieces:
        if isinstance(piece, Keyword):
            if piece.default is ... or piece.value != piece.default:
                text += ("" if text.endswith("(") else ", ") + f"{piece.name}={piece.value!r}"
        else:
            text += repr(piece.value) if isinstance(piece, Hole) else piece
    return text


def tensors(case: Case, grad=False):
    """The operands and parameters as tensors, by the names that the expression knows them by."""
    found = {}
    for name, x in zip((*case.names, *case.params), case.arrays, strict=True):
        tensor = torch.tensor(x)
        trains = x.dtype.kind == "f" and not (name in case.params and is_buffer(case, name))
        found[spelled(name)] = tensor.requires_grad_(grad and trains)
    return found


def is_buffer(case: Case, name: str) -> bool:
    return not case.op.params(*case.shapes)[name].trainable


def spelled(name: str) -> str:
    return name.replace("[", "_").replace("]", "")


def torch_result(case: Case, values, literals=False) -> list:
    """What the expression gives; `literals` writes scalar operands as numbers."""
    operands = [
        Operand.of(spelled(n), x.shape, str(x.dtype))
        for n, x in zip((*case.names, *case.params), case.arrays, strict=True)
    ]
    if literals:
        texts = [repr(x.item()) if x.shape == () else o for o, x in zip(operands, case.arrays, strict=True)]
        operands = [Operand.of(t, o.shape, o.dtype) for t, o in zip(texts, operands, strict=True)]
    text = render(case.op.torch(*operands))
    scope = {"torch": torch, "F": functional, "self": SimpleNamespace(training=False), **values}
    return several(eval(text, scope))


def check_torch(op_class, sample):
    case = case_of(op_class, sample)
    wanted = case.result()
    for i, (found, y) in enumerate(zip(torch_result(case, tensors(case)), wanted, strict=True)):
        close(found.detach().numpy(), y, 1e-10, f"output {i}")
    if case.op.numbers and any(case.shapes) and not all(case.shapes) and not case.params and len(wanted) == 1:
        close(torch_result(case, tensors(case), literals=True)[0].numpy(), wanted[0], 1e-10, "with literals")
    for floats in FLOATS:
        typed = case_of(op_class, sample, floats)
        rules = typed.op.dtypes(len(wanted), *(str(x.dtype) for x in typed.operands))
        for found, rule in zip(torch_result(typed, tensors(typed)), rules, strict=True):
            assert str(found.dtype) == f"torch.{rule}", f"torch gives {found.dtype}, the rule says {rule}"


def check_module(op_class, sample):
    case = case_of(op_class, sample)
    found = run_module(case)
    assert found is not None or not case.params, "an op with parameters needs a module"
    for i, (found_y, y) in enumerate(zip(found or (), case.result(), strict=found is not None)):
        close(found_y.detach().numpy(), y, 1e-10, f"module output {i}")


def run_module(case: Case):
    """What the nn.Module gives with the parameters loaded by name; None where there is none."""
    code = case.op.module(*case.shapes)
    if code is None:
        return None
    module = eval(render(code), {"nn": nn, "torch": torch}).double().eval()
    module.load_state_dict({name: torch.tensor(p) for name, p in case.params.items()})
    values = tensors(case)
    first, *rest = (values[spelled(name)] for name in case.names)
    if not case.op.nested:
        return several(module(first, *rest))
    y, states = module(first, tuple(rest)) if rest else module(first)
    return [y, *states]


def vjp(case: Case, gs: list) -> list:
    y = case.result()
    alone = len(y) == 1 and not isinstance(case.op.shape(*case.shapes), list)
    with np.errstate(all="ignore"):
        return list(case.op.vjp(gs[0] if alone else tuple(gs), y[0] if alone else tuple(y), *case.arrays))


def gradient_case(op_class, sample):
    """A case, a gradient for each of its outputs (None for whole numbers), and the gradients that the rule gives."""
    case = case_of(op_class, sample)
    rng = np.random.default_rng(7)
    gs = [np.asarray(rng.normal(size=np.shape(y))) if y.dtype.kind == "f" else None for y in case.result()]
    found = vjp(case, gs)
    assert len(found) == len(case.arrays), f"{len(found)} gradients for {len(case.arrays)} operands"
    return case, gs, found


def has_gradient(op_class, sample) -> bool:
    case = case_of(op_class, sample)
    return op_class.differentiable and any(np.asarray(y).dtype.kind == "f" for y in case.result())


def check_gradient(op_class, sample):
    if not has_gradient(op_class, sample):
        return
    case, gs, found = gradient_case(op_class, sample)
    values = tensors(case, grad=True)
    ys = torch_result(case, values)
    pairs = [(y, g) for y, g in zip(ys, gs, strict=True) if g is not None]
    total = sum((y.double() * torch.tensor(g)).sum() for y, g in pairs)
    if total.requires_grad:
        total.backward()
    for name, x, d in zip(values, case.arrays, found, strict=True):
        wanted = values[name].grad
        if d is None or x.dtype.kind != "f":
            assert d is None and wanted is None, f"a gradient for {name} in only one of netc and torch"
        else:
            close(d, np.zeros_like(x) if wanted is None else wanted.numpy(), 1e-7, f"gradient of {name}")


def check_numeric_gradient(op_class, sample):
    if not has_gradient(op_class, sample):
        return
    case, gs, found = gradient_case(op_class, sample)
    rng = np.random.default_rng(11)
    for i, (x, d) in enumerate(zip(case.arrays, found, strict=True)):
        if d is not None:
            direction = moving(case, i, rng.normal(size=x.shape))
            wanted = slope(case, gs, i, direction)
            close((d * direction).sum(), wanted, 1e-6, f"slope along operand {i}")


def moving(case: Case, i, direction):
    """`direction` without the elements of operand i that count as constants."""
    constant = (*case.op.constants(*case.arrays), *[None] * len(case.arrays))[i]
    return direction if constant is None else np.where(constant, 0.0, direction)


def slope(case: Case, gs, i, direction, step=1e-5):
    """The central difference of the outputs, weighed by gs, as operand i moves along `direction`."""

    def value(by):
        arrays = case.arrays
        arrays[i] = arrays[i] + by * direction
        with np.errstate(all="ignore"):
            ys = several(case.op.forward(*arrays))
        return sum((np.asarray(y) * g).sum() for y, g in zip(ys, gs, strict=True) if g is not None)

    return (value(step) - value(-step)) / (2 * step)
