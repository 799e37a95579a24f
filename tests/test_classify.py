"""Exported files: classifying images, what metadata must say, and comparison with PyTorch's logits."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from netc.cli.main import cli
from netc.deploy.classify import classify, prepared
from netc.deploy.compare import compare, compared, evaluate_onnx
from netc.deploy.session import logits_of, open_model
from netc.diagnostics import Refused
from netc.train.dataset import Dataset
from netc.train.embedded import load_digits
from netc.train.preprocess import Preprocess, measured
from netc.train.run_folder import read_run
from netc.train.score import accuracy, cross_entropy

DIGITS = load_digits()
PREPARED = measured(DIGITS.train)


def fitted():
    """The least-squares map from digits to classes: a classifier of some 94 %, without any training."""
    inputs = PREPARED.apply(DIGITS.train.images).reshape(len(DIGITS.train), -1).astype(np.float64)
    inputs = np.hstack([inputs, np.ones((len(inputs), 1))])
    targets = np.eye(10)[DIGITS.train.labels]
    solved = np.linalg.solve(inputs.T @ inputs + np.eye(65), inputs.T @ targets)
    return (8 * solved[:64]).astype(np.float32), (8 * solved[64]).astype(np.float32)


WEIGHT, BIAS = fitted()


def expected(images=None):
    images = DIGITS.test.images if images is None else images
    return (PREPARED.apply(images).reshape(len(images), -1) @ WEIGHT + BIAS).astype(np.float32)


def metadata(**changes):
    data = {"net": "Linear", "version": 1, "constraints": [], "preprocess": PREPARED.as_json(),
            "classes": list(DIGITS.classes)}  # fmt: skip
    return json.dumps({key: value for key, value in {**data, **changes}.items() if value is not None})


def export(path, text=None, batch="N", weight=None, inputs=(1, 8, 8)):
    weight = WEIGHT if weight is None else weight
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["image"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w", "b"], ["logits"]),
        ],
        "Linear",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, *inputs])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 10])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(BIAS, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {"netc": metadata() if text is None else text} if text != "" else {})
    onnx.save(model, path)
    return path


def refusal(call, *arguments):
    with pytest.raises(Refused) as refused:
        call(*arguments)
    (diagnostic,) = refused.value.diagnostics
    return diagnostic


@pytest.fixture
def model(tmp_path):
    return open_model(export(tmp_path / "linear.onnx"), "cpu")


# Running


def test_the_logits_of_a_file_are_those_of_its_formula(model):
    logits = logits_of(model, DIGITS.test.images)
    assert logits.shape == (355, 10) and np.abs(logits - expected()).max() < 1e-4
    assert model.provider == "CPUExecutionProvider" and model.classes == DIGITS.classes


def test_a_file_with_a_fixed_batch_gives_the_same(tmp_path, model):
    fixed = open_model(export(tmp_path / "fixed.onnx", batch=3), "cpu")
    assert (
        np.abs(logits_of(fixed, DIGITS.test.images[:7]) - logits_of(model, DIGITS.test.images[:7])).max()
        < 1e-5
    )


def test_images_are_classified_with_names_and_probabilities(model, tmp_path):
    right = np.flatnonzero(expected().argmax(1) == DIGITS.test.labels)[:3]
    paths = []
    for index in right:
        Image.fromarray(DIGITS.test.images[index][..., 0]).save(path := tmp_path / f"{index}.png")
        paths.append(path)
    found, wrong = classify(model, paths, 3)
    assert wrong == []
    assert [one.path for one in found] == paths
    for one, index in zip(found, right, strict=True):
        logits = expected(DIGITS.test.images[index : index + 1])[0].astype(np.float64)
        assert one.guesses[0].name == str(DIGITS.test.labels[index])
        assert one.guesses[0].probability == pytest.approx(
            np.exp(logits).max() / np.exp(logits).sum(), rel=1e-4
        )
        assert len(one.guesses) == 3 and one.guesses[0].probability > one.guesses[1].probability
    ((everything,), _) = classify(model, paths[:1], 99)
    assert sum(guess.probability for guess in everything.guesses) == pytest.approx(1)


def test_an_image_of_the_right_size_is_untouched_and_others_keep_their_middle(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert (prepared(tmp_path / "a.png", (8, 8), 3) == pixels).all()
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 15:25] = 200
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert prepared(tmp_path / "wide.png", (5, 5), 3).min() >= 150
    assert prepared(tmp_path / "wide.png", (6, 3), 1).shape == (6, 3, 1)
    Image.fromarray(wide.transpose(1, 0, 2)).save(tmp_path / "tall.png")
    assert (
        prepared(tmp_path / "tall.png", (5, 5), 3)
        == prepared(tmp_path / "wide.png", (5, 5), 3).transpose(1, 0, 2)
    ).all()


def test_an_image_that_cannot_be_read_does_not_stop_the_others(tmp_path):
    Image.fromarray(DIGITS.test.images[0][..., 0]).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_text("no image")
    file = export(tmp_path / "linear.onnx")
    images = [tmp_path / name for name in (".", "good.png", "bad.png")]
    done = CliRunner().invoke(cli, ["run", *map(str, (file, *images)), "--device", "cpu"])
    assert done.exit_code == 1 and f"{tmp_path / 'good.png'}: " in done.stdout
    assert f"{tmp_path} cannot be read as an image: it is a folder" in done.stdout
    assert "bad.png cannot be read as an image: it is none of AVIF, BMP, " in done.stdout
    held = json.loads(CliRunner().invoke(cli, ["run", *map(str, (file, *images)), "--format", "json"]).stdout)
    assert [one["path"] for one in held["images"]] == [str(tmp_path / "good.png")]
    assert [one["code"] for one in held["errors"]] == ["E0825", "E0825"]
    alone = CliRunner().invoke(cli, ["run", str(file), str(tmp_path)])
    assert isinstance(alone.exception, Refused) and len(alone.exception.diagnostics) == 1


def test_a_file_is_not_the_folder_of_a_run(tmp_path):
    assert (
        "it is a file; give the run's folder" in refusal(read_run, export(tmp_path / "linear.onnx")).message
    )


def test_a_very_long_picture_costs_no_memory(tmp_path):
    Image.new("L", (1_000_000, 1), 9).save(tmp_path / "long.png")
    assert (prepared(tmp_path / "long.png", (64, 64), 1) == 9).all()


def test_what_cannot_be_run_is_refused(tmp_path):
    path = tmp_path / "m.onnx"
    assert refusal(open_model, path).code == "E0901"
    path.write_bytes(b"not a model")
    assert refusal(open_model, path, "cpu").code == "E0902"
    lacking = [metadata(preprocess=None), metadata(classes=None), metadata(classes=[]),
               metadata(preprocess={"size": [8, 8]})]  # fmt: skip
    for text in ("", "{", "[]", *lacking):
        assert refusal(open_model, export(path, text), "cpu").code == "E0903"
    coloured = Preprocess((8, 8), 3, (0.1,) * 3, (0.2,) * 3).as_json()
    assert refusal(open_model, export(path, metadata(preprocess=coloured)), "cpu").code == "E0904"
    nine = open_model(export(path, metadata(classes=list("abcdefghi"))), "cpu")
    assert refusal(logits_of, nine, DIGITS.test.images[:2]).code == "E0905"
    assert refusal(prepared, tmp_path / "none.png", (8, 8), 1).code == "E0825"


def test_a_gpu_that_is_not_there_is_refused_when_asked_for(tmp_path):
    import onnxruntime as ort

    model = open_model(export(tmp_path / "m.onnx"), "auto")
    assert model.provider in ort.get_available_providers()
    if model.provider == "CPUExecutionProvider":
        assert refusal(open_model, tmp_path / "m.onnx", "cuda").code == "E0906"


# Comparing


def test_a_faithful_file_agrees(model):
    found = compare(model, expected(), DIGITS)
    assert found.agrees and found.differing == () and found.relative_error < 1e-6 and found.images == 355
    assert found.torch_accuracy == found.onnx_accuracy > 0.9
    evaluation = evaluate_onnx(model, DIGITS.test)
    assert (evaluation.backend, evaluation.device) == ("onnx", "CPUExecutionProvider")
    assert evaluation.accuracy == found.onnx_accuracy == accuracy(expected(), DIGITS.test.labels)
    assert evaluation.loss == pytest.approx(cross_entropy(expected(), DIGITS.test.labels), rel=1e-5)


def test_a_wrong_mean_or_deviation_in_the_metadata_is_caught(tmp_path):
    for change in ({"mean": [PREPARED.mean[0] + 0.2]}, {"std": [PREPARED.std[0] * 2]}):
        text = metadata(preprocess={**PREPARED.as_json(), **change})
        found = compare(open_model(export(tmp_path / "m.onnx", text), "cpu"), expected(), DIGITS)
        assert not found.agrees and found.differing and found.relative_error > 0.01


def test_a_wrong_order_of_classes_is_caught(tmp_path):
    flipped = open_model(export(tmp_path / "m.onnx", metadata(classes=list(DIGITS.classes[::-1]))), "cpu")
    found = compare(flipped, expected(), DIGITS)
    assert not found.agrees and not found.classes_agree and found.differing == ()


def test_outputs_in_another_order_are_caught(tmp_path):
    found = compare(
        open_model(export(tmp_path / "m.onnx", weight=WEIGHT[:, ::-1].copy()), "cpu"), expected(), DIGITS
    )
    assert not found.agrees and len(found.differing) > 200 and found.onnx_accuracy < 0.4


def test_only_images_whose_best_logits_nearly_tie_may_differ():
    torch_ = np.array([[1, 2, 0], [1, 1 + 5e-6, 0], [1, 1 + 5e-5, 0], [3, 1, 2]], np.float32)
    other = np.array([[1, 2, 0], [1 + 9e-6, 1, 0], [1 + 6e-5, 1, 0], [3, 1, 2]], np.float32)
    labels = np.array([1, 1, 1, 1])
    found = compared(torch_, other, labels, "CPU")
    assert (found.differing, found.close, found.agrees) == ((2,), (1,), False)
    assert (found.torch_accuracy, found.onnx_accuracy) == (0.75, 0.25)
    assert found.relative_error == pytest.approx(6e-5 / 3, rel=0.01)
    assert compared(torch_[:2], other[:2], labels[:2], "CPU").agrees
    assert json.loads(json.dumps(found.as_json()))["close"] == [1]


def test_a_file_that_gives_nan_does_not_agree():
    logits = np.array([[1, 2, 0], [3, 1, 2]], np.float32)
    broken = logits.copy()
    broken[1, 2] = np.nan
    found = compared(logits, broken, np.array([1, 0]), "CPU")
    assert not found.agrees and found.differing == (1,) and found.onnx_accuracy == 0.5
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["relative_error"] is None


def test_data_whose_names_differ_are_no_match(model):
    renamed = Dataset("digits", DIGITS.train, DIGITS.test, tuple("abcdefghij"))
    assert not compare(model, expected(), renamed).agrees


def test_running_a_file_needs_no_torch():
    rooms = "netc.deploy.classify, netc.deploy.compare, netc.train.data"
    code = f"import sys, {rooms}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
