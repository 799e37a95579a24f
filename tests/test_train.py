"""Training: augmentation, schedules, the loop and the folder it leaves, on a module as netc emits them."""

import io
import json
import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.numpy import load_file

from netc.diagnostics import Refused
from netc.passes.recipe import Chosen, Invocation, Setting, read_recipe
from netc.train.augment import horizontal_flip, normalised, random_crop
from netc.train.curves import draw_curves
from netc.train.dataset import Dataset, Split
from netc.train.embedded import load_digits
from netc.train.evaluate import evaluate_torch, logits_of
from netc.train.events import Epoch, Started, Stepped
from netc.train.interrupt import interruptible
from netc.train.loop import Job, train
from netc.train.module import load_module, weights_of
from netc.train.optimise import schedule_of
from netc.train.preprocess import measured
from netc.train.progress import progress
from netc.train.run_files import write_end, write_start
from netc.train.run_folder import Run, new_folder, read_run, write
from netc.train.score import accuracy, cross_entropy

MODULE = '''"""As netc emits it."""
import torch
from torch import nn
from torch.nn import functional as F


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.fc1 = nn.Linear(8 * 8 * 8, 10)

    def forward(self, image):
        x = F.dropout(F.relu(self.bn1(self.conv1(image))), 0.1, self.training)
        return self.fc1(x.flatten(1))


class Training(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, image, label):
        logits = self.net(image)
        losses = {"loss": F.cross_entropy(logits, label)}
        return losses, {"accuracy": (logits.argmax(1) == label).float().mean()}
'''
DIGITS = load_digits()


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def initial():
    rng = np.random.default_rng(0)
    weights = {
        "conv1.weight": rng.normal(0, 0.3, (8, 1, 3, 3)), "conv1.bias": np.zeros(8),
        "bn1.weight": np.ones(8), "bn1.bias": np.zeros(8),
        "bn1.running_mean": np.zeros(8), "bn1.running_var": np.ones(8),
        "bn1.num_batches_tracked": np.array(0),
        "fc1.weight": rng.normal(0, 0.03, (10, 512)), "fc1.bias": np.zeros(10),
    }  # fmt: skip
    return {name: value.astype(np.float32) if value.ndim else value for name, value in weights.items()}


def few(count=200, test=50, seed=0):
    part = slice(0, count)
    split = Split(DIGITS.train.images[part], DIGITS.train.labels[part])
    return Dataset(
        "digits", split, Split(DIGITS.test.images[:test], DIGITS.test.labels[:test]), DIGITS.classes
    )


def job_in(folder, *overrides, data=None, weights=None, module=MODULE):
    folder.mkdir(parents=True, exist_ok=True)
    recipe = read_recipe((), ("train.batch=50", "train.epochs=2", *overrides))
    data = data or few()
    return Job(
        module,
        "Digits",
        weights or initial(),
        recipe,
        data,
        measured(data.train),
        folder,
        "cpu",
    )


def silent(event):
    pass


def refusal(call, *arguments):
    with pytest.raises(Refused) as refused:
        call(*arguments)
    (diagnostic,) = refused.value.diagnostics
    return diagnostic


# Augmentation


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_crop_is_a_window_of_the_padded_image_and_windows_differ():
    images = torch.arange(40 * 5 * 6 * 3, dtype=torch.int32).view(40, 5, 6, 3)
    cropped = random_crop(images, 4, 1, seeded())
    assert cropped.shape == (40, 4, 4, 3)
    padded = torch.nn.functional.pad(images, (0, 0, 1, 1, 1, 1))
    places = set()
    for index in range(40):
        found = [
            (y, x) for y in range(4) for x in range(5)
            if torch.equal(padded[index, y : y + 4, x : x + 4], cropped[index])
        ]  # fmt: skip
        assert len(found) == 1
        places.add(found[0])
    assert {y for y, _ in places} == set(range(4)) and {x for _, x in places} == set(range(5))


def test_a_flip_mirrors_the_width_of_some_images():
    images = torch.arange(100 * 2 * 3 * 1).view(100, 2, 3, 1)
    flipped = horizontal_flip(images.clone(), 0.3, seeded())
    mirrored = [torch.equal(f, i.flip(1)) for f, i in zip(flipped, images, strict=True)]
    same = [torch.equal(f, i) for f, i in zip(flipped, images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True)) and 15 < sum(mirrored) < 45
    assert torch.equal(horizontal_flip(images.clone(), 1.0, seeded()), images.flip(2))


def test_tensors_are_normalised_as_arrays_are():
    images = DIGITS.train.images[:20]
    preprocess = measured(DIGITS.train)
    ours = normalised(torch.from_numpy(images), preprocess)
    assert np.abs(ours.numpy() - preprocess.apply(images)).max() < 1e-6
    coloured = measured(Split(np.zeros((1, 4, 4, 3), np.uint8), np.zeros(1, np.int64)))
    ours = normalised(torch.zeros(2, 4, 4, 3, dtype=torch.uint8), coloured)
    assert ours.is_contiguous(memory_format=torch.channels_last)


# Schedules


def rates(schedule, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0, momentum=0.9)
    scheduler, found = schedule_of(schedule, optimizer, steps), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]["momentum"] == 0.9
    return found


def test_schedules_follow_their_shapes():
    assert rates(None, 3) == [2.0] * 3
    cosine = rates(Chosen("cosine", {"warmup": 0.0}), 10)
    assert cosine == pytest.approx([1 + math.cos(math.pi * step / 10) for step in range(10)])
    warm = rates(Chosen("cosine", {"warmup": 0.4}), 10)
    assert warm[:5] == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0]) and warm[-1] < 0.2
    cycle = rates(Chosen("one_cycle", {"warmup": 0.3}), 100)
    assert cycle.index(max(cycle)) == 29 and max(cycle) == pytest.approx(2.0)
    assert cycle[0] == pytest.approx(2 / 25) and cycle[-1] < 1e-5


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.3, 0.5, 1.0])
def test_short_schedules_do_not_fail(steps, warmup):
    for name in ("one_cycle", "cosine"):
        assert all(0 <= rate <= 2.0001 for rate in rates(Chosen(name, {"warmup": warmup}), steps))


# The loop


def test_a_small_net_learns_the_digits(tmp_path):
    job = job_in(tmp_path, "train.epochs=4", "train.lr=0.01", "train.schedule=one_cycle", data=DIGITS)
    result = train(job, silent)
    assert result.best.test_accuracy > 0.93
    shuffled = Split(DIGITS.train.images, np.random.default_rng(0).permutation(DIGITS.train.labels))
    wrong = Dataset("digits", shuffled, DIGITS.test, DIGITS.classes)
    assert train(job_in(tmp_path / "wrong", data=wrong), silent).best.test_accuracy < 0.5


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tmp_path):
    steps = ("train.augment=['random_crop', 'horizontal_flip']", "train.augment.random_crop.size=8",
             "train.augment.random_crop.padding=1", "train.ema=0.9")  # fmt: skip
    runs = [
        train(job_in(tmp_path / str(i), *steps, f"train.seed={seed}"), silent)
        for i, seed in enumerate((3, 3, 4))
    ]
    first, again, other = (run.weights.read_bytes() for run in runs)
    assert first == again and first != other


@pytest.mark.parametrize(
    "without", ["train.augment=none", "train.ema=none", "train.schedule=none", "train.lr=0.02"]
)
def test_each_part_of_the_recipe_has_an_effect(tmp_path, without):
    settings = (
        "train.augment=['horizontal_flip']",
        "train.ema=0.5",
        "train.schedule=cosine",
        "train.lr=0.01",
    )
    full = train(job_in(tmp_path / "a", *settings), silent)
    less = train(job_in(tmp_path / "b", *settings, without), silent)
    assert full.weights.read_bytes() != less.weights.read_bytes()


def test_the_moving_average_is_what_its_formula_says(tmp_path):
    """One epoch of four steps, averaged by hand from runs that stop after each step."""
    data, states = few(200), []
    for stop_at in range(1, 5):
        seen = []
        result = train(
            job_in(tmp_path / str(stop_at), "train.epochs=9", data=data), seen.append,
            lambda seen=seen, at=stop_at: sum(isinstance(e, Stepped) for e in seen) == at,
        )  # fmt: skip
        assert result.interrupted
        states.append(load_file(result.weights))
    averaged = train(job_in(tmp_path / "ema", "train.ema=0.75", "train.epochs=1", data=data), silent)
    for name in ("conv1.weight", "bn1.running_var", "fc1.bias"):
        expected = states[0][name]
        for state in states[1:]:
            expected = 0.75 * expected + 0.25 * state[name]
        assert load_file(averaged.weights)[name] == pytest.approx(expected, abs=1e-6)


def test_the_best_epoch_is_what_is_kept(tmp_path):
    """With a rate that explodes after the first epochs, the last weights are not the best."""
    result = train(job_in(tmp_path, "train.epochs=6", "train.lr=0.3"), silent)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5, 6]
    best = max(lines, key=lambda line: (line["test_accuracy"], -line["test_loss"]))
    assert best["epoch"] == result.best.epoch and best["best"] and lines[0]["lr"] == pytest.approx(0.3)
    job = job_in(tmp_path)
    net = load_module(job.source, "Digits", load_file(result.weights))
    logits = logits_of(net, job.data.test.images, job.preprocess)
    assert accuracy(logits, job.data.test.labels) == pytest.approx(best["test_accuracy"])
    assert cross_entropy(logits, job.data.test.labels) == pytest.approx(best["test_loss"], rel=1e-5)


def test_a_loss_that_is_not_finite_stops_before_the_weights_change(tmp_path):
    module = MODULE.replace(
        "F.cross_entropy(logits, label)}", "F.cross_entropy(logits, label) / (self.net.fc1.bias[0] == 0)}"
    )
    found = refusal(train, job_in(tmp_path, module=module), silent)
    assert found.code == "E0829" and "epoch 1 at step 2" in found.message
    assert not (tmp_path / "best.safetensors").exists()


def test_a_loss_that_breaks_later_leaves_the_best_so_far(tmp_path):
    seen = []
    late = "F.cross_entropy(logits, label) * (1 if self.net.bn1.num_batches_tracked < 6 else float('nan'))}"
    module = MODULE.replace("F.cross_entropy(logits, label)}", late)
    assert refusal(train, job_in(tmp_path, module=module), seen.append).code == "E0829"
    kept = [e for e in seen if isinstance(e, Epoch)]
    assert len(kept) == 1 and kept[0].best
    assert load_file(tmp_path / "best.safetensors")["bn1.num_batches_tracked"] == 4
    assert (tmp_path / "curves.png").exists()


def test_a_batch_that_the_net_cannot_take_is_refused(tmp_path):
    alone = MODULE.replace(
        "self.bn1(self.conv1(image))", "self.bn1(self.conv1(image.amax((2, 3), keepdim=True)))"
    )
    job = job_in(tmp_path, "train.batch=1", module=alone.replace("8 * 8 * 8", "8"), weights=None)
    found = refusal(
        train, replace(job, weights={**job.weights, "fc1.weight": np.zeros((10, 8), np.float32)}), silent
    )
    assert (
        found.code == "E0828"
        and "a batch of 1 image: Expected more than 1 value per channel" in found.message
    )


def test_a_test_batch_that_the_net_cannot_take_is_refused(tmp_path):
    even = "x.reshape(2, -1, 512).reshape(-1, 512)"
    job = job_in(tmp_path, data=few(64, 49), module=MODULE.replace("x.flatten(1)", even))
    found = refusal(train, job, silent)
    assert found.code == "E0828" and "a batch of 49 images" in found.message


def test_weights_must_fit_the_module_exactly(tmp_path):
    weights = initial()
    weights["fc2.bias"] = weights.pop("fc1.bias")
    weights["bn1.bias"] = np.zeros(9, np.float32)
    found = refusal(train, job_in(tmp_path, weights=weights), silent)
    assert found.code == "E0833"
    assert [note.text for note in found.notes] == [
        "not among the weights: fc1.bias", "not in the module: fc2.bias", "of another shape: bn1.bias",
    ]  # fmt: skip


def test_a_missing_gpu_is_refused(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    net = load_module(MODULE, "Digits", initial())
    assert refusal(logits_of, net, DIGITS.test.images, measured(DIGITS.train), "cuda").code == "E0832"


# Signals


def test_a_signal_stops_after_its_step_and_handlers_come_back(tmp_path):
    before = signal.getsignal(signal.SIGINT)

    def report(event):
        if isinstance(event, Stepped) and (event.epoch, event.step) == (2, 1):
            os.kill(os.getpid(), signal.SIGINT)

    with interruptible() as stop:
        result = train(job_in(tmp_path, "train.epochs=5"), report, stop)
    assert result.interrupted and stop.signal == signal.SIGINT and signal.getsignal(signal.SIGINT) is before
    assert len(result.epochs) == 1 and result.best.epoch == 1 and (tmp_path / "curves.png").exists()


def test_a_second_signal_acts_at_once():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


# The folder of a run


def folder_of(*arguments, **keywords):
    with new_folder(*arguments, **keywords) as (folder, _):
        return folder


def test_a_run_is_never_overwritten(tmp_path):
    names = [folder_of("digits", root=tmp_path).name for _ in range(3)]
    assert names == ["digits-001", "digits-002", "digits-003"]
    (tmp_path / "digits-041").mkdir()
    (tmp_path / "digits-final").mkdir()
    assert folder_of("digits", root=tmp_path).name == "digits-042"
    assert folder_of("digits", tmp_path / "mine").name == "mine"
    assert refusal(folder_of, "digits", tmp_path / "mine").code == "E0830"


def test_what_fails_before_the_folder_is_kept_takes_it_back(tmp_path):
    asked = tmp_path / "deep" / "mine"
    with pytest.raises(KeyboardInterrupt), new_folder("digits", asked) as (folder, _):
        (folder / "file").write_text("")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt), new_folder("digits", asked) as (folder, keep):
        keep()
        raise KeyboardInterrupt
    assert asked.is_dir()
    with pytest.raises(Refused), new_folder("digits", asked):
        pass
    assert asked.is_dir()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    write(tmp_path / "a", "old")
    with pytest.raises(TypeError):
        write(tmp_path / "a", 3)
    assert (tmp_path / "a").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_a_whole_run_is_read_back_and_evaluated(tmp_path):
    folder, data = folder_of("digits", root=tmp_path), few()
    preprocess = measured(data.train)
    run = Run(
        folder, "Digits", "Digits", "digits.py", "digits.onnx", "spec/digits.net", "digits", data.classes,
        preprocess,
    )  # fmt: skip
    recipe = read_recipe((Setting("optimizer", (Invocation("adamw", (0.01,)),)), Setting("batch", (50,))))
    write_start(run, "net Digits {}\n", MODULE, recipe, data)
    job = Job(MODULE, run.class_name, initial(), recipe, data, preprocess, folder, "cpu")
    result = train(job, silent)
    write_end(run, result, {"agrees": True})
    assert sorted(path.name for path in folder.iterdir()) == [
        "best.safetensors", "curves.png", "digits.py", "metrics.jsonl", "recipe.json", "run.json", "samples",
        "spec",
    ]  # fmt: skip
    assert len(list((folder / "samples").iterdir())) == 10
    again = read_run(folder)
    assert again == run
    net = load_module(MODULE, "Digits", load_file(again.weights))
    evaluation = evaluate_torch(net, again.preprocess, data.test, "cpu")
    assert evaluation.accuracy == pytest.approx(result.best.test_accuracy) and evaluation.backend == "torch"
    assert evaluation.loss == pytest.approx(result.best.test_loss, rel=1e-4)
    written = json.loads((folder / "run.json").read_text())
    assert written["result"]["test_accuracy"] == result.best.test_accuracy
    assert written["comparison"] == {"agrees": True}
    assert json.loads((folder / "recipe.json").read_text())["optimizer"]["arguments"]["lr"] == 0.01
    assert list(weights_of(net)) == list(initial())


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"net": 3}', "\x00"])
def test_a_folder_that_is_no_run_is_refused(tmp_path, content):
    assert refusal(read_run, tmp_path).code == "E0831"
    (tmp_path / "run.json").write_text(content)
    assert refusal(read_run, tmp_path).code == "E0831"


def test_a_run_that_points_outside_its_folder_is_refused(tmp_path):
    data = few()
    run = Run(
        tmp_path, "D", "D", "digits.py", "digits.onnx", "spec/d.net", "digits", data.classes,
        measured(data.train),
    )  # fmt: skip
    (tmp_path / "best.safetensors").write_bytes(b"")
    (tmp_path / "run.json").write_text(json.dumps(run.as_json()))
    assert read_run(tmp_path) == run
    for key in ("module", "onnx", "spec"):
        for evil in ("../evil", "/evil", "spec/../../evil", "", "a\0b", "a/b/c"):
            (tmp_path / "run.json").write_text(json.dumps({**run.as_json(), key: evil}))
            assert refusal(read_run, tmp_path).code == "E0831"


# What is shown


def epochs(count=3):
    return [
        Epoch(i, 2 / i, 1 - 0.5 / i, 2.2 / i, 1 - 0.6 / i, 0.1, 999.0, 1.5, True) for i in range(1, count + 1)
    ]


def test_curves_are_a_picture_of_the_epochs():
    picture = draw_curves(epochs(), "Digits")
    assert picture.startswith(b"\x89PNG") and picture == draw_curves(epochs(), "Digits")
    assert picture != draw_curves(epochs(4), "Digits")


def test_without_a_terminal_progress_is_plain_lines():
    out = io.StringIO()
    with progress(Console(file=out, width=200)) as report:
        report(Started("cpu", 3, 4, 1442, 355, 12345))
        report(Stepped(1, 1, 2.5, 0.25, 0.1, 1000.0))
        report(epochs(1)[0])
    first, second = out.getvalue().splitlines()
    assert first == "training 12,345 parameters on 1,442 images, testing on 355 (cpu)"
    assert second.startswith(
        "epoch 1/3  train loss 2.0000  accuracy 50.00%  test loss 2.2000  accuracy 40.00%"
    )
    assert "\x1b" not in out.getvalue()


def test_on_a_terminal_there_is_a_bar_with_rate_loss_accuracy_and_time_left():
    out = io.StringIO()
    with progress(Console(file=out, width=120, force_terminal=True)) as report:
        report(Started("cpu", 3, 4, 1442, 355, 12345))
        report(Stepped(2, 1, 2.5, 0.25, 0.1, 1000.0))
    for part in ("epoch 2/3", "5/12", "loss 2.500", "accuracy 25.00%", "1,000 images/s", "-:--:--"):
        assert part in out.getvalue()
