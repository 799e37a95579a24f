"""Shapes and attributes with named sizes in the place of numbers."""

from collections.abc import Mapping

from netc.dims import Dim, Fact, Learn, Prover, proving, size, substitute
from netc.ops.attributes import BadArgument, bind
from netc.ops.contract import Mismatch


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
    facts = {}
    for _ in range(20):
        with proving(Prover(facts=facts)):
            try:
                op = bind(op_class, (), attributes)
                shapes_of(op, shapes)
                return op, shapes, facts
            except (Mismatch, BadArgument):
                return None
            except Learn as learnt:
                fact = learnt.fact
        if not meets(fact, values):
            return None
        facts = facts | {fact.name: facts.get(fact.name, fact).joined(fact)}
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
    return fact.admits(values[fact.name])


def shapes_of(op, shapes) -> list:
    """The shapes of the outputs, as a list."""
    found = op.shape(*shapes)
    return found if isinstance(found, list) else [found]
