"""Windows in the language: each op checks, compiles and agrees in all backends; the gradients of free sides."""

import numpy as np
import pytest
from emitted import written

from netc.autodiff.interpret import interpret
from netc.autodiff.objective import objective
from netc.autodiff.reverse import reverse
from netc.backends.to_torch import to_torch
from netc.deploy.verify import verify
from netc.passes.fix import fix
from netc.passes.initial import state

SPECS = {
    "length": (
        "[N, 3, L]",
        """
    a, places = x -> Conv1d(4, 3, padding="same") -> MaxPool1d(2, padding=1, ceil_mode=true, return_indices=true)
    b = (a, places) -> max_unpool1d(2, padding=1, output_size=L) -> ConvTranspose1d(2, 3, 2, output_padding=1)
    y = b -> avg_pool1d(3, 2, 1, count_include_pad=false) -> lp_pool1d(2, 2) -> adaptive_avg_pool1d(1)
""",
    ),
    "map": (
        "[N, 3, H, W]",
        """
    a, places = x -> max_pool2d([2, 3], padding=1, return_indices=true)
    b = a -> LPPool2d(4, 2, ceil_mode=true) -> AvgPool2d(2, padding=1, ceil_mode=true)
    c = (a, places) -> max_unpool2d([2, 3], padding=1, output_size=[H, W])
    y = global_max_pool(b) + global_avg_pool(c)
""",
    ),
    "columns": (
        "[N, 2, 6, 7]",
        """
    a = unfold(x, [3, 2], padding=1, stride=[2, 1], dilation=[1, 2])
    b = fold(a -> Conv1d(12, 1), [6, 7], [3, 2], padding=1, stride=[2, 1], dilation=[1, 2])
    y = b -> LocallyConnected2d(3, 3, stride=2, padding=1) -> adaptive_max_pool2d([2, 3])
""",
    ),
    "volume": (
        "[N, 2, D, H, 8]",
        """
    a = x -> Conv3d(4, 3, [1, 2, 2], padding=1, groups=2) -> max_pool3d(2, 1, 1)
    b = a -> ConvTranspose3d(3, [1, 2, 2], stride=[1, 2, 2]) -> avg_pool3d(2, 1, padding=1, ceil_mode=true)
    y = lp_pool3d(b, 2, [1, 2, 2]) -> adaptive_avg_pool3d([1, 1, 4]) -> adaptive_max_pool3d([1, 1, 2])
""",
    ),
}


def net(name):
    shape, body = SPECS[name]
    return written(f"net A {{\n    input x: float32{shape}\n{body.strip(chr(10))}\n    output y\n}}\n")


@pytest.mark.parametrize("name", SPECS)
def test_windows_agree_in_all_backends(name):
    made = net(name)
    report = verify(made, to_torch(made), "A")
    assert report.passed, report.blames


FREE = {
    "convolutions": "x -> Conv2d(4, 3, 2, padding=1) -> Conv2d(4, [3, 2], 2, dilation=[1, 2], groups=2)",
    "copied edges": 'x -> Conv2d(3, 3, 2, padding=2, padding_mode="reflect") -> Conv2d(2, 4, padding="same")',
    "transposed": "x -> ConvTranspose2d(3, 3, 2, padding=1, output_padding=1) -> ConvTranspose2d(2, 2, 3)",
    "max": "x -> max_pool2d(3, 2, 1) -> max_pool2d(2, ceil_mode=true)",
    "mean": "x -> avg_pool2d(3, 2, padding=1) -> avg_pool2d(2, 1)",
    "mean of what is there": "x -> avg_pool2d(3, 2, padding=1, count_include_pad=false) -> avg_pool2d(2, ceil_mode=true)",
    "mean with all": "x -> avg_pool2d(3, 2, 1, ceil_mode=true) -> avg_pool2d(2, 3, 1, true, false)",
    "norm": "x -> lp_pool2d(2, 3, stride=2, ceil_mode=true)",
    "whole": "concat(x -> adaptive_max_pool2d(1), x -> adaptive_avg_pool2d(1), axis=1)",
    "columns": "x -> unfold(3, stride=2, padding=1)",
}


@pytest.mark.parametrize("name", FREE)
def test_gradients_for_free_sides_are_those_for_known_ones(name):
    """The rules ask the prover about floors of floors; what is proved must be right at every size."""
    made = written(f"net A {{\n    input x: float64[N, 2, H, W]\n    output {FREE[name]}\n}}\n")
    least = made.facts
    located = objective(made).located
    wrt = [*located.flat.params.values(), made.block.inputs[0]]
    free = reverse(located, located.flat.outputs[:1], wrt, least).flat
    rng = np.random.default_rng(0)
    for h, w in ((16, 13), (17, 19), (18, 14), (21, 11)):
        sizes = {"N": 2, "H": h, "W": w}
        weights = {path: rng.normal(size=p.type.shape) for path, p in state(made).items()}
        fixed = fix(located, sizes)
        known = [*fixed.flat.params.values(), *(v for v in fixed.flat.inputs if v.hint == "x")]
        inputs = {
            v.hint: rng.normal(size=[sizes.get(str(n), n) for n in v.type.shape]) for v in fixed.flat.inputs
        }
        found = interpret(free, inputs, weights)
        wanted = interpret(reverse(fixed, fixed.flat.outputs[:1], known, {}).flat, inputs, weights)
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, 1e-12, 1e-12)
