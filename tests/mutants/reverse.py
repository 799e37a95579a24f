"""Bugs of the reverse pass, of the graph of training, and of what gradient rules are written in."""

from __future__ import annotations

from tests.mutants.mutant import Mutant


def _m(what: str, where: str, old: str, new: str, *oracles: str, equivalent: str = "") -> Mutant:
    return Mutant(f"reverse: {what}", where, old, new, oracles or ("gradients",), (), equivalent)


MUTANTS = (
    _m("a value read twice keeps its last gradient", "autodiff.reverse:_Pass._reach",
       "gradient if held is None else held + gradient", "gradient"),
    _m("a value read twice keeps its first gradient", "autodiff.reverse:_Pass._reach",
       "gradient if held is None else held + gradient", "gradient if held is None else held"),
    _m("gradients start from 2", "autodiff.reverse:_Pass.run", "self._filled(value, 1.0)", "self._filled(value, 2.0)"),
    _m("what nothing reached gets ones", "autodiff.reverse:_Pass._arrived", "self._filled(value, 0.0)", "self._filled(value, 1.0)"),
    _m("a value is active only where all it reads is", "autodiff.reverse:_Pass._active",
       "any(v in active for v in node.operands)", "all(v in active for v in node.operands)"),
    _m("nodes are passed in the order of the graph", "autodiff.reverse:_Pass.run",
       "reversed(range(len(self.nodes)))", "range(len(self.nodes))"),
    _m("gradients of the first operand alone", "autodiff.reverse:_Pass._back",
       "if gradient is not None and value in active:", "if gradient is not None and value is node.operands[0]:"),
    _m("a cut into one part gives its rule no tuple", "autodiff.reverse:_Pass._back",
       "several = len(ys) > 1 or node.op.cuts", "several = len(ys) > 1"),
    _m("an op on other operands is the same node", "autodiff.tape:Tape.apply",
       "key = (op, *(id(v) for v in values))", "key = (op, id(values[0]))"),
    _m("constants of other values are one", "autodiff.tape:Tape.constant", "(dtype, repr(plain))", "(dtype, '')"),
    _m("a - b is b - a where a is a number", "autodiff.tape:Traced.__rsub__",
       'self._operator("-", other, self)', 'self._operator("-", self, other)'),
    _m("a / b is b / a", "autodiff.tape:Traced.__truediv__",
       'self._operator("/", self, other)', 'self._operator("/", other, self)'),
    _m("a sum along an axis is over all", "autodiff.tape:Traced.sum", "axis=_axes(axis)", "axis=None"),
    _m("training keeps the running statistics", "autodiff.training:_Rewriting.run", "if self.changes(node.op):", "if False:"),
    _m("layers behind one that trains read the old value", "autodiff.training:_Rewriting._current",
       "self.now.get(v, v)", "v"),
    _m("the objective is the first loss", "autodiff.objective:added", "total = total + term", "total = total"),
    _m("the objective is a mean", "autodiff.objective:objective", "term.sum() if term.shape", "term.mean() if term.shape"),
    _m("broadcast axes of size 1 are not summed", "ops.notation:unbroadcast",
       "return g.sum(axes, keepdims=True) if axes else g", "return g"),
    _m("added axes are not summed", "ops.notation:unbroadcast", "g = g.sum(tuple(range(extra)))", "g = g.mean(tuple(range(extra)))"),
    _m("pads in another order", "ops.notation:pad", "zip(reversed(before), reversed(after), strict=True)",
       "zip(before, after, strict=True)", "gradients", "samples"),
    _m("x ** 2 is x", "ops.arithmetic:Pow.selects", "numbers[1] == 1", "numbers[1] == 2"),
    Mutant("reverse: what is chosen is the other one", "ops.logic:Where.selects", "1 if numbers[0] else 2",
           "2 if numbers[0] else 1", ("gradients",), ("test_ops",)),
    _m("numbers are added up in whole ones", "autodiff.tape:_folded", "np.asarray(n, kind)", "np.asarray(n, int)"),
    _m("a number is put in rounded", "autodiff.tape:Tape.constant", "plain = number if", "plain = round(number, 1) if"),
)  # fmt: skip
