"""Turns the epochs of a run into a picture: loss and accuracy, in training and in test."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from netc.train.events import Epoch

TRAIN, TEST, INK = "#9aa5b1", "#1f6feb", "#24292f"


def draw_curves(epochs: Sequence[Epoch], title: str) -> bytes:
    """A PNG; the accuracy is left out where the net has none."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = ["loss"] + ["accuracy"] * (epochs[0].test_accuracy is not None)
    figure = Figure(figsize=(5.2 * len(panels), 3.8), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold", color=INK)
    for index, panel in enumerate(panels):
        _panel(figure.add_subplot(1, len(panels), index + 1), epochs, panel)
    picture = BytesIO()
    # No version and no date: the same run gives the same bytes.
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def _panel(axes: Any, epochs: Sequence[Epoch], what: str) -> None:
    numbers, scale = [epoch.epoch for epoch in epochs], 100 if what == "accuracy" else 1
    for part, colour in (("train", TRAIN), ("test", TEST)):
        values = [getattr(epoch, f"{part}_{what}") * scale for epoch in epochs]
        marker = "o" if len(epochs) < 25 else ""
        axes.plot(numbers, values, color=colour, label=part, linewidth=2, marker=marker, markersize=4)
    best = next((epoch for epoch in reversed(epochs) if epoch.best), None)
    if best:
        value = getattr(best, f"test_{what}") * scale
        axes.plot([best.epoch], [value], "o", markersize=9, markerfacecolor="none", markeredgecolor=TEST)
        kept = f"kept: epoch {best.epoch}, {value:.{2 if scale > 1 else 4}f}"
        axes.set_title(kept, loc="right", fontsize=9, color=TEST)
    axes.set_title(what + (", %" if what == "accuracy" else ""), loc="left", fontsize=10, color=INK)
    axes.set_xlabel("epoch", color=INK)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="best")
