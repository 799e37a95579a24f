"""IR made by hand from real ops, for tests of what comes after elaboration."""

from netc.diagnostics import Source, Span
from netc.ir.module import Block, Call, Constant, Net, Node, Param, Type, Value
from netc.ops.attributes import bind
from netc.ops.contract import OPS

SPAN = Span(Source("hand.net", "made by hand"), 0, 4)


class Hand:
    """A block in the making."""

    def __init__(self):
        self.inputs, self.body, self.params = [], [], []

    def input(self, name, dtype, *shape):
        self.inputs.append(Value(name, Type(dtype, shape)))
        return self.inputs[-1]

    def param(self, name, dtype, shape, init):
        self.params.append(Param(name, Type(dtype, shape), (name,), init))
        return self.params[-1]

    def apply(self, name, *operands, path=None, hint="", **attributes):
        """One op: its only output, or a tuple of them."""
        op = bind(OPS[name], (), attributes)
        values = [v if isinstance(v, Value) else Constant("", Type("float32", ()), v) for v in operands]
        shapes, dtype = [v.type.shape for v in values], op.dtype(*(v.type.dtype for v in values))
        own = tuple(path.split(".")) if path else None
        params = tuple(
            Param(n, Type(p.dtype or dtype, p.shape), (*(own or ()), n), p.init, p.trainable)
            for n, p in op.params(*shapes).items()
        )
        given = op.shape(*shapes, *(p.type.shape for p in params))
        shapes = given if isinstance(given, list) else [given]
        outputs = tuple(Value(hint, Type(dtype, shape)) for shape in shapes)
        self.params += params
        self.body.append(Node(op, tuple(values), params, outputs, own, SPAN))
        return outputs if isinstance(given, list) else outputs[0]

    def call(self, block, path, inputs, shapes, **sizes):
        outputs = tuple(Value("", Type("float32", shape)) for shape in shapes)
        self.body.append(Call(block, tuple(inputs), outputs, tuple(path.split(".")), sizes, SPAN))
        return outputs[0] if len(outputs) == 1 else outputs

    def block(self, name, *outputs, doc=None, sizes=()):
        return Block(
            name,
            doc,
            {},
            tuple(self.inputs),
            tuple(self.body),
            outputs,
            tuple(self.params),
            sizes,
            len(self.body),
            SPAN,
        )

    def net(
        self, name, *outputs, doc=None, targets=(), losses=None, metrics=None, constraints=(), free=("N",)
    ):
        inputs = [v for v in self.inputs if v not in targets]
        block = Block(
            name,
            doc,
            {},
            tuple(inputs),
            tuple(self.body),
            outputs,
            tuple(self.params),
            (),
            len(self.body),
            SPAN,
        )
        return Net(name, block, tuple(targets), losses or {}, metrics or {}, tuple(constraints), free)
