"""Values as a gradient graph has them: every operator is an op, checked by its rules and here computed."""

import numpy as np
from op_case import several
from op_torch import gradient_case, has_gradient

from netc.ops.contract import OPERATORS, OPS


class Traced:
    """A value on which only what netc.ops.notation promises works."""

    __array_ufunc__ = None
    __hash__ = None

    def __init__(self, array):
        self.array = np.asarray(array)
        self.shape, self.dtype = self.array.shape, str(self.array.dtype)

    def apply_op(self, op, operands):
        kinds = [o.dtype for o in operands if isinstance(o, Traced) and o.dtype != "bool"] or [self.dtype]
        arrays = [o.array if isinstance(o, Traced) else constant(o, kinds[0]) for o in operands]
        ruled = arrays if op.operands[-1].startswith("*") else arrays[: len(op.operands)]  # no parameters
        shapes = op.shape(*(a.shape for a in ruled))
        with np.errstate(all="ignore"):
            made = [Traced(y) for y in several(op.forward(*arrays))]
        assert tuple(y.dtype for y in made) == op.dtypes(len(made), *(str(a.dtype) for a in ruled))
        return tuple(made) if isinstance(shapes, list) else made[0]

    def __neg__(self):
        return self.apply_op(OPERATORS["-x"](), (self,))

    def __getitem__(self, items):
        items = items if isinstance(items, tuple) else (items,)
        ranges = [(i.start, i.stop, i.step) if isinstance(i, slice) else i for i in items]
        ranges = [None if r == (None, None, None) else r for r in ranges]
        return self.apply_op(OPERATORS["[]"](items=tuple(ranges)), (self,))

    def reshape(self, shape):
        return self.apply_op(OPS["reshape"](sizes=tuple(shape)), (self,))

    def transpose(self, axes):
        return self.apply_op(OPS["permute"](dims=tuple(axes)), (self,))

    def sum(self, axis=None, keepdims=False):
        return self._reduce("sum", axis, keepdims)

    def max(self, axis=None, keepdims=False):
        return self._reduce("max", axis, keepdims)

    def mean(self, axis=None, keepdims=False):
        return self._reduce("mean", axis, keepdims)

    def _reduce(self, name, axis, keepdims):
        axes = (axis,) if isinstance(axis, int) else axis
        return self.apply_op(OPS[name](axis=axes, keepdims=keepdims), (self,))


def constant(value, dtype):
    """A number has the dtype of what it meets, an array its own."""
    return value if isinstance(value, np.ndarray) else np.asarray(value, dtype)


def _operators():
    spelled = {
        "+": "add", "-": "sub", "*": "mul", "/": "truediv", "**": "pow", "@": "matmul",
        "<": "lt", "<=": "le", ">": "gt", ">=": "ge",
    }  # fmt: skip
    for symbol, name in spelled.items():
        op = OPERATORS[symbol]()
        setattr(Traced, f"__{name}__", lambda self, other, op=op: self.apply_op(op, (self, other)))
        setattr(Traced, f"__r{name}__", lambda self, other, op=op: self.apply_op(op, (other, self)))


_operators()


def check_traced_gradient(op_class, sample):
    """The gradient rule, run on values of the graph, gives what it gives on arrays."""
    if not has_gradient(op_class, sample):
        return
    case, gs, wanted = gradient_case(op_class, sample)
    ys = [Traced(y) for y in case.result()]
    gs = [None if g is None else Traced(g) for g in gs]
    alone = not isinstance(case.op.shape(*case.shapes), list)
    g, y = (gs[0], ys[0]) if alone else (tuple(gs), tuple(ys))
    found = case.op.vjp(g, y, *map(Traced, case.arrays))
    for i, (d, right) in enumerate(zip(found, wanted, strict=True)):
        assert (d is None) == (right is None)
        assert d is None or isinstance(d, Traced), f"gradient {i} is no value of the graph but {type(d)}"
        assert d is None or np.allclose(d.array, right, rtol=1e-12, atol=1e-12, equal_nan=True)
