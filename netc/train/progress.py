"""Turns the events of training into a progress bar, or into plain lines where there is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from netc.train.events import Epoch, Event, Report, Started, Stepped


@contextmanager
def progress(console: Console) -> Iterator[Report]:
    """A report that shows on `console`: steps in a bar, and a line for each epoch."""
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(),
        TextColumn("{task.fields[facts]}"), TimeRemainingColumn(), console=console, transient=True,
        disable=not console.is_terminal,
    )  # fmt: skip
    total = {"epochs": 0, "steps": 0}

    def show(event: Event) -> None:
        if isinstance(event, Started):
            total.update(epochs=event.epochs, steps=event.steps)
            bar.add_task("training", total=event.epochs * event.steps, facts="")
            console.out(_opening(event), highlight=False)
        elif isinstance(event, Stepped):
            done = (event.epoch - 1) * total["steps"] + event.step
            name = f"epoch {event.epoch}/{total['epochs']}"
            bar.update(bar.task_ids[0], completed=done, description=name, facts=_facts(event))
        else:
            console.out(_line(event, total["epochs"]), highlight=False)

    with bar:
        yield show


def _opening(event: Started) -> str:
    return (
        f"training {event.parameters:,} parameters on {event.train_images:,} images, testing on "
        f"{event.test_images:,} ({event.device})"
    )


def _facts(event: Stepped) -> str:
    return f"loss {event.loss:.3f}{_share(event.accuracy)}  {event.images_a_second:,.0f} images/s"


def _line(event: Epoch, epochs: int) -> str:
    number = f"{event.epoch:>{len(str(epochs))}}/{epochs}"
    return (
        f"epoch {number}  train loss {event.train_loss:.4f}{_share(event.train_accuracy)}"
        f"  test loss {event.test_loss:.4f}{_share(event.test_accuracy)}  lr {event.lr:.2e}"
        f"  {event.images_a_second:,.0f} images/s  {event.seconds:.1f} s{'  best' if event.best else ''}"
    )


def _share(accuracy: float | None) -> str:
    return "" if accuracy is None else f"  accuracy {accuracy:.2%}"
