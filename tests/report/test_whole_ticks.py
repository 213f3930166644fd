"""Axes of trials and epochs have ticks at whole numbers, however few there are."""

from __future__ import annotations

import pytest

from autoenc.report.comparison import SizeRow, draw_comparison
from autoenc.report.plots import Curve, CurvesPlot, draw_curves
from autoenc.report.progress import Minimum, ProgressPlot, draw_progress


def ticks_in_view(axis) -> list[float]:
    low, high = axis.get_xlim()
    return [tick for tick in axis.get_xticks() if low <= tick <= high]


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_trials_are_whole_numbers(n):
    losses = [1.0 - 0.1 * i for i in range(n)]
    minima = [Minimum(i + 1, loss, f"stack {i}") for i, loss in enumerate(losses)]
    figure = draw_progress(ProgressPlot("title", losses, [10 + i for i in range(n)], minima, {}, "loss"))
    ticks = ticks_in_view(figure.axes[1])
    assert ticks
    assert all(float(tick).is_integer() for tick in ticks)


@pytest.mark.parametrize("n", [2, 3, 7])
def test_epochs_are_whole_numbers(n):
    curve = Curve("8-4", [1.0 - 0.1 * i for i in range(n)])
    ticks = ticks_in_view(draw_curves(CurvesPlot("title", [curve], "loss", "")).axes[0])
    assert ticks
    assert all(float(tick).is_integer() for tick in ticks)


@pytest.mark.parametrize("sizes", [(2,), (2, 3), (2, 3, 4), (8, 64)])
def test_latent_sizes_are_whole_numbers(sizes):
    rows = [SizeRow(size, "8-4", 1 / size, None, 2 / size) for size in sizes]
    ticks = ticks_in_view(draw_comparison(rows, None).axes[0])
    assert ticks
    assert all(float(tick).is_integer() for tick in ticks)
