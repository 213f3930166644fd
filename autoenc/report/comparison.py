"""The best loss against the latent size, with PCA beside it: in words and as a picture."""

from __future__ import annotations

from math import isnan, nan
from typing import TYPE_CHECKING, NamedTuple

from autoenc.report.plots import COLOURS, UNIT, label_axes, legend_beside, new_column, whole_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SizeRow", "comparison_lines", "draw_comparison"]


_SHORT = {"pca": "PCA", "linear": "linear", "mean": "mean"}


class SizeRow(NamedTuple):
    """The stack that is kept of one latent size, by which rule, and its loss beside the baselines'.

    ``linear`` is the linear autoencoder's loss, None where there is none; ``better`` the baseline with the
    lowest loss, and ``above`` the share by which the stack's loss is above it.
    """

    latent_size: int
    name: str
    loss: float
    standard_error: float | None
    pca: float
    rule: str = "best"
    measure: str = "final test loss"
    linear: float | None = None
    better: str = "pca"
    above: float | None = None
    unit: str = UNIT


def comparison_lines(rows: list[SizeRow], at: int | None) -> list[str]:
    """Return a line for each latent size, and where the elbow is: ``rows[at]``, if there is one."""
    is_loss = "loss" in rows[0].measure
    value, word = ("loss", "loss") if is_loss else ("unexpl.", "unexplained variance")
    width = max(20, *(len(row.name) for row in rows))
    columns = f"{value:>8}  {'PCA':>8}  {'linear':>8}  against the better"
    lines = [f"{'latent size':>11}  {'best stack':<{width}}  {columns}"]
    for row in rows:
        share = "-" if row.above is None else f"{100 * row.above:+.0f} % ({_SHORT[row.better]})"
        by = "" if row.rule == "best" else f"  by {row.rule}"
        linear = "-" if row.linear is None else f"{row.linear:.6f}"
        losses = f"{row.loss:.6f}  {row.pca:.6f}  {linear:>8}  {share}"
        lines.append(f"{row.latent_size:>11}  {row.name:<{width}}  {losses}{by}")
    if at is None:
        return [*lines, "", f"no elbow: that takes at least three latent sizes with falling {word}"]
    size = rows[at].latent_size
    return [*lines, "", f"elbow at latent size {size}: beyond it the {word} falls more slowly"]


def draw_comparison(rows: list[SizeRow], at: int | None) -> Figure:
    """Draw loss against latent size, autoencoder and PCA, the elbow circled."""
    figure = new_column()
    axis = figure.add_subplot()
    sizes = [row.latent_size for row in rows]
    errors = [row.standard_error or 0.0 for row in rows]
    axis.errorbar(
        sizes, [row.loss for row in rows], yerr=errors if any(errors) else None, color=COLOURS[0], marker="o",
        capsize=3, label="autoencoder" + (", with standard error" if any(errors) else ""),
    )  # fmt: skip
    axis.plot(sizes, [row.pca for row in rows], color=COLOURS[1], marker="s", linestyle="--", label="PCA")
    linear = [nan if row.linear is None else row.linear for row in rows]
    if not all(map(isnan, linear)):
        label = "linear autoencoder"
        axis.plot(sizes, linear, color=COLOURS[2], marker="^", linestyle=":", label=label)
    if at is not None:
        axis.scatter(
            sizes[at], rows[at].loss, s=190, facecolor="none", edgecolor="black", linewidth=1.5, zorder=4,
            label=f"elbow: latent size {sizes[at]}",
        )  # fmt: skip
    axis.set_ylim(bottom=0)
    whole_ticks(axis.xaxis)
    value = "Loss" if "loss" in rows[0].measure else "Unexplained variance"
    title = f"{value} of the chosen stack against latent size"
    label_axes(axis, "latent size", f"{rows[0].measure} {rows[0].unit}", title)
    legend_beside(axis)
    return figure
