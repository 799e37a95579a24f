"""All the rules for expressions, entered; and what statements need of them."""

from netc.passes.elaboration import layers, names, operators, parts
from netc.passes.elaboration.evaluate import evaluate
from netc.passes.elaboration.layers import label
from netc.passes.elaboration.names import preset

__all__ = ["evaluate", "label", "layers", "names", "operators", "parts", "preset"]
