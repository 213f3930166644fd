"""Writing every report of a study into its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from autoenc.report.files import Written, write_files
from autoenc.report.study_tables import best_document, study_document, top_trials_csv, trials_csv
from autoenc.report.study_text import report_text
from autoenc.report.ties import Ties
from autoenc.searching.finalists import Finalist
from autoenc.system.paths import utf8
from autoenc.system.png import png_content
from autoenc.system.special import make_own_folder
from autoenc.system.strict_json import json_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["write_study_figures", "write_study_reports"]


def write_study_reports(
    study: optuna.Study,
    folder: Path,
    settings: Mapping[str, Any],
    plot: bool,
    total_time_s: float,
    finalists: Sequence[Finalist] | None = None,
    ties: Ties | None = None,
) -> Written:
    """Write tables and documents, and pictures where they are wanted.

    Without pictures the work is proportional to the number of trials, a few milliseconds for hundreds, so
    that it can be done after every trial.

    Args:
        study: What is reported; nothing else is looked at.
        folder: An existing folder.
        settings: Options of the search by name, plain values.
        plot: Also draw the pictures into ``figures/``.
        total_time_s: What the search took so far.
        finalists: How its best trials compare over further folds, best first; None for a search without them.
        ties: Which trials may be as good as the best; None for a search whose trials are measured once.

    Raises:
        OSError: If a file cannot be written; every file is then whole, the old one or the new one.
    """
    best = best_document(study, total_time_s, finalists, ties)
    results = study_document(study, settings, total_time_s, finalists, ties)
    report = report_text(study, settings, total_time_s, finalists or (), ties)
    contents = [
        ("best", "best_hyperparameters.json", json_bytes(best)),
        ("results", "optimization_results.json", json_bytes(results)),
        ("all trials", "all_trials.csv", utf8(trials_csv(study))),
        ("top trials", "top_20_trials.csv", utf8(top_trials_csv(study))),
        ("report", "optimization_report.txt", utf8(report)),
    ]
    written = write_files(folder, contents)
    kept = finalists[0].number if finalists else None
    return written + (write_study_figures(study, folder / "figures", kept) if plot else [])


def write_study_figures(study: optuna.Study, folder: Path, kept: int | None = None) -> Written:
    """Draw history, importances, parallel coordinates and slices; raises as above.

    Args:
        study: What is drawn.
        folder: Made if need be.
        kept: Number of the trial that is kept, where something other than the lowest value decides.
    """
    # matplotlib takes a while to import, and tables alone do not need it.
    from autoenc.report.study_figures import (
        draw_history,
        draw_importances,
        draw_parallel,
        draw_slices,
        history_plot,
        importances_plot,
        parallel_plot,
        slices_plot,
    )

    make_own_folder(folder)
    figures: list[tuple[str, str, Callable[[], Figure]]] = [
        ("history", "optimization_history.png", lambda: draw_history(history_plot(study, kept))),
        ("importances", "param_importances.png", lambda: draw_importances(importances_plot(study))),
        ("parallel", "parallel_coordinate.png", lambda: draw_parallel(parallel_plot(study, kept))),
        ("slices", "slice_plot.png", lambda: draw_slices(slices_plot(study))),
    ]
    return write_files(folder, ((word, name, png_content(draw())) for word, name, draw in figures))
