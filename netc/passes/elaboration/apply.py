"""Applies layers to tensors: makes the instances, infers the shapes and adds nodes to the block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from netc.diagnostics import Note, Span, habits, habits_dtypes, wording_names, wording_shapes
from netc.dims import Learn, decide, show, substitute
from netc.ir.module import Call, Constant, ConstantTensor, Node, Param, Path, Type, Value, is_number
from netc.ops.contract import INTEGERS, OPERATORS, Mismatch, Op, Parameter
from netc.passes.elaboration.calls import bind_op, missing_argument
from netc.passes.elaboration.constants import folded, is_constant
from netc.passes.elaboration.frame import NODES, Frame, Site
from netc.passes.elaboration.helpers import opened
from netc.passes.elaboration.naming import claim, numbered, snake_case
from netc.passes.elaboration.numbers import concrete
from netc.passes.elaboration.precision import check_attributes, float_dtype, representable
from netc.passes.elaboration.ranges import check_indices, keep_ranges, ranges_of
from netc.passes.elaboration.results import check_count, check_led
from netc.passes.elaboration.shared import check_shared, difference
from netc.passes.elaboration.sizes import check_known, check_size
from netc.passes.elaboration.starts import started
from netc.passes.elaboration.values import (
    POISON,
    BlockLayer,
    Chain,
    HelperLayer,
    Instance,
    Labelled,
    Layer,
    OpLayer,
    Poisoned,
    Repeat,
    describe,
    lacking,
)
from netc.syntax import tree

STEP = 40  # the work of adding a layer, with all that is proved of it
OUTPUT = 4  # that of each of its outputs and parameters


@dataclass(frozen=True)
class Place:
    """Where an instance stands: its path (None for a number among its kind), and who it is.

    identity: the binding that names it; None makes each application an instance of its own.
    """

    path: Path | None = None
    identity: object = None


@dataclass
class Counter:
    """The place of the next child of a container."""

    path: Path
    count: int = 0

    def next(self) -> Path:
        self.count += 1
        return (*self.path, str(self.count - 1))


def apply_layer(
    frame: Frame, layer: Layer, inputs: Sequence[Value], span: Span, place: Place = Place()
) -> Any:
    """What `layer` makes of `inputs`: a tensor, or a tuple of them."""
    if isinstance(layer, Instance):
        made = replace(layer.layer, span=None)  # a finding belongs where the instance is applied
        return apply_layer(frame, made, inputs, span, Place(layer.path, layer))
    if isinstance(layer, Labelled):
        path = (*_container(place), *layer.label)
        return apply_layer(frame, layer.layer, inputs, layer.span or span, Place(path, place.identity))
    if isinstance(layer, HelperLayer):
        layer = opened(frame, layer, span)
        if isinstance(layer, HelperLayer):
            raise frame.refuse(missing_argument(layer, span, applied=True))
        return apply_layer(frame, layer, inputs, span, place)
    if isinstance(layer, OpLayer):
        return _apply_op_layer(frame, layer, inputs, span, place)
    if isinstance(layer, BlockLayer):
        if lacking(layer):
            raise frame.refuse(missing_argument(layer, span))
        return _apply_block(frame, layer, inputs, layer.span or span, place)
    return _apply_in_turn(
        frame, layer, inputs, span, place, Counter(place.path) if place.path is not None else None
    )


def _container(place: Place) -> Path:
    return place.path or ()


def _apply_in_turn(
    frame: Frame,
    layer: Chain | Repeat,
    inputs: Sequence[Value],
    span: Span,
    place: Place,
    counter: Counter | None,
) -> Any:
    """A chain or a repeat: its steps are the children of the container that `counter` counts, if any."""
    current: Any = inputs[0] if len(inputs) == 1 else tuple(inputs)
    before = frame.nodes
    steps = layer.steps if isinstance(layer, Chain) else (layer.layer,) * layer.count
    for done, step in enumerate(steps):
        if isinstance(layer, Repeat) and done == 1:
            _check_growth(frame, layer, frame.nodes - before, span)
        given = current if isinstance(current, tuple) else (current,)
        at = span if lacking(step) else step.span or span
        if done:
            check_led(frame, step, given, at)
        current = _apply_step(frame, step, given, at, place, counter, isinstance(layer, Repeat))
    return current


def _apply_step(
    frame: Frame,
    step: Layer,
    inputs: Sequence[Value],
    span: Span,
    place: Place,
    counter: Counter | None,
    copied: bool,
) -> Any:
    if counter is None:
        return apply_layer(frame, step, inputs, span)
    if isinstance(step, Labelled):
        counter.next()
        return apply_layer(
            frame, step.layer, inputs, span, Place((*counter.path, *step.label), place.identity)
        )
    if isinstance(step, Repeat) or (isinstance(step, Chain) and not copied):
        return _apply_in_turn(frame, step, inputs, span, place, counter)
    return apply_layer(frame, step, inputs, span, Place(counter.next(), place.identity))


def _check_growth(frame: Frame, layer: Repeat, size: int, span: Span) -> None:
    """Refuses a repeat whose copies would be too many, after the first has shown how large one is."""
    if size * layer.count > NODES:
        raise frame.refuse(
            wording_shapes.too_much(layer.span or span, f"{layer.count:,} copies make too many layers", NODES)
        )


# -- ops ----------------------------------------------------------------------------------------------


def _apply_op_layer(frame: Frame, layer: OpLayer, inputs: Sequence[Value], span: Span, place: Place) -> Any:
    if lacking(layer):
        raise frame.refuse(missing_argument(layer, span))
    if layer.op is None:
        name = tree.Name(layer.span or span, layer.kind.name)
        bound = bind_op(frame, layer, (), {}, tree.Call(layer.span or span, name, ()), 0)
        layer = replace(bound, inits=layer.inits)
    assert layer.op is not None
    return apply_op(frame, layer.op, (*inputs, *layer.rest), layer.span or span, place, layer)


def apply_op(
    frame: Frame,
    op: Op,
    operands: Sequence[Any],
    span: Span,
    place: Place = Place(),
    layer: OpLayer | None = None,
) -> Any:
    """Adds a node for `op`. A number among the operands becomes a constant. layer: what the spec says of it."""
    frame.session.spend(STEP + 4 * len(operands))
    check_count(frame, op, operands, span)
    inputs = _constants(frame, op, operands, span)
    shapes = [v.type.shape for v in inputs]
    known = ranges_of(frame, inputs)
    places = layer.places if layer is not None else {}
    try:
        op.dtype(*(v.type.dtype for v in inputs))
        made = op.shape(*shapes)
        op.agree(shapes, [v.type.dtype for v in inputs])
        check_indices(op, known, shapes)
        wanted = op.params(*shapes)
    except Mismatch as error:
        at = places.get(error.at, span)
        said = _said(frame, op, inputs)
        raise frame.refuse(
            wording_shapes.mismatch(
                at,
                _spelling(op, span),
                error.message,
                said,
                _origin(frame, op, inputs),
                _guess(frame, op, error, inputs),
            )
        ) from None
    except Learn as fact:
        fact.span = fact.span or span
        raise
    shapes_made = made if isinstance(made, list) else [made]
    frame.session.spend(OUTPUT * (len(shapes_made) + len(wanted)))
    hint = "" if isinstance(made, list) else frame.hint
    dtypes = op.dtypes(len(shapes_made), *(v.type.dtype for v in inputs))
    outputs = tuple(Value(hint, Type(*kind)) for kind in zip(dtypes, shapes_made, strict=True))
    for output in outputs:
        check_size(frame, op, output.type.shape, span, lambda: _origin(frame, op, inputs))
    if not wanted and place.path is None and is_constant(op, inputs):
        constants = folded(frame, op, inputs, [v.type for v in outputs], span)
        return constants if isinstance(made, list) else constants[0]
    keep_ranges(frame, op, known, shapes, outputs)
    check_attributes(frame, op, inputs, layer, span)
    wanted = started(frame, op, wanted, layer, float_dtype(inputs), span)
    path, params = _instance(frame, op, wanted, inputs, span, place)
    _add(frame, Node(op, inputs, params, outputs, path, span), span)
    return outputs if isinstance(made, list) else outputs[0]


def _spelling(op: Op, span: Span) -> str:
    """The op as the user wrote it: an operator or a name."""
    return op.operator.rstrip("x") if op.operator and f"{op.name}(" not in span.text else op.name


def _said(frame: Frame, op: Op, inputs: Sequence[Value]) -> dict[str, str]:
    """What a message calls the operands of `op`: by the user's names, where they have one."""
    sides = ("the left side", "the right side") if op.operator and len(inputs) == 2 else ()
    said = {}
    for i, (operand, value) in enumerate(zip(op.operand_names(len(inputs)), inputs, strict=True)):
        other = (
            sides[i]
            if sides
            else "what comes in"
            if len(inputs) == 1
            else f"tensor {i + 1}"
            if "[" in operand
            else operand
        )
        said[operand] = value.hint if is_number(value) else frame.name_of(value) or other
    return said


def _origin(frame: Frame, op: Op, inputs: Sequence[Value]) -> tuple[Note, ...]:
    pairs = zip(_said(frame, op, inputs).values(), inputs, strict=True)
    return frame.origin((name, value) for name, value in pairs if not is_number(value))


def _guess(frame: Frame, op: Op, error: Mismatch, inputs: Sequence[Value]) -> str | None:
    """What to write instead, where a habit explains a mismatch."""
    said = {
        o: (name, v.type.dtype) for (o, name), v in zip(_said(frame, op, inputs).items(), inputs, strict=True)
    }
    if help_ := _listed_as(error, op, inputs):
        return help_
    if help_ := habits_dtypes.dtype_habit(op.name, error.at, error.message, said):
        return help_
    maker = next((s.op.name for s in frame.body if isinstance(s, Node) and inputs[0] in s.outputs), "")
    return habits.mismatch_habit(op.name, error.at, vars(op), [v.type.shape for v in inputs], maker)


def _listed_as(error: Mismatch, op: Op, inputs: Sequence[Value]) -> str | None:
    """The dtype to give a tensor from numbers that is refused for its own, where a tensor beside it has another."""
    for name, value in zip(op.operand_names(len(inputs)), inputs, strict=True):
        listed = isinstance(value, ConstantTensor) and value.made is None
        others = [v.type.dtype for v in inputs if v.type.dtype != value.type.dtype and not is_number(v)]
        if listed and others and error.message.startswith(f"{name} is {value.type.dtype}"):
            return f'give its dtype: `tensor([...], dtype="{others[0]}")`'
    return None


def _constants(frame: Frame, op: Op, operands: Sequence[Any], span: Span) -> tuple[Value, ...]:
    """The operands as values: numbers in the dtype of the tensors beside them."""
    if any(x is POISON for x in operands):
        raise Poisoned
    dtype = next(
        (x.type.dtype for x in operands if isinstance(x, Value) and x.type.dtype != "bool"), "float32"
    )
    out: list[Value] = []
    for name, x in zip(op.operand_names(len(operands)), operands, strict=True):
        if isinstance(x, Value):
            out.append(x)
            continue
        number = concrete(x, span, "a number beside a tensor")
        if (
            not isinstance(number, int | float)
            or isinstance(number, bool)
            or (isinstance(number, float) and dtype in INTEGERS)
        ):
            if isinstance(number, float):
                raise frame.refuse(
                    wording_shapes.fraction_beside_integers(span, _spelling(op, span), str(number), dtype)
                )
            raise frame.refuse(wording_shapes.number_for_tensor(span, op.name, name, describe(x)))
        if not representable(number, dtype):
            raise frame.refuse(
                wording_shapes.number_out_of_range(span, _spelling(op, span), str(number), dtype)
            )
        out.append(Constant(str(number), Type(dtype, ()), number))
    return tuple(out)


def _instance(
    frame: Frame, op: Op, wanted: dict[str, Parameter], inputs: Sequence[Value], span: Span, place: Place
) -> tuple[Path | None, tuple[Param, ...]]:
    """The path and the parameters of an op's instance: fresh ones, or those of the instance shared."""
    if place.path is None and not wanted:
        return None, ()
    path = place.path if place.path is not None else numbered(frame, op.short)
    shared = claim(frame, path, place.identity or object(), op, span)
    floats = float_dtype(inputs)
    params = []
    for name, parameter in wanted.items():
        type_ = Type(parameter.dtype or floats, parameter.shape)
        params.append(
            _share(frame, (*path, name), type_, span)
            if shared
            else _own(frame, op, (*path, name), type_, parameter, inputs, span)
        )
    return path, tuple(params)


def _own(
    frame: Frame, op: Op, path: Path, type_: Type, parameter: Parameter, inputs: Sequence[Value], span: Span
) -> Param:
    check_known(frame, op.name, type_.shape, span, lambda: _origin(frame, op, inputs))
    made = Param(".".join(path), type_, path, parameter.init, trainable=parameter.trainable)
    frame.params[path] = made
    return made


def _share(frame: Frame, path: Path, type_: Type, span: Span) -> Param:
    held = frame.params[path]
    alike = (
        held.type.dtype == type_.dtype
        and len(held.type.shape) == len(type_.shape)
        and all(decide("zero", a - b) is True for a, b in zip(held.type.shape, type_.shape, strict=True))
    )
    if not alike:
        owner = frame.owners[path[:-1]]
        shapes = f"have shape {show(type_.shape)}, not {show(held.type.shape)}"
        other = shapes if held.type.dtype == type_.dtype else f"be {type_.dtype}, not {held.type.dtype}"
        detail = f"here its {path[-1]} would {other}"
        raise frame.refuse(wording_names.shared_differs(span, ".".join(path[:-1]), detail, owner.span))
    return held


def _add(frame: Frame, step: Node | Call, span: Span) -> None:
    frame.body.append(step)
    for output in step.outputs:
        frame.origins[output] = span
    frame.nodes += max(1, step.block.nodes) if isinstance(step, Call) else 1
    if frame.nodes > NODES:
        frame.session.report(frame.refuse(wording_shapes.too_much(span, "too many layers", NODES)))
        frame.session.budget.close()
        raise Poisoned


def take(frame: Frame, x: Value, items: Sequence[Any], span: Span) -> Any:
    """The part of a tensor that `items` choose: a position, (start, stop, step), or None for a whole axis."""
    kind: Any = OPERATORS["[]"]
    return apply_op(frame, kind(tuple(items)), (x,), span)


# -- blocks -------------------------------------------------------------------------------------------


def _apply_block(frame: Frame, layer: BlockLayer, inputs: Sequence[Value], span: Span, place: Place) -> Any:
    from netc.passes.elaboration.instantiate import instantiate

    name = layer.definition.name
    block, sizes, known = instantiate(frame, layer, inputs, Site(name, span))
    path = place.path if place.path is not None else numbered(frame, snake_case(name))
    if claim(frame, path, place.identity or object(), block, span):
        owner = frame.owners[path]
        if owner.made is not block:
            detail = difference(owner.made, block)
            raise frame.refuse(wording_names.shared_differs(span, ".".join(path), detail, owner.span))
        first = next(s for s in frame.body if isinstance(s, Call) and s.path == path)
        check_shared(frame, block, first.sizes, sizes, path, span)
    outputs = tuple(
        Value(
            frame.hint if len(block.outputs) == 1 else "",
            Type(v.type.dtype, tuple(substitute(d, sizes) for d in v.type.shape)),
        )
        for v in block.outputs
    )
    frame.ranges.update((v, held) for v, held in zip(outputs, known, strict=True) if held is not None)
    _add(frame, Call(block, tuple(inputs), outputs, path, sizes, span), span)
    return outputs[0] if len(outputs) == 1 else outputs
