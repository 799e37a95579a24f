"""What emitted source may be made of: kinds of syntax nodes, functions, methods and attributes."""

NODES = frozenset(
    "Module Import ImportFrom alias ClassDef FunctionDef arguments arg Assign AnnAssign Return Expr If Raise For "
    "Call Name Load Store Attribute Constant BinOp UnaryOp Compare Subscript Slice Tuple List Dict "
    "Add Sub Mult Div FloorDiv Mod Pow MatMult BitOr USub Lt LtE Gt GtE Eq NotEq keyword Starred "
    "GeneratorExp IfExp ListComp comprehension JoinedStr FormattedValue".split()
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
BUILTINS = frozenset("super getattr range sum ValueError int float bool str tuple dict".split())
CALLED = frozenset("super getattr range sum ValueError OrderedDict self".split())  # beside classes

# In the modules nn and F, and nn.init, any public name may be called; of torch itself these alone.
TORCH = frozenset(
    "abs arange bincount bool cat ceil cos einsum empty eq erf exp float32 float64 floor full full_like "
    "ge gru gt int32 int64 le linalg linalg.vector_norm log logical_and logical_not logical_or "
    "logical_xor lstm lt matmul maximum minimum ne ones pow rand_like randn_like reciprocal rnn_relu rnn_tanh round rsqrt "
    "sigmoid sign sin split sqrt stack sum tanh tensor where zeros zeros_like".split()
)
METHODS = frozenset(
    "abs all amax amin any argmax argmin argsort bool chunk clamp clone cos cumsum detach device diagonal erf "
    "exp expand flatten flip float gather log logsumexp matmul mean nanmean contiguous new_ones new_tensor new_zeros "
    "permute pow prod repeat_interleave reshape roll scatter_add shape sigmoid sin sort split sqrt square "
    "squeeze std sum tanh tile to topk transpose tril triu type_as unsqueeze var".split()
)
SELF = frozenset(
    {"add_module", "get_submodule", "get_parameter", "get_buffer", "register_buffer", "training"}
)
