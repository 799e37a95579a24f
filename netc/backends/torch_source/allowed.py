"""What emitted source may be made of: kinds of syntax nodes, functions, methods and attributes."""

NODES = frozenset(
    "Module Import ImportFrom alias ClassDef FunctionDef arguments arg Assign Return Expr If Raise For "
    "Call Name Load Store Attribute Constant BinOp UnaryOp Compare Subscript Slice Tuple List Dict "
    "Add Sub Mult Div FloorDiv Mod Pow MatMult BitOr USub Lt LtE Gt GtE Eq NotEq keyword Starred "
    "GeneratorExp comprehension JoinedStr FormattedValue".split()
)
IMPORTS = frozenset(
    {
        "from collections import OrderedDict",
        "import torch",
        "import torch.nn.functional as F",
        "from torch import Tensor, nn",
    }
)
BASES = frozenset({"nn.Module", "nn.Sequential"})
BUILTINS = frozenset("super getattr range ValueError int float bool str tuple dict".split())
CALLED = frozenset({"super", "getattr", "range", "ValueError", "OrderedDict", "self"})  # beside classes

# In the modules nn and F, and nn.init, any public name may be called; of torch itself these alone.
TORCH = frozenset(
    "abs cat empty eq erf exp float32 float64 full ge gt int32 int64 bool le log lt matmul maximum minimum "
    "ne ones pow sigmoid sqrt stack tanh where zeros".split()
)
METHODS = frozenset(
    "abs amax amin argmax bool chunk clamp cos erf exp expand flatten float log matmul mean new_ones new_tensor "
    "permute pow reshape shape sigmoid sin split sqrt squeeze sum tanh to transpose unsqueeze".split()
)
SELF = frozenset({"add_module", "get_submodule", "training"})
