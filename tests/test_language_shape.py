"""Ops of shapes, indices and reductions in the language: all backends agree, and so do gradients for a free batch."""

import numpy as np
import pytest
import torch
from emitted import loaded, written
from in_memory import codes

from netc.autodiff.interpret import interpret
from netc.autodiff.reverse import reverse
from netc.backends.to_torch import to_torch
from netc.deploy.verify import verify
from netc.passes.locate import locate

# each binds y, which depends on x [N, 4, 6]; i [N, 3] holds whole numbers from 0 on, for an axis of 4
SPECS = {
    "tile": "y = tile(x, 2, 1, 3) -> repeat_interleave(2, axis=1)",
    "roll": "y = roll(x, [1, -2], [1, 2]) * roll(x, -3, axis=2)",
    "flip": "y = flip(x, [0, 2]) * cumsum(x, axis=1)",
    "gather": "y = gather(x[:, :, 0], i, axis=1) * gather(x[:, :, 1], i, 1)",
    "scatter_add": "y = scatter_add(x[:, :, 0], i, x[:, 0, :3], axis=1) ** 2",
    "index": "y = x[:, i[0], 1:] * index_select(x, i[0] - 4, axis=1)[:, :, :5]",
    "index of two axes": "y = x[0, 0][i] * x[:, 0, :3] + x[i[:, 0] * 0][:, 0, :3]",
    "one_hot": 'y = cast(one_hot(i, 4), to="float32") @ x',
    "sort": "a, b = sort(x, axis=1, descending=true)\ny = a * x",
    "topk": 'a, b = topk(x, 3, axis=2, largest=false)\ny = a * cast(b, to="float32")',
    "argsort": "y = gather(x, argsort(x, axis=1), axis=1) * x",
    "argmin": 'y = cast(argmin(x, axis=2, keepdims=true) + argmax(x, keepdims=true), to="float32") * x',
    "einsum": 'y = einsum("nij,nkj->nik", x, x) + einsum("nii,njj->n", x[:, :, :4], x[:, :, 1:5])[0]',
    "einsum, equation behind": 'y = einsum(x, x, "nij,mij")',
    "einsum that sums": 'y = einsum("ijk->j", x)',
    "var": "y = var(x, axis=[1, 2]) + var(x, axis=0, correction=0)[0, 0]",
    "std": "y = std(x, axis=2, keepdims=true) * norm(x, axis=1, keepdims=true)",
    "prod": "y = prod(x, axis=1) + mean(x, axis=[0, 1])",
    "bools": "y = where(any(x > 2, axis=2, keepdims=true), x, where(all(x > -1, axis=1, keepdims=true), 2 * x, 3 * x))",
    "positions": 'y = x * unsqueeze(cast(positions(x, 1), to="float32"), 1)',
    "positions of the batch": 'y = x[:, 0, 0] * cast(positions(x, 0), to="float32")',
    "full_like": "y = where(tril(full_like(x, 1), diagonal=1) > 0, x, 0) + triu(x, -1)",
    "pad": 'y = pad(x, [2, 1], mode="circular") + pad(x, [3, 0], mode="reflect") * pad(x, [0, 3], mode="replicate")',
    "pad and cut": "y = pad(x, [-1, 2, 1, -2], value=0.5)",
    "rearrange": 'y = rearrange(x, "n (a b) c -> b (n c) a", a=2) ** 2',
    "split": "a, b = split(x, [1, 3], axis=1)\ny = concat(a, b * b, a, axis=1)[:, 3:]",
    "chunk": "a, b = chunk(x, 2, axis=2)\ny = stack([a * b, b], axis=1)",
    "expand": "y = expand(x[0:1], N, 4, 6) * x + expand(mean(x), N, 4, 6)",
}


def net(*names):
    """The net whose outputs are y of these specs."""
    bodies = [SPECS[name].replace("y = ", f"y{i} = ").replace("\n", "\n    ") for i, name in enumerate(names)]
    outputs = ", ".join(f"y{i}" for i in range(len(names)))
    head = "net A {\n    input x: float32[N, 4, 6]\n    input i: int64[N, 3]\n    "
    return written(head + "\n    ".join([*bodies, f"output {outputs}"]) + "\n}\n")


def test_backends_agree():
    made = net(*SPECS)
    report = verify(made, to_torch(made), "A")
    assert report.passed, report.blames


@pytest.mark.parametrize("name", [*SPECS])
def test_the_gradient_graph_for_a_free_batch_is_torchs(name):
    made = net(name)
    located = locate(made)
    wrt = [v for v in located.flat.inputs if v.hint == "x"]
    graph = reverse(located, located.flat.outputs, wrt, made.facts).flat
    for batch in (3, 4):
        rng = np.random.default_rng(batch)
        x, i = rng.normal(size=(batch, 4, 6)), rng.integers(0, 4, (batch, 3))
        *_, found = interpret(graph, {"x": x, "i": i}, {})
        tensor = torch.tensor(x, requires_grad=True)
        given = (tensor, torch.tensor(i)) if any(v.hint == "i" for v in located.flat.inputs) else (tensor,)
        with_float64 = (
            to_torch(made).replace("torch.float32", "torch.float64").replace(".float()", ".double()")
        )
        loaded(made, {}, with_float64)(*given).sum().backward()
        np.testing.assert_allclose(found, tensor.grad.numpy(), 1e-10, 1e-10)


@pytest.mark.parametrize(
    ("statement", "code"),
    [("x[0, i]", "E0305"), ("x[i, i]", "E0305"), ("x[x]", "E0401"), ("x[:, :, :, i]", "E0401")],
)
def test_an_index_that_cannot_be(statement, code):
    head = "net A {\n    input x: float32[5, 4, 6]\n    input i: int64[3]\n"
    assert codes(f"{head}    output {statement}\n}}\n") == [code]
    assert codes(f"{head}    output x[i, ...], x[..., i]\n}}\n") == []


def test_what_keeps_all_elements_keeps_some():
    """No formula of the flat size is proved positive: each axis that went into it is."""
    made = written("net A {\n input x: float32[N, 3, H, W]\n output flatten(x[:, :, ::2, 1:], 1)\n}")
    assert [str(c) for c in made.constraints] == ["W >= 2"]
    assert verify(made, to_torch(made), "A").passed
