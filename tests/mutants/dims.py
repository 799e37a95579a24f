"""Bugs of dimensions: polynomials, bounds and the prover."""

from __future__ import annotations

from tests.mutants.mutant import Mutant


def _m(what: str, where: str, old: str, new: str, *tests: str, equivalent: str = "") -> Mutant:
    return Mutant(
        f"dims: {what}",
        f"dims.{where}",
        old,
        new,
        ("nets", "refusals"),
        tests or ("test_quotients", "test_dims"),
        equivalent,
    )


MUTANTS = (
    _m("a quotient rounds up", "polynomial:_divide", "return a // b", "return -(-a // b)"),
    _m("a remainder within a quotient is lost", "polynomial:_divide", "{m: c % b for m, c in a.terms}", "{}"),
    _m("the rest of a reduced quotient is lost", "polynomial:_small_quotient",
       "(reduced + constant // common)", "reduced"),
    _m("quotients of quotients forget the rest", "polynomial:_small_quotient",
       "(inner.numerator + constant * inner.divisor)", "(inner.numerator + constant)"),
    _m("a quotient of a quotient has the outer divisor", "polynomial:_small_quotient",
       "// (inner.divisor * divisor)", "// divisor"),
    _m("a remainder is a quotient", "polynomial:Dim.__mod__", "self - (self // other) * other", "self // other"),
    _m("a difference is a sum", "polynomial:Dim.__rsub__", "self * -1 + other", "self + other"),
    _m("products keep one term a monomial", "polynomial:_product",
       "out.get(monomial, 0) + c * d", "c * d"),
    _m("sums keep one term a monomial", "polynomial:_sum", "out.get(monomial, 0) + coefficient", "coefficient"),
    _m("ceil is floor", "polynomial:ceil_divide", "-(-a // b)", "a // b"),
    _m("a power is one less", "polynomial:Dim.__pow__", "range(exponent)", "range(exponent - 1)"),
    _m("a multiple is put in whole", "polynomial:_substitute_atom",
       "values[atom.name] // atom.multiple", "values[atom.name]"),
    _m("a symbol over a symbol forgets its coefficient", "polynomial:_divide_by_symbol",
       "return _divide(polynomial(quotient), k)", "return polynomial(quotient)"),
    _m("all terms are bounded from below", "bounds:_bound",
       "if all(c >= 0 for m, c in dim.terms if m) and", "if"),
    _m("a size is at least 2", "bounds:_atom_bound", "max(1, ", "max(2, "),
    _m("a quotient is bounded by what is divided", "bounds:_atom_bound", "return bound // atom.divisor if", "return bound if"),
    _m("a difference has the bound of its constant", "bounds:_shifted_bound",
       "if not negative:", "if True:"),
    _m("what is taken away counts for nothing", "bounds:_shifted_bound", "least += coefficient", "pass"),
    _m("a size is never its largest", "bounds:_atom_limit", "limit // atom.multiple", "limit // atom.multiple - 1"),
    _m("a taken away quotient counts for nothing", "bounds:_bound_without_quotient",
       "search.bound(rest * d + whole * coefficient)", "search.bound(rest * d)"),
    _m("sides that may be negative have the product of their bounds", "bounds:_bound_of_factors",
       "if low is not None and low >= 0 else None\n            if low is not None and least is not None and least >= 0:",
       "\n            if low is not None and least is not None:"),
    _m("the number before a product is lost", "bounds:_bound_of_factors", "low * least * number", "low * least"),
    _m("a table of any rank is a product", "bounds:_factors", "splits = len(a)", "splits = True or len(a)"),
    _m("zero is more than zero", "prover:_is_zero", "(low or 0) > 0 or", "(low or 0) >= 0 or"),
    _m("at least asks for more", "prover:_answer", "low >= number", "low > number"),
    _m("at most is taken for less", "prover:_answer", "high < number", "high <= number"),
    _m("what is not known to be equal is", "prover:same", "return answer is True", "return answer is not False"),
    _m("what is not known to be large enough is", "prover:at_least", "return answer is True", "return answer is not False"),
    _m("no multiple is learnt", "prover:same", "_learn_multiple(prover().known(a - b))", "pass"),
    _m("no least size is learnt", "prover:at_least", "_learn_bound(prover().known(dim), number, prover().facts)", "pass"),
    _m("a least size is learnt one too small", "prover:_learn_bound", "minimum=least)", "minimum=max(1, least - 1))"),
    _m("a largest size is learnt one too large", "prover:_learn_bound", "maximum=above - 1)", "maximum=above)"),
    _m("facts of one size are forgotten for the next", "fact:Fact.joined", "min(limits, default=None)", "other.maximum"),
    _m("a largest size admits the next", "fact:Fact.admits", "number > self.maximum", "number > self.maximum + 1"),
    _m("twice the multiple is learnt", "prover:_learn_multiple", "multiple=atom.multiple * k)", "multiple=atom.multiple * k * 2)"),
    _m("guards are not kept", "prover:Prover.ask",
       "self.guards[Guard(question, dim, answer, number)] = None", "pass", "test_blocks", "test_soundness", "test_language"),
    _m("a guard has the opposite answer", "prover:Prover.ask",
       "Guard(question, dim, answer, number)", "Guard(question, dim, not answer, number)",
       "test_blocks", "test_soundness", "test_language"),
    _m("what the caller gives is not asked", "prover:Prover.known", "substitute(dim, self.given)", "dim"),
    _m("divides asks the wrong way", "prover:divides", "dim % k", "k % dim if isinstance(dim, int) else dim % k"),
)  # fmt: skip
