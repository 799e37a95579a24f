"""Free sizes: what the outputs need of them, what only the losses do, and which can be freed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from emitted import loaded, training_of

from netc.autodiff.interpret import interpret
from netc.autodiff.trial import random_weights, trials
from netc.backends.describe import describe
from netc.backends.onnx_file import write_onnx
from netc.backends.to_onnx import to_onnx
from netc.backends.to_torch import to_torch
from netc.backends.weights import Held
from netc.deploy.runtime import outputs_of, start
from netc.deploy.verify import verify
from netc.diagnostics import Refused
from netc.ir.module import Net
from netc.passes.elaborate import elaborate
from netc.passes.initial import state
from netc.passes.inline import inline
from netc.passes.load import load

AUXILIARY = """
block Halved(width: int) {
    input x: [N, C, H, W]
    output x -> Conv2d(width, 3, padding=1) -> max_pool2d(2)
}
block Side(classes: int) {
    input x: [N, C, H, W]
    output x -> Halved(4) -> adaptive_avg_pool2d(2) -> flatten -> Linear(classes)
}
net Two(classes: int = 3) {
    input image: float32[N, 2, H, W]
    target label: int64[N]
    low = image -> Halved(3)
    aux = low -> Side(classes)
    logits = low -> Conv2d(4, 3, padding=1) -> global_avg_pool -> Linear(classes)
    loss 0.3 * cross_entropy(aux, label)
    output logits
    loss cross_entropy(logits, label)
    metric accuracy(logits, label)
}
"""


def written(spec: str, *dynamic: str, **settings: object) -> Net:
    program = load("a.net", lambda _: spec.encode())
    return elaborate(program, list(program.nets)[-1], settings, dynamic)


def constraints(net: Net) -> tuple[list[str], list[str]]:
    """Those of the outputs, and those that only the losses have."""
    return [str(c) for c in net.constraints if not c.training], [
        str(c) for c in net.constraints if c.training
    ]


# -- axes that are freed --------------------------------------------------------------------------------------

MASKS = """net Masks(h: int = 12, w: int = 8, c: int = 3, T: int = 5, step: int = 2) {
    input image: float32[N, c, h, w]
    input text: int64[2, T]
    input rest: float32[4, 6, 2, 3, 5]
    target mask: int64[N, h, w]
    y = image -> Conv2d(4, 3, padding=1)
    output y, text -> Embedding(9, 2), mean(rest, axis=[1, 2, 4])
    loss cross_entropy(y, mask)
}"""


def shapes(net: Net) -> dict[str, str]:
    return {v.hint: str(v.type).partition("[")[2][:-1] for v in (*net.block.inputs, *net.targets)}


@pytest.mark.parametrize(
    ("dynamic", "wanted"),
    [
        ("h", {"image": "N, 3, h, 8", "mask": "N, h, 8"}),
        ("w h", {"image": "N, 3, h, w", "mask": "N, h, w"}),
        ("T", {"text": "2, T"}),
        ("text.1", {"text": "2, text_1"}),
        ("text.0 text.1", {"text": "text_0, text_1"}),
        ("rest.0", {"rest": "rest_0, 6, 2, 3, 5"}),
        ("rest.4 rest.2", {"rest": "4, 6, rest_2, 3, rest_4"}),
        ("h N", {"image": "N, 3, h, 8", "mask": "N, h, 8"}),
    ],
)
def test_any_axis_of_any_input_can_be_freed(dynamic: str, wanted: dict[str, str]) -> None:
    fixed = shapes(written(MASKS))
    net = written(MASKS, *dynamic.split())
    assert shapes(net) == {**fixed, **wanted}
    assert verify(net, to_torch(net), net.name).passed


@pytest.mark.parametrize("name", ["step", "Q", "image", "image.4", "image.-1", "text.01", "h.2", "L", ""])
def test_what_is_no_axis_is_refused_with_what_is(name: str) -> None:
    with pytest.raises(Refused) as found:
        written(MASKS, name)
    (finding,) = found.value.diagnostics
    assert finding.code == "E0413" and finding.help is not None
    assert finding.help.startswith("name H, T, W, c, h, w, image.1, image.2, image.3, text.0")


def test_a_place_that_means_two_sizes_is_refused() -> None:
    spec = "net P {\n input a: float32[N, 1, 8, 8]\n input b: float32[N, 1, 6, 8]\n output a -> relu, b -> relu\n}"
    assert shapes(written(spec, "W")) == {"a": "N, 1, 8, W", "b": "N, 1, 6, W"}
    with pytest.raises(Refused, match="2 axes of different sizes could be meant"):
        written(spec, "H")
    assert shapes(written(spec, "a.2")) == {"a": "N, 1, a_2, 8", "b": "N, 1, 6, 8"}


def test_a_parameter_stays_the_number_that_it_is_elsewhere() -> None:
    spec = MASKS.replace("output y,", "output y * h,")
    net = written(spec, "h", h=10)
    assert shapes(net)["image"] == "N, 3, h, 8"
    weights, image = random_weights(state(net)), np.ones((1, 3, 7, 8), "float32")
    inputs = {"image": image, "text": np.zeros((2, 5), "int64"), "rest": np.ones((4, 6, 2, 3, 5), "float32")}
    module = loaded(net, weights, to_torch(net))
    given = [torch.from_numpy(x) for x in inputs.values()]
    plain = loaded(written(MASKS, "h"), weights, to_torch(written(MASKS, "h")))
    assert torch.allclose(module(*given)[0], 10 * plain(*given)[0])


def test_what_pins_a_parameter_s_axis_is_named() -> None:
    with pytest.raises(Refused) as found:
        written(MASKS.replace("output y,", "output y -> reshape([N, 4 * h, w]),"), "h")
    assert "4 * h" in str(found.value.diagnostics[0].span and found.value.diagnostics[0].span.text)


# -- what only the losses need -------------------------------------------------------------------------------


def test_an_auxiliary_head_restricts_training_alone(tmp_path) -> None:
    net = written(AUXILIARY)
    assert constraints(net) == (["H >= 2", "W >= 2"], ["H % 8 == 0", "W % 8 == 0"])
    assert json.loads(describe(net))["constraints"] == ["H >= 2", "W >= 2"]
    assert set(json.loads(describe(net, training={}))["constraints"]) == {str(c) for c in net.constraints}
    weights = random_weights(state(net))
    module = loaded(net, weights, to_torch(net))
    write_onnx(tmp_path / "a.onnx", to_onnx(net), Held(weights))
    session = start(tmp_path / "a.onnx")
    for sides in ((2, 3), (7, 9), (8, 16)):
        image = np.random.default_rng(0).standard_normal((2, 2, *sides)).astype("float32")
        (truth,) = interpret(inline(net), {"image": image, "label": np.array([0, 2])}, weights)
        assert np.allclose(module(torch.from_numpy(image)).detach(), truth, atol=1e-5)
        assert np.allclose(outputs_of(session, tmp_path / "a.onnx", {"image": image})[0], truth, atol=1e-5)
    image, label = torch.zeros(2, 2, 8, 12), torch.tensor([0, 2])
    with pytest.raises(ValueError, match="W must be a multiple of 8, not 12"):
        training_of(module)(image, label)
    with pytest.raises(ValueError, match="H must be at least 2, not 1"):
        module(image[:, :, :1])
    training_of(module)(image[..., :8], label)
    assert verify(net, to_torch(net), net.name).passed


@pytest.mark.parametrize("used", [False, True])
def test_a_number_that_a_side_head_computes_keeps_the_whole_net_together(used: bool) -> None:
    """It is computed with what only the losses need known, so the outputs that read it need that, too."""
    spec = AUXILIARY.replace("aux = low -> Side(classes)", "aux, many = [low -> Side(classes), 2]")
    outputs, beside = constraints(
        written(spec.replace("output logits", f"output logits * {'many' if used else 3}"))
    )
    multiples = ["H % 8 == 0", "W % 8 == 0"]
    assert (outputs, beside) == ((multiples, []) if used else (["H >= 2", "W >= 2"], multiples))


def test_parameters_are_those_of_the_net_with_fixed_sides() -> None:
    fixed = AUXILIARY.replace("H, W]\n    target", "16, 16]\n    target")
    assert list(state(written(AUXILIARY))) == list(state(written(fixed)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("output logits", "output logits + aux"),
        ("output logits", "output logits, mean(aux)"),
        ("target label: int64[N]", "target label: int64[N]\n    assert H % 8 == 0 and W % 8 == 0"),
        # of one statement, of which the outputs need a part
        ("logits = low -> Conv2d(4, 3, padding=1) -> global_avg_pool -> Linear(classes)",
         "logits, more = [low -> global_avg_pool -> Linear(classes), low -> Side(classes)]"),
    ],
)  # fmt: skip
def test_what_the_outputs_need_restricts_them(before: str, after: str) -> None:
    outputs, beside = constraints(written(AUXILIARY.replace(before, after)))
    assert outputs == ["H % 8 == 0", "W % 8 == 0"] and not beside


def test_a_larger_multiple_for_the_losses_stands_beside_that_of_the_outputs() -> None:
    spec = AUXILIARY.replace("low = image -> Halved(3)",
        "low = image -> Halved(3)\n    low = low + (low -> max_pool2d(2) -> ConvTranspose2d(3, 2, stride=2))")  # fmt: skip
    net = written(spec)
    assert constraints(net) == (["H % 4 == 0", "W % 4 == 0"], ["H % 8 == 0", "W % 8 == 0"])
    source = to_torch(net)
    assert source.count("% 4:") == source.count("% 8:") == 2
    assert verify(net, source, net.name).passed


def test_a_largest_size_of_a_loss_is_training_s_alone() -> None:
    net = written("""net Named {
    input x: float32[N, T, 4]
    target y: float32[N, T, 3]
    z = x -> Linear(3)
    output z
    loss mse(z + (positions(x, axis=1) -> Embedding(6, 3)), y)
}""")
    assert constraints(net) == ([], ["T <= 6"])
    flat = inline(net, tuple(net.losses.values()))
    assert all(trial.sizes["T"] <= 6 for trial in trials(net, flat))
    assert verify(net, to_torch(net), net.name).passed


def test_a_size_that_the_outputs_read_of_a_side_head_stays_right() -> None:
    """A number of the side head's shape, which the outputs use, holds for every size that they take."""
    spec = AUXILIARY.replace(
        "output logits", "k = shape(side)[2]\n    output expand(unsqueeze(logits, 2), [N, 3, k])"
    )
    spec = spec.replace(
        "aux = low -> Side(classes)", "side = low -> Halved(2)\n    aux = low -> Side(classes)"
    )
    net = written(spec)
    flat, weights = inline(net), random_weights(state(net))
    image = np.random.default_rng(0).standard_normal((2, 2, 9, 13)).astype("float32")
    (truth,) = interpret(flat, {"image": image, "label": np.array([0, 2])}, weights)
    made = loaded(net, weights, to_torch(net))(torch.from_numpy(image)).detach().numpy()
    np.testing.assert_allclose(made, truth, rtol=1e-4, atol=1e-5)


def test_a_size_that_only_a_target_tells_is_checked_by_the_loss() -> None:
    net = written("""net Told {
    input x: float32[N, 4]
    target y: float32[N, T]
    z = x -> Linear(3)
    output z
    loss mean(y[:, 3:]) + mean(z)
}""")
    assert constraints(net) == ([], ["T >= 4"])
    module = loaded(net, random_weights(state(net)), to_torch(net))
    training = training_of(module)
    training(torch.zeros(2, 4), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="T must be at least 4, not 3"):
        training(torch.zeros(2, 4), torch.zeros(2, 3))
