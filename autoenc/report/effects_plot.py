"""The effects of the recipe's options as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autoenc.analysis.effects import Effect
from autoenc.report.plots import COLOURS, new_column

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_effects"]


def draw_effects(effects: Sequence[Effect], title: str, loss_name: str) -> Figure:
    """Draw each effect with its interval; left of the line is a lower loss."""
    figure = new_column(9.0, 1.6 + 0.5 * len(effects))
    axis = figure.add_subplot()
    for row, effect in enumerate(effects):
        axis.plot(100 * effect.difference, row, "o", color=COLOURS[0])
        if effect.low is not None and effect.high is not None:
            axis.plot([100 * effect.low, 100 * effect.high], [row, row], color=COLOURS[0], linewidth=1.8)
    axis.axvline(0, color="black", linewidth=0.9)
    names = [f"{e.factor} {e.value} against {e.against}\n({e.n_pairs} pairs)" for e in effects]
    axis.set_yticks(range(len(effects)), names)
    axis.set_ylim(len(effects) - 0.5, -0.5)
    axis.set_xlabel(f"change of the {loss_name} in percent, mean and 95 % interval over stacks")
    axis.set_title(title, loc="left")
    axis.grid(alpha=0.3, axis="x")
    return figure
