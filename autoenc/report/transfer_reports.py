"""Output files of a transfer-aware search: the best trial, tables and pictures, views of its study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import optuna

from autoenc.analysis.study import count_finished, ranked_trials
from autoenc.report.files import Written, write_files
from autoenc.report.study_tables import top_trials_csv, trials_csv
from autoenc.report.study_write import write_study_figures
from autoenc.report.ties import ties_document
from autoenc.report.trials_table import SCORES
from autoenc.system.paths import utf8
from autoenc.system.png import png_content
from autoenc.system.strict_json import finite, json_bytes
from autoenc.system.text import counted
from autoenc.two_stage.finalists import compare, kept_trial, ties_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["StagesPlot", "best_params", "draw_stages", "stages_plot", "write_pictures", "write_tables"]

_COMPONENTS = (*SCORES, "stage2_objective")


def best_params(study: optuna.Study) -> dict[str, Any]:
    """Return the best trial for ``best_params.json``: its value and its parts, and its parameters.

    ``finalists`` says how the best trials compare, best first; empty while they are not judged to the end,
    so that the lowest value decides. ``ties`` says which trials may be as good as the lowest value.
    """
    best, finalists = kept_trial(study), compare(study)
    attributes = {} if best is None else best.user_attrs
    return finite(
        {
            "best_value": None if best is None else best.value,
            "best_params": None if best is None else dict(best.params),
            "n_trials": count_finished(study),
            "best_trial_number": None if best is None else best.number,
            "components": {name: attributes.get(name) for name in _COMPONENTS},
            "finalists": [finalist._asdict() for finalist in finalists],
            "ties": ties_document(ties_of(study)),
        }
    )


def write_tables(study: optuna.Study, folder: Path) -> Written:
    """Write the best trial and the tables of trials; work proportional to the number of trials.

    Raises:
        OSError: If a file cannot be written; every file is then whole, the old one or the new one.
    """
    contents = [
        ("best", "best_params.json", json_bytes(best_params(study))),
        ("all trials", "all_trials.csv", utf8(trials_csv(study))),
        ("top trials", "top_20_trials.csv", utf8(top_trials_csv(study))),
    ]
    return write_files(folder, contents)


def write_pictures(study: optuna.Study, folder: Path) -> Written:
    """Draw all pictures into ``figures/``; returns and raises as :func:`write_tables` does."""
    best = kept_trial(study)
    figures = folder / "figures"
    written = write_study_figures(study, figures, None if best is None else best.number)
    stages = png_content(draw_stages(stages_plot(study)))
    return written + write_files(figures, [("both stages", "stage1_vs_stage2.png", stages)])


class StagesPlot(NamedTuple):
    """Results of both stages of complete trials, best trial first.

    Attributes:
        title: Says how many there are, and how the two are correlated.
        stage1: Reconstruction losses.
        stage2: The objective without the part that is stage 1's loss itself.
        rank_correlation: Spearman's; None with fewer than three trials or without variation.
        chosen: Index of the trial that the search keeps.
    """

    title: str
    stage1: list[float]
    stage2: list[float]
    rank_correlation: float | None
    chosen: int = 0


def stages_plot(study: optuna.Study) -> StagesPlot:
    """Compute what the picture of both stages will show."""
    from scipy.stats import spearmanr

    trials = [trial for trial in ranked_trials(study) if "stage2_objective" in trial.user_attrs]
    stage1 = [float(trial.user_attrs["stage1_loss"]) for trial in trials]
    stage2 = [float(trial.user_attrs["stage2_objective"]) for trial in trials]
    correlation = None
    if len(trials) > 2 and np.ptp(stage1) > 0 and np.ptp(stage2) > 0:
        correlation = float(spearmanr(stage1, stage2).statistic)
    with_rank = (
        "too few to correlate" if correlation is None else f"rank correlation (Spearman) {correlation:+.2f}"
    )
    count = counted(len(trials), "trial")
    best = kept_trial(study)
    chosen = next((i for i, trial in enumerate(trials) if best and trial.number == best.number), 0)
    title = f"Does a good reconstruction help? {count}, {with_rank}"
    return StagesPlot(title, stage1, stage2, correlation, chosen)


def draw_stages(plot: StagesPlot) -> Figure:
    """Draw the one against the other, a point per trial."""
    from matplotlib.ticker import MaxNLocator

    from autoenc.report.plots import COLOURS, UNIT, label_axes, legend_beside, new_column

    figure = new_column()
    axis = figure.add_subplot()
    if not plot.stage1:
        axis.set_title(plot.title, loc="left")
        axis.set_axis_off()
        axis.text(0.5, 0.5, "no complete trial yet", transform=axis.transAxes, ha="center")
        return figure
    axis.scatter(plot.stage1, plot.stage2, s=30, color=COLOURS[0], alpha=0.75, label="trial")
    lowest = int(np.argmin(plot.stage1))
    for at, colour, marker, label in (
        (plot.chosen, COLOURS[1], "o", "chosen by the search"),
        (lowest, COLOURS[2], "s", "best by reconstruction"),
    ):
        axis.scatter(
            plot.stage1[at], plot.stage2[at], s=150, facecolor="none", edgecolor=colour, marker=marker,
            linewidth=1.8, label=label, zorder=3,
        )  # fmt: skip
    axis.xaxis.set_major_locator(MaxNLocator(7))
    stages = f"stage 1: reconstruction loss {UNIT}", "stage 2: objective without the loss of stage 1"
    label_axes(axis, *stages, plot.title)
    legend_beside(axis)
    return figure
