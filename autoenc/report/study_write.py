"""Writing every report of a study into its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from autoenc.report.results import json_bytes
from autoenc.report.study_tables import best_document, study_document, top_trials_csv, trials_csv
from autoenc.report.study_text import report_text
from autoenc.report.ties import Ties
from autoenc.searching.finalists import Finalist
from autoenc.system.paths import png_content, utf8, write_atomically
from autoenc.system.special import make_own_folder

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
) -> list[tuple[str, Path]]:
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

    Returns:
        What was written: a word for it, and the file.

    Raises:
        OSError: If a file cannot be written; every file is then whole, the old one or the new one.
    """
    best = best_document(study, total_time_s, finalists, ties)
    results = study_document(study, settings, total_time_s, finalists, ties)
    report = report_text(study, settings, total_time_s, finalists or (), ties)
    contents = {
        "best": ("best_hyperparameters.json", json_bytes(best)),
        "results": ("optimization_results.json", json_bytes(results)),
        "all trials": ("all_trials.csv", utf8(trials_csv(study))),
        "top trials": ("top_20_trials.csv", utf8(top_trials_csv(study))),
        "report": ("optimization_report.txt", utf8(report)),
    }
    written = []
    for word, (name, content) in contents.items():
        write_atomically(folder / name, content)
        written.append((word, folder / name))
    kept = finalists[0].number if finalists else None
    return written + (write_study_figures(study, folder / "figures", kept) if plot else [])


def write_study_figures(study: optuna.Study, folder: Path, kept: int | None = None) -> list[tuple[str, Path]]:
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
    figures: dict[str, tuple[str, Callable[[], Figure]]] = {
        "history": ("optimization_history.png", lambda: draw_history(history_plot(study, kept))),
        "importances": ("param_importances.png", lambda: draw_importances(importances_plot(study))),
        "parallel": ("parallel_coordinate.png", lambda: draw_parallel(parallel_plot(study, kept))),
        "slices": ("slice_plot.png", lambda: draw_slices(slices_plot(study))),
    }
    written = []
    for word, (name, draw) in figures.items():
        write_atomically(folder / name, png_content(draw()))
        written.append((word, folder / name))
    return written
