"""A dimension: an int, or a polynomial in named sizes with floor division.

Arithmetic gives an int wherever the result is known, so one rule serves symbols and numbers. Whether
two dimensions are equal is not `==`, which compares what is written, but a question to the prover in
charge (`same`, `at_least`, `divides`): a block's sizes are symbols to its own shapes and yet have the
values that the caller gives. Every size is at least 1.
"""

from netc.dims.bounds import lower_bound, upper_bound
from netc.dims.fact import Fact, Facts, joined
from netc.dims.polynomial import (
    AnyDim,
    Atom,
    Dim,
    Monomial,
    Quotient,
    Shape,
    Size,
    Unwieldy,
    ceil_divide,
    names,
    show,
    size,
    substitute,
)
from netc.dims.prover import (
    Guard,
    Learn,
    Prover,
    at_least,
    decide,
    divides,
    prover,
    proving,
    same,
    value,
)

__all__ = [
    "AnyDim",
    "Atom",
    "Dim",
    "Fact",
    "Facts",
    "Guard",
    "Learn",
    "Monomial",
    "Prover",
    "Quotient",
    "Shape",
    "Size",
    "Unwieldy",
    "at_least",
    "ceil_divide",
    "decide",
    "divides",
    "joined",
    "lower_bound",
    "names",
    "prover",
    "proving",
    "same",
    "show",
    "size",
    "substitute",
    "upper_bound",
    "value",
]
