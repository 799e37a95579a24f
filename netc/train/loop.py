"""Turns a module, a recipe and data into trained weights: plain torch, seeded, one report a step."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel

from netc.diagnostics import Refused
from netc.diagnostics import wording_train as say
from netc.passes.recipe import Recipe
from netc.train.augment import augmented, normalised
from netc.train.dataset import Dataset, Split
from netc.train.events import Epoch, Report, Result, Started, Stepped
from netc.train.module import Weights, device_named, load_training, placed
from netc.train.optimise import average_of, optimizer_of, schedule_of
from netc.train.preprocess import Preprocess
from netc.train.record import Recorder

TEST_BATCH = 500
Results: TypeAlias = tuple[dict[str, Tensor], dict[str, Tensor]]  # losses and metrics, by name


@dataclass(frozen=True)
class Job:
    """All that training needs; `source` is the emitted module's text, `folder` is a run's, where the weights and the metrics are kept."""

    source: str
    class_name: str
    weights: Weights
    recipe: Recipe
    data: Dataset
    preprocess: Preprocess
    folder: Path
    device: str = "auto"


@dataclass
class _Trainer:
    """What changes from step to step. training: the net with its losses, in the form that its module has for it."""

    job: Job
    device: torch.device
    training: torch.nn.Module
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    schedule: LRScheduler
    images: Tensor
    labels: Tensor
    steps: int
    order: torch.Generator = field(default_factory=torch.Generator)
    augmentation: torch.Generator = field(default_factory=torch.Generator)

    @property
    def lr(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def trained(self) -> torch.nn.Module:
        """The one whose weights count: the average where there is one."""
        return self.average.module if self.average else self.training

    @property
    def net(self) -> torch.nn.Module:
        """The net whose weights count."""
        return self.trained.get_submodule("net")


@dataclass
class _Totals:
    """Sums over the images of an epoch or a test. counts: metrics that are no single number, but add up."""

    images: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    counts: dict[str, Tensor] = field(default_factory=dict)

    def add(self, count: int, losses: dict[str, Tensor], metrics: dict[str, Tensor]) -> None:
        self.images += count
        for name, loss in losses.items():
            self.losses[name] = self.losses.get(name, 0.0) + float(loss) * count
        for name, value in metrics.items():
            if value.dim():
                self.counts[name] = self.counts[name] + value if name in self.counts else value
            else:
                self.metrics[name] = self.metrics.get(name, 0.0) + float(value) * count

    @property
    def mean_loss(self) -> float:
        """Of what is minimized: the sum of all losses."""
        return sum(self.losses.values()) / self.images

    @property
    def mean_losses(self) -> dict[str, float]:
        """Each by name, where there are several."""
        return (
            {name: loss / self.images for name, loss in self.losses.items()} if len(self.losses) > 1 else {}
        )

    @property
    def accuracy(self) -> float | None:
        # Means of float32 batches carry their rounding; an accuracy is a count over a count.
        return round(self.metrics["accuracy"] / self.images, 6) if "accuracy" in self.metrics else None


def train(job: Job, report: Report, stop: Callable[[], bool] = lambda: False) -> Result:
    """Train to the end of the recipe, or to the end of the step at which `stop` says so."""
    trainer, began = _prepared(job), time.perf_counter()
    recorder = Recorder(job.folder)
    report(_started(trainer))
    interrupted = False
    try:
        for number in range(1, job.recipe.epochs + 1):
            epoch = _epoch(trainer, number, report, stop)
            if interrupted := epoch is None:
                break
            report(recorder.add(epoch, trainer.net))
        if interrupted and not recorder.epochs:
            recorder.keep(trainer.net)
    finally:
        recorder.draw(job.class_name)
    return recorder.result(trainer.device.type, interrupted, time.perf_counter() - began)


def _prepared(job: Job) -> _Trainer:
    torch.manual_seed(job.recipe.seed)  # dropout draws from torch's own generator
    device, train_ = device_named(job.device), job.data.train
    training = placed(load_training(job.source, job.class_name, job.weights), device)
    optimizer, steps = optimizer_of(job.recipe, training), len(train_) // job.recipe.batch
    if not steps:
        raise Refused(say.batch_too_large(job.recipe.batch, len(train_)))
    trainer = _Trainer(
        job, device, training, average_of(job.recipe, training), optimizer,
        schedule_of(job.recipe.schedule, optimizer, steps * job.recipe.epochs),
        torch.from_numpy(train_.images).to(device), torch.from_numpy(train_.labels).to(device), steps,
    )  # fmt: skip
    trainer.order.manual_seed(job.recipe.seed)
    trainer.augmentation.manual_seed(job.recipe.seed + 1)
    return trainer


def _started(trainer: _Trainer) -> Started:
    data, epochs = trainer.job.data, trainer.job.recipe.epochs
    parameters = sum(p.numel() for p in trainer.training.parameters())
    return Started(
        trainer.device.type, epochs, trainer.steps, len(data.train), len(data.test), parameters
    )  # fmt: skip


def _epoch(trainer: _Trainer, number: int, report: Report, stop: Callable[[], bool]) -> Epoch | None:
    """One pass over the training images and a test; None where it was stopped."""
    totals, began, lr = _Totals(), time.perf_counter(), trainer.lr
    trainer.training.train()
    for step, index in enumerate(_batches(trainer), 1):
        lr = trainer.lr
        totals.add(len(index), *_step(trainer, index, number, step))
        speed = totals.images / (time.perf_counter() - began)
        report(Stepped(number, step, totals.mean_loss, totals.accuracy, lr, speed))
        if stop():
            return None
    speed = totals.images / (time.perf_counter() - began)
    test = _tested(trainer)
    seconds = time.perf_counter() - began
    counts = {name: value.tolist() for name, value in test.counts.items()}
    return Epoch(
        number, totals.mean_loss, totals.accuracy, test.mean_loss, test.accuracy, lr, speed, seconds,
        counts=counts, losses=test.mean_losses,
    )  # fmt: skip


def _batches(trainer: _Trainer) -> Iterator[Tensor]:
    """The training images in a new order, in whole batches: what is left over waits for another epoch."""
    batch = trainer.job.recipe.batch
    order = torch.randperm(len(trainer.labels), generator=trainer.order)[: trainer.steps * batch]
    return iter(order.to(trainer.device).view(-1, batch))


def _step(trainer: _Trainer, index: Tensor, epoch: int, step: int) -> Results:
    """Minimizes the sum of the losses by one step."""
    job = trainer.job
    images = augmented(trainer.images[index], job.recipe.augment, trainer.augmentation)
    with _precision(trainer.device):
        losses, metrics = _run(trainer.training, normalised(images, job.preprocess), trainer.labels[index])
    loss = torch.stack(list(losses.values())).sum()
    value = float(loss.detach())
    if not math.isfinite(value):
        raise Refused(say.loss_not_finite(value, epoch, step, trainer.lr))
    trainer.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    trainer.optimizer.step()
    trainer.schedule.step()
    if trainer.average:
        trainer.average.update_parameters(trainer.training)
    return {name: one.detach() for name, one in losses.items()}, metrics


def _run(training: torch.nn.Module, images: Tensor, labels: Tensor) -> Results:
    """The losses and the metrics of a batch; a size that the net does not take, or the memory, is refused."""
    try:
        return training(images, labels)  # type: ignore[no-any-return]
    except (ValueError, RuntimeError) as error:
        raise Refused(say.batch_refused(len(labels), str(error))) from error


def _precision(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 where it is fast."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()


def _tested(trainer: _Trainer) -> _Totals:
    """The net's own losses and metrics over the test images, in full precision."""
    training, test, totals = trainer.trained.eval(), trainer.job.data.test, _Totals()
    with torch.inference_mode():
        for start in range(0, len(test), TEST_BATCH):
            images, labels = _on_device(test, slice(start, start + TEST_BATCH), trainer.device)
            totals.add(len(labels), *_run(training, normalised(images, trainer.job.preprocess), labels))
    return totals


def _on_device(split: Split, part: slice, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(split.images[part]).to(device), torch.from_numpy(split.labels[part]).to(device)
