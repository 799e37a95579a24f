"""The checks of one facet of an op on one of its samples; they name no op."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from zlib import crc32

import numpy as np
import torch
from op_graph import Graph, run_model
from torch import nn
from torch.nn import functional

from netc.dims import Dim, Fact, Learn, Prover, proving, size, substitute
from netc.ops.attributes import BadArgument, bind
from netc.ops.code import Code, Hole, Keyword
from netc.ops.contract import FLOATS, Mismatch, Op, Operand, Sample

torch.set_num_threads(1)
OPSETS = (17, 20, 23)
OPSET_OF_FREE_SIZES = 20


@dataclass(frozen=True)
class Case:
    """An op on a sample: its operands and parameters as arrays."""

    op: Op
    names: tuple[str, ...]
    operands: list
    params: dict

    @property
    def shapes(self):
        return [x.shape for x in self.operands]

    @property
    def arrays(self):
        return [*self.operands, *self.params.values()]

    def result(self):
        """The outputs, as a list."""
        with np.errstate(all="ignore"):
            return several(self.op.forward(*self.arrays))


def several(y) -> list:
    return list(y) if isinstance(y, tuple | list) else [y]


def shapes_of(op, shapes) -> list:
    """The shapes of the outputs, as a list."""
    found = op.shape(*shapes)
    return found if isinstance(found, list) else [found]


# -- drawing ------------------------------------------------------------------------------------------


def case_of(op_class, sample: Sample, floats: str = "float64") -> Case:
    """The case that `sample` describes; its numbers are those of float32 in either precision."""
    rng = np.random.default_rng(crc32(f"{op_class.name} {sample}".encode()))
    op = bind(op_class, (), sample.attributes)
    operands = [draw(rng, operand, floats) for operand in sample.operands]
    params = {}
    for name, p in op.params(*(x.shape for x in operands)).items():
        positive = np.abs(rng.normal(size=p.shape)) + 0.5 if p.init.kind == "ones" else None
        drawn = rng.normal(size=p.shape) if positive is None else positive
        params[name] = np.asarray(drawn, "float32").astype(p.dtype or floats)
    return Case(op, op_class.operand_names(len(operands)), operands, params)


def draw(rng, operand, floats):
    dtype = floats if operand.dtype in FLOATS else operand.dtype
    if operand.kind == "given":
        return np.array(operand.values, operand.dtype).astype(dtype)
    if operand.kind == "integers":
        return np.asarray(rng.integers(operand.low, operand.high, operand.shape)).astype(dtype)
    low, high = operand.low, operand.high
    uniform = operand.kind == "uniform"
    drawn = rng.uniform(low, high, operand.shape) if uniform else rng.normal(size=operand.shape)
    return np.asarray(drawn, "float32").astype(dtype)


def close(found, wanted, tolerance, what):
    """That two arrays agree, relative to the largest magnitude; -0.0 is 0.0, NaN is NaN."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape, f"{what}: shape {found.shape}, not {wanted.shape}"
    if wanted.dtype.kind != "f":
        assert np.array_equal(found, wanted), f"{what}: {found} is not {wanted}"
        return
    finite = np.isfinite(wanted)
    assert np.array_equal(np.isfinite(found), finite), f"{what}: not finite in other places"
    assert np.array_equal(found[~finite], wanted[~finite], equal_nan=True), f"{what}: {found} is not {wanted}"
    scale = max(1e-3, np.abs(wanted[finite]).max(initial=0))
    worst = np.abs(found[finite] - wanted[finite]).max(initial=0) / scale
    assert worst <= tolerance, f"{what}: off by {worst:.2g}\n{found}\n{wanted}"


# -- shape, dtype, cost -------------------------------------------------------------------------------


def check_shape(op_class, sample):
    case = case_of(op_class, sample)
    assert shapes_of(case.op, case.shapes) == [y.shape for y in case.result()]


def check_dtype(op_class, sample):
    for floats in FLOATS:
        case = case_of(op_class, sample, floats)
        rule = case.op.dtype(*(str(x.dtype) for x in case.operands))
        found = {str(np.asarray(y).dtype) for y in case.result()}
        assert found == {rule}, f"for {floats}: forward gives {found}, the rule says {rule}"


def check_flops(op_class, sample):
    case = case_of(op_class, sample)
    y = case.op.shape(*case.shapes)
    flops, macs = case.op.flops(y, *case.shapes), case.op.macs(y, *case.shapes)
    assert isinstance(flops, int) and flops >= 0 and isinstance(macs, int) and flops >= 2 * macs >= 0
    assert sample.flops in (None, flops), f"{flops} flops, not {sample.flops}"
    assert sample.macs in (None, macs), f"{macs} multiply-adds, not {sample.macs}"


# -- symbols ------------------------------------------------------------------------------------------


def check_symbols(op_class, sample):
    """The rule on named sizes gives what it gives on numbers, both where they are given and where free."""
    case = case_of(op_class, sample)
    wanted = shapes_of(case.op, case.shapes)
    shapes, values = named_apart(case.shapes)
    with proving(Prover(given=values)):
        op = bind(op_class, (), sample.attributes)
        check_same(op, shapes, values, wanted, case)
        attributes, more = named_attributes(sample.attributes, {})
    values |= more
    with proving(Prover(given=values)), contextlib.suppress(BadArgument):
        check_same(bind(op_class, (), attributes), shapes, values, wanted, case)
    free = accept_free(op_class, sample.attributes, shapes, values)
    if free is not None:
        op, shapes, facts = free
        with proving(Prover(minimums=facts)):
            check_same(op, shapes, values, wanted, case)


def check_same(op, shapes, values, wanted, case):
    found = shapes_of(op, shapes)
    assert [tuple(substitute(n, values) for n in y) for y in found] == wanted, f"{found} for {wanted}"
    y = op.shape(*shapes)
    flops = substitute(op.flops(y, *shapes), values)
    assert flops == case.op.flops(case.op.shape(*case.shapes), *case.shapes)


def named_apart(shapes):
    """Shapes whose every size has a name of its own, and the values."""
    named = [tuple(size(f"S{i}{axis}") for axis in range(len(shape))) for i, shape in enumerate(shapes)]
    pairs = [pair for both in zip(named, shapes, strict=True) for pair in zip(*both, strict=True)]
    return named, {str(n): value for n, value in pairs}


def named_attributes(attributes: Mapping, known: Mapping):
    """Attributes with whole numbers from 2 replaced by sizes: those of `known`, or each by one of its own."""
    values = {}

    def rename(value):
        if isinstance(value, list | tuple):
            return [rename(v) for v in value]
        if type(value) is not int or value < 2 or (known and value not in known):
            return value
        values[f"A{value}"] = value
        return known.get(value) or size(f"A{value}")

    return {name: rename(value) for name, value in attributes.items()}, values


def accept_free(op_class, attributes, shapes, values):
    """The op, the shapes and the least sizes with which the rule takes free sizes; None where it refuses
    them, or asks of them what `values` do not meet."""
    minimums = {}
    for _ in range(20):
        with proving(Prover(minimums=minimums)):
            try:
                op = bind(op_class, (), attributes)
                shapes_of(op, shapes)
                return op, shapes, minimums
            except (Mismatch, BadArgument):
                return None
            except Learn as learnt:
                fact = learnt.fact
        if not meets(fact, values):
            return None
        minimums = minimums | {fact.name: max(fact.minimum, minimums.get(fact.name, 1))}
        if fact.multiple > 1:
            multiple = {fact.name: size(fact.name, fact.multiple)}
            shapes = [tuple(substitute(n, multiple) for n in shape) for shape in shapes]
            attributes = {name: substituted(value, multiple) for name, value in attributes.items()}
    raise AssertionError("the rule never stops learning")


def substituted(value, multiple):
    """An attribute with what is learnt of a size put in."""
    if isinstance(value, list | tuple):
        return [substituted(v, multiple) for v in value]
    return substitute(value, multiple) if isinstance(value, Dim) else value


def meets(fact: Fact, values) -> bool:
    return values[fact.name] % fact.multiple == 0 and values[fact.name] >= fact.minimum


# -- PyTorch ------------------------------------------------------------------------------------------


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
    operands = [Operand.of(spelled(n), x.shape, str(x.dtype)) for n, x in
                zip((*case.names, *case.params), case.arrays, strict=True)]
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
    if any(case.shapes) and not all(case.shapes) and not case.params and len(wanted) == 1:
        close(torch_result(case, tensors(case), literals=True)[0].numpy(), wanted[0], 1e-10, "with literals")
    for floats in FLOATS:
        typed = case_of(op_class, sample, floats)
        rule = typed.op.dtype(*(str(x.dtype) for x in typed.operands))
        for found in torch_result(typed, tensors(typed)):
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
    return several(module(*(values[spelled(name)] for name in case.names)))


# -- gradients ----------------------------------------------------------------------------------------


def vjp(case: Case, gs: list) -> list:
    y = case.result()
    alone = len(y) == 1 and not isinstance(case.op.shape(*case.shapes), list)
    with np.errstate(all="ignore"):
        return list(case.op.vjp(gs[0] if alone else tuple(gs), y[0] if alone else tuple(y), *case.arrays))


def gradient_case(op_class, sample):
    """A case, a gradient for each of its outputs, and the gradients that the rule gives."""
    case = case_of(op_class, sample)
    rng = np.random.default_rng(7)
    gs = [np.asarray(rng.normal(size=np.shape(y))) for y in case.result()]
    found = vjp(case, gs)
    assert len(found) == len(case.arrays), f"{len(found)} gradients for {len(case.arrays)} operands"
    return case, gs, found


def has_gradient(op_class, sample) -> bool:
    case = case_of(op_class, sample)
    return op_class.differentiable and all(np.asarray(y).dtype.kind == "f" for y in case.result())


def check_gradient(op_class, sample):
    if not has_gradient(op_class, sample):
        return
    case, gs, found = gradient_case(op_class, sample)
    values = tensors(case, grad=True)
    ys = torch_result(case, values)
    total = sum((y.double() * torch.tensor(g)).sum() for y, g in zip(ys, gs, strict=True))
    if total.requires_grad:
        total.backward()
    for name, x, d in zip(values, case.arrays, found, strict=True):
        wanted = values[name].grad
        if d is None or x.dtype.kind != "f":
            assert d is None and wanted is None, f"a gradient for {name} in only one of netc and torch"
        else:
            close(d, np.zeros_like(x) if wanted is None else wanted.numpy(), 1e-8, f"gradient of {name}")


def check_numeric_gradient(op_class, sample):
    if not has_gradient(op_class, sample):
        return
    case, gs, found = gradient_case(op_class, sample)
    rng = np.random.default_rng(11)
    for i, (x, d) in enumerate(zip(case.arrays, found, strict=True)):
        if d is not None:
            direction = rng.normal(size=x.shape)
            wanted = slope(case, gs, i, direction)
            close((d * direction).sum(), wanted, 1e-6, f"slope along operand {i}")


def slope(case: Case, gs, i, direction, step=1e-5):
    """The central difference of the outputs, weighed by gs, as operand i moves along `direction`."""

    def value(by):
        arrays = case.arrays
        arrays[i] = arrays[i] + by * direction
        with np.errstate(all="ignore"):
            ys = several(case.op.forward(*arrays))
        return sum((np.asarray(y) * g).sum() for y, g in zip(ys, gs, strict=True))

    return (value(step) - value(-step)) / (2 * step)


# -- ONNX ---------------------------------------------------------------------------------------------


def check_onnx(op_class, sample):
    case = case_of(op_class, sample, "float32")
    wanted = case_of(op_class, sample).result()
    for opset in OPSETS:
        check_graph(case, case.op, case.shapes, wanted, opset)


def check_free_onnx(op_class, sample):
    """The graph for sizes that are free until run time, all at once or one at a time."""
    case = case_of(op_class, sample, "float32")
    wanted = case_of(op_class, sample).result()
    every = sorted({n for shape in case.shapes for n in shape if n > 1})
    for known in [every, *([n] for n in every)]:
        free = {n: size(f"N{n}") for n in known}
        if check_free(case, sample, wanted, free) and len(known) == len(every):
            break


def check_free(case, sample, wanted, free) -> bool:
    """Whether the rule takes the sizes in `free` so; asserts that the graph is right where it does."""
    taken = False
    shapes = [tuple(free.get(n, n) for n in shape) for shape in case.shapes]
    values = {str(n): v for v, n in free.items()}
    for attributes in (sample.attributes, named_attributes(sample.attributes, free)[0]):
        found = accept_free(type(case.op), attributes, shapes, values)
        if found is None or not free:
            continue
        op, named, minimums = found
        with proving(Prover(minimums=minimums)):
            if all(isinstance(n, int) for p in op.params(*named).values() for n in p.shape):
                check_graph(case, op, named, wanted, OPSET_OF_FREE_SIZES)
                taken = True
    return taken


def check_graph(case: Case, op: Op, shapes, wanted, opset):
    """The graph of `op` on operands of `shapes`, which may be free, gives what is wanted."""
    operands = [Operand.of(spelled(n), shape, str(x.dtype)) for n, shape, x in
                zip(case.names, shapes, case.operands, strict=True)]
    params = [Operand.of(n, p.shape, str(p.dtype)) for n, p in case.params.items()]
    graph = Graph(opset, [*operands, *params])
    names_out = several(op.onnx(graph, *operands, *params))
    dtype = op.dtype(*(x.dtype for x in operands))
    ys = shapes_of(op, shapes)
    assert len(names_out) == len(ys), f"{len(names_out)} outputs for {len(ys)} shapes"
    model = graph.model([(name, y, dtype) for name, y in zip(names_out, ys, strict=True)])
    feeds = dict(zip(map(str, graph.inputs), case.arrays, strict=True))
    used = {i for node in model.graph.node for i in node.input}
    drop_unused(model, used)
    found = run_model(model, {name: x for name, x in feeds.items() if name in used})
    for i, (y, right) in enumerate(zip(found, wanted, strict=True)):
        assert str(y.dtype) == dtype, f"opset {opset}: {y.dtype}, not {dtype}"
        close(y, right, 1e-5, f"opset {opset}, output {i}")


def drop_unused(model, used):
    kept = [i for i in model.graph.input if i.name in used]
    del model.graph.input[:]
    model.graph.input.extend(kept)


# -- refusals -----------------------------------------------------------------------------------------


def check_refused(op_class, sample):
    """The sample is refused at the place that it names, on numbers and on named sizes alike."""
    shapes = [operand_shape(o) for o in sample.operands]
    assert refusal(op_class, sample, shapes) == sample.rejects
    named, values = named_apart(shapes)
    with proving(Prover(given=values)):
        assert refusal(op_class, sample, named) == sample.rejects, "on named sizes that are given"
    by_dtype = refusal(op_class, sample, None)
    if by_dtype is None and values:
        free = accept_free(op_class, sample.attributes, named, values)
        assert free is None, f"accepted for free sizes with {free}"


def operand_shape(operand):
    return np.array(operand.values).shape if operand.kind == "given" else operand.shape


def refusal(op_class, sample, shapes):
    """The name at fault; None where the op, its dtypes and (if given) its shapes are right."""
    try:
        op = bind(op_class, (), sample.attributes)
        op.dtype(*(o.dtype for o in sample.operands))
        if shapes is not None:
            op.shape(*shapes)
    except BadArgument as bad:
        return bad.name
    except Mismatch as mismatch:
        return mismatch.at
    return None


def check_torch_refuses(op_class, sample):
    """torch, too, refuses what netc refuses, where the op can be spelled at all."""
    try:
        op = bind(op_class, (), sample.attributes)
        rng = np.random.default_rng(3)
        operands = [draw(rng, o, "float64") for o in sample.operands]
        params = op.params(*(x.shape for x in operands)).items()
        params = {name: np.zeros(p.shape, p.dtype or "float64") for name, p in params}
        case = Case(op, op_class.operand_names(len(operands)), operands, params)
        text = op.torch(*(Operand.of(spelled(n), x.shape, str(x.dtype)) for n, x in
                          zip((*case.names, *case.params), case.arrays, strict=True)))
    except (Mismatch, BadArgument, ArithmeticError, IndexError, ValueError, TypeError):
        return
    errors = (RuntimeError, ValueError, IndexError, TypeError, NotImplementedError, ArithmeticError)
    try:
        found = torch_result(case, tensors(case))
        run_module(case)
    except errors:
        return
    raise AssertionError(f"torch takes {render(text)}: {[tuple(y.shape) for y in found]}")


GOOD = {
    "shape": check_shape,
    "dtype": check_dtype,
    "flops": check_flops,
    "symbols": check_symbols,
    "torch": check_torch,
    "module": check_module,
    "gradient": check_gradient,
    "numeric gradient": check_numeric_gradient,
    "onnx": check_onnx,
    "free onnx": check_free_onnx,
}
BAD = {"refused": check_refused, "torch": check_torch_refuses}


def facets(sample: Sample) -> dict:
    """The checks that a sample asks for. A sample without a gradient has no numeric one either."""
    left_out = set(sample.without)
    if "gradient" in left_out:
        left_out.add("numeric gradient")
    if "onnx" in left_out:
        left_out.add("free onnx")
    checks = BAD if sample.rejects else GOOD
    return {name: check for name, check in checks.items() if name not in left_out}
