"""What emitted source may be made of: kinds of syntax nodes, and functions called by a bare name."""

NODES = frozenset(
    "Module Import ImportFrom alias ClassDef FunctionDef arguments arg Assign Return Expr If Raise For "
    "Call Name Load Store Attribute Constant BinOp UnaryOp Compare BoolOp And Or Subscript Slice Tuple List Dict "
    "Add Sub Mult Div FloorDiv Mod Pow MatMult USub Not Lt LtE Gt GtE Eq NotEq keyword Starred GeneratorExp "
    "comprehension JoinedStr FormattedValue IfExp".split()
)
CALLS = frozenset({"super", "getattr", "range", "ValueError", "OrderedDict"})
