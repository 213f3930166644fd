"""The losses of one training, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from autoenc.report.plots import (
    COLOURS,
    UNIT,
    label_axes,
    legend_beside,
    log_scale,
    new_column,
    plain_ticks,
    whole_ticks,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["TrainingPlot", "draw_training"]


class TrainingPlot(NamedTuple):
    """Losses after each epoch, and that of PCA on the test rows."""

    title: str
    train_losses: list[float]
    test_losses: list[float]
    pca: float


def draw_training(plot: TrainingPlot) -> Figure:
    """Draw both curves, with PCA as a line."""
    figure = new_column()
    axis = figure.add_subplot()
    epochs = range(1, len(plot.test_losses) + 1)
    train = "training rows, as they were met, with dropout"
    axis.plot(epochs, plot.train_losses, color=COLOURS[1], linestyle="--", label=train)
    axis.plot(epochs, plot.test_losses, color=COLOURS[0], label="test rows")
    axis.axhline(plot.pca, color=COLOURS[2], linestyle=":", label="PCA, test rows")
    log_scale(axis, [*plot.train_losses, *plot.test_losses, plot.pca])
    plain_ticks(axis.xaxis, axis.yaxis)
    whole_ticks(axis.xaxis)
    label_axes(axis, "epoch", f"loss {UNIT}", plot.title)
    legend_beside(axis)
    return figure
