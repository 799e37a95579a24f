"""All mutants."""

from __future__ import annotations

from tests.mutants import (
    dims,
    elaboration,
    ops_gradient,
    ops_shape,
    ops_spelling,
    reverse,
    to_onnx,
    to_torch,
)
from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *to_torch.MUTANTS,
    *to_onnx.MUTANTS,
    *dims.MUTANTS,
    *elaboration.MUTANTS,
    *reverse.MUTANTS,
    *ops_gradient.MUTANTS,
    *ops_shape.MUTANTS,
    *ops_spelling.MUTANTS,
)
NOTHING = Mutant("nothing", "ir.walk:needed", "set(known)", "set(known)", ("nets", "gradients"))  # a control
