"""The checks of one facet of an op on one of its samples; they name no op."""

import contextlib
from dataclasses import replace

import numpy as np
from op_branch import check_analytic, check_branch
from op_case import Case, case_of, close, draw, several
from op_graph import Graph, run_model
from op_symbols import accept_free, named_apart, named_attributes, shapes_of
from op_torch import (
    check_gradient,
    check_module,
    check_numeric_gradient,
    check_torch,
    render,
    run_module,
    spelled,
    tensors,
    torch_result,
)
from op_traced import check_traced_gradient
from op_training import check_training

from netc.dims import Prover, proving, size, substitute
from netc.ops.attributes import BadArgument, bind
from netc.ops.contract import FLOATS, Mismatch, Op, Operand, Sample, integers

OPSETS = (17, 20, 23)
OPSET_OF_FREE_SIZES = 20


def check_shape(op_class, sample):
    case = case_of(op_class, sample)
    assert shapes_of(case.op, case.shapes) == [y.shape for y in case.result()]


def check_dtype(op_class, sample):
    for floats in FLOATS:
        case = case_of(op_class, sample, floats)
        made = case.result()
        rule = case.op.dtypes(len(made), *(str(x.dtype) for x in case.operands))
        found = tuple(str(np.asarray(y).dtype) for y in made)
        assert found == rule, f"for {floats}: forward gives {found}, the rule says {rule}"


def check_flops(op_class, sample):
    case = case_of(op_class, sample)
    y = case.op.shape(*case.shapes)
    flops, macs = case.op.flops(y, *case.shapes), case.op.macs(y, *case.shapes)
    assert isinstance(flops, int) and flops >= 0 and isinstance(macs, int) and flops >= 2 * macs >= 0
    assert sample.flops in (None, flops), f"{flops} flops, not {sample.flops}"
    assert sample.macs in (None, macs), f"{macs} multiply-adds, not {sample.macs}"


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
        with proving(Prover(facts=facts)):
            check_same(op, shapes, values, wanted, case)


def check_same(op, shapes, values, wanted, case):
    found = shapes_of(op, shapes)
    assert [tuple(substitute(n, values) for n in y) for y in found] == wanted, f"{found} for {wanted}"
    y = op.shape(*shapes)
    flops = substitute(op.flops(y, *shapes), values)
    assert flops == case.op.flops(case.op.shape(*case.shapes), *case.shapes)


def check_onnx(op_class, sample):
    case = case_of(op_class, sample, "float32")
    wanted = case_of(op_class, sample).result()
    for opset in OPSETS:
        check_graph(case, case.op, case.shapes, wanted, opset)


def check_onnx_float64(op_class, sample):
    """In float64 the graph is right or is refused, where onnxruntime has no kernel."""
    case = case_of(op_class, sample)
    for opset in OPSETS:
        with contextlib.suppress(Mismatch):
            check_graph(case, case.op, case.shapes, case.result(), opset)


def check_other_dtypes(op_class, sample):
    """What the op takes beside floats goes through every backend, too."""
    if any(operand.dtype != "float32" for operand in sample.operands):
        return
    for dtype, high in (("int64", 5), ("int32", 5), ("bool", 2)):
        shapes = [operand_shape(operand) for operand in sample.operands]
        whole = replace(sample, operands=tuple(integers(shape, high, dtype) for shape in shapes))
        if refusal(op_class, whole, None) is None:
            for check in (check_dtype, check_torch, check_onnx):
                check(op_class, whole)


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
        op, named, facts = found
        with proving(Prover(facts=facts)):
            if all(isinstance(n, int) for p in op.params(*named).values() for n in p.shape):
                check_graph(case, op, named, wanted, OPSET_OF_FREE_SIZES)
                taken = True
    return taken


def check_graph(case: Case, op: Op, shapes, wanted, opset):
    """The graph of `op` on operands of `shapes`, which may be free, gives what is wanted."""
    operands = [
        Operand.of(spelled(n), shape, str(x.dtype))
        for n, shape, x in zip(case.names, shapes, case.operands, strict=True)
    ]
    params = [Operand.of(n, p.shape, str(p.dtype)) for n, p in case.params.items()]
    graph = Graph(opset, [*operands, *params])
    names_out = several(op.onnx(graph, *operands, *params))
    ys = shapes_of(op, shapes)
    dtypes = op.dtypes(len(ys), *(x.dtype for x in operands))
    assert len(names_out) == len(ys), f"{len(names_out)} outputs for {len(ys)} shapes"
    model = graph.model(list(zip(names_out, ys, dtypes, strict=True)))
    feeds = dict(zip(map(str, graph.inputs), case.arrays, strict=True))
    used = {i for node in model.graph.node for i in node.input}
    drop_unused(model, used)
    found = run_model(model, {name: x for name, x in feeds.items() if name in used})
    for i, (y, right, dtype) in enumerate(zip(found, wanted, dtypes, strict=True)):
        assert str(y.dtype) == dtype, f"opset {opset}: {y.dtype}, not {dtype}"
        close(y, right, 1e-5, f"opset {opset}, output {i}")


def drop_unused(model, used):
    kept = [i for i in model.graph.input if i.name in used]
    del model.graph.input[:]
    model.graph.input.extend(kept)


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
        assert free is None or disagrees(*free[:2], sample), f"accepted for free sizes with {free}"


def disagrees(op, shapes, sample) -> bool:
    """Whether the dtypes do not go with the shapes, though each might do alone."""
    try:
        op.agree(shapes, [o.dtype for o in sample.operands])
    except Mismatch:
        return True
    return False


def operand_shape(operand):
    return np.array(operand.values).shape if operand.kind == "given" else operand.shape


def refusal(op_class, sample, shapes):
    """The name at fault; None where the op, its dtypes and (if given) its shapes are right."""
    try:
        op = bind(op_class, (), sample.attributes)
        op.dtype(*(o.dtype for o in sample.operands))
        if shapes is not None:
            op.shape(*shapes)
            op.agree(shapes, [o.dtype for o in sample.operands])
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
        text = op.torch(
            *(
                Operand.of(spelled(n), x.shape, str(x.dtype))
                for n, x in zip((*case.names, *case.params), case.arrays, strict=True)
            )
        )
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
    "traced gradient": check_traced_gradient,
    "branch": check_branch,
    "analytic": check_analytic,
    "training": check_training,
    "onnx": check_onnx,
    "onnx in float64": check_onnx_float64,
    "other dtypes": check_other_dtypes,
    "free onnx": check_free_onnx,
}
BAD = {"refused": check_refused, "torch": check_torch_refuses}


def facets(sample: Sample) -> dict:
    """The checks that a sample asks for; without a facet, there are none of its kin either."""
    left_out = set(sample.without)
    if "gradient" in left_out:
        left_out |= {"numeric gradient", "traced gradient", "branch"}
    if "numeric gradient" in left_out:
        left_out |= {"analytic"}
    if "onnx" in left_out:
        left_out |= {"free onnx", "onnx in float64", "other dtypes"}
    checks = BAD if sample.rejects else GOOD
    return {name: check for name, check in checks.items() if name not in left_out}
