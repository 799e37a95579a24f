"""Element-by-element ops and softmax in the language: each checks, compiles and agrees in all backends."""

import pytest
from emitted import written
from in_memory import codes

from netc.backends.to_torch import to_torch
from netc.deploy.verify import verify

SPECS = {
    "exponentials": """
    a = x -> elu(alpha=0.5) -> selu -> celu(alpha=2.0) -> CELU
    y = softplus(a, beta=2, threshold=10) + mish(a) + silu(a) * gelu(a, approximate="tanh")
""",
    "straight": """
    a = x -> hard_sigmoid -> hardtanh(min_val=-0.5, max_val=0.25) -> leaky_relu(negative_slope=0.2)
    y = hard_swish(x + a) + clamp(x, min=-0.1) + clamp(x, max=0.2) + clip(x, -1, 1) + step(x) - sign(a)
""",
    "slopes": """
    a = x -> Conv2d(3, 3, padding=1) -> PReLU(3) -> Conv2d(4, 1) -> PReLU(init=0.1)
    y = a -> glu(axis=1) -> tanh -> softsign
""",
    "softmax": """
    a = softmax(x + 0.5, axis=1, temperature=2.0) * log_softmax(x, axis=2, temperature=0.5)
    y = logsumexp(a, axis=[1, 2], keepdims=true) + logsumexp(a, axis=3, keepdims=true) / 2
""",
    "functions": """
    a = rsqrt(exp(x)) + reciprocal(2 + sin(x)) - cos(x) * erf(x)
    y = sqrt(abs(a)) ** 2 - maximum(a, x) / minimum(-3, x - 4)
""",
    "stairs": """
    a = 0.37 + floor(3 * x) + ceil(x) * round(x + 0.1)
    y = (a + 0.11) // 0.7 - a % 1.3 * (a // (1 + 2 * sigmoid(x)))
""",
    "matrices": """
    y = (x @ transpose(x, 2, 3)) @ x
""",
    "bools": """
    a = logical_and(x > 0, logical_not(x >= 1))
    b = logical_or(logical_xor(a, x < -1), where(a, x == x, x != x))
    y = cast(where(b, a, x <= 0.5), to="float32") + where(a, x, 0)
""",
}


def net(body, shape="[N, 3, 4, 6]"):
    return written(f"net A {{\n    input x: float32{shape}\n{body.strip(chr(10))}\n    output y\n}}\n")


@pytest.mark.parametrize("name", [*SPECS])
def test_ops_agree_in_all_backends(name):
    made = net(SPECS[name])
    report = verify(made, to_torch(made), "A")
    assert report.passed, report.blames


def test_a_temperature_and_a_quotient_keep_their_operands_together():
    made = net("    y = softmax(x + 0.5, temperature=2.0) / (x // 3 % 2)\n")
    source = to_torch(made)
    assert "F.softmax((x + 0.5) / 2.0, dim=-1)" in source and "(x // 3 % 2)" in source


def test_whole_numbers_that_divide_are_not_drawn_as_0():
    made = written("net A {\n    input x: int64[N, 4], z: int64[N, 4]\n    output x // z, (x - 3) % z\n}\n")
    report = verify(made, to_torch(made), "A")
    assert report.passed and len(report.compared) == 8, report.blames


@pytest.mark.parametrize(
    "statement",
    [
        "y = softmax(x, temperature=0)",
        "y = softmax(x, axis=4)",
        "y = glu(x, axis=1)",
        "y = clamp(x)",
        "y = celu(x, alpha=0)",
        "y = softplus(x, beta=-1)",
        "y = hard_tanh(x, min_val=1)",
        "y = x -> PReLU(4)",
        "y = logical_not(x)",
        "y = logsumexp(x, axis=[])",
    ],
)
def test_what_an_op_cannot_take_is_refused_where_it_stands(statement):
    spec = f"net A {{\n    input x: float32[N, 3, 4, 6]\n    {statement}\n    output y\n}}\n"
    assert len(codes(spec)) == 1
