"""``pivot``: a metric of a search over two hyperparameters, importances, and a ranking by a score."""

from __future__ import annotations

from pathlib import Path

from autoenc.analysis.observations import Observations
from autoenc.config.words import hint
from autoenc.errors import InputError
from autoenc.report.files import files_lines, write_files
from autoenc.report.observed import importances_csv, importances_of, ranking_csv
from autoenc.report.pivot import draw_pivot, pivot_csv, pivot_plot
from autoenc.report.study_figures import draw_importances
from autoenc.settings import PivotSettings
from autoenc.system.paths import Content, make_folder, utf8
from autoenc.system.png import png_content
from autoenc.system.special import refuse_link
from autoenc.system.text import say
from autoenc.workflows.observe import observe_folder

__all__ = ["pivot"]

_OTHER_NAMES = {"value": "loss", "time": "seconds", "params": "model_params"}
_FEWEST = 2


def pivot(settings: PivotSettings) -> int:
    """Write table and heat map, importances, and the ranking if there is a score.

    Raises:
        InputError: If there is no search, too little of it is finished, or it has no such metric or
            hyperparameter.
    """
    folder = Path(settings.folder)
    seen = observe_folder(folder, settings.storage, settings.folder)
    if len(seen.trials) < _FEWEST:
        raise InputError(f"{seen.name}: has {len(seen.trials)} finished trials; a table takes {_FEWEST}")
    metric = _OTHER_NAMES.get(settings.metric, settings.metric)
    problems = _problems(seen, settings, metric)
    if problems:
        raise InputError(problems)
    output = Path(settings.output) if settings.output else folder / "analysis"
    table = pivot_plot(seen, metric, settings.rows_, settings.columns_, settings.aggregate, settings.bins)
    importances = importances_of(seen, metric)
    name = f"pivot_{settings.aggregate}_{metric}_{settings.rows_}_{settings.columns_}"
    contents: list[tuple[str, str, Content]] = [
        ("heat map", f"{name}.png", png_content(draw_pivot(table))),
        ("table", f"{name}.csv", utf8(pivot_csv(table))),
        ("importances", f"importances_{metric}.png", png_content(draw_importances(importances))),
        ("shares", f"importances_{metric}.csv", utf8(importances_csv(importances))),
    ]
    if settings.score:
        contents.append(("ranking", "ranking.csv", utf8(ranking_csv(seen, settings.score))))
    if not settings.output:
        refuse_link(output)
    make_folder(output, "--output")
    say(*files_lines(write_files(output, contents)))
    return 0


def _problems(seen: Observations, settings: PivotSettings, metric: str) -> list[str]:
    metrics = list(dict.fromkeys(name for trial in seen.trials for name in trial.metrics))
    parameters = list(dict.fromkeys(name for trial in seen.trials for name in trial.parameters))
    problems = []
    if metric not in metrics:
        problems.append(_unknown("--metric", settings.metric, metrics))
    for flag, name in (("--rows", settings.rows_), ("--columns", settings.columns_)):
        if name not in parameters:
            problems.append(_unknown(flag, name, parameters))
    if settings.rows_ == settings.columns_:
        problems.append(f"--rows and --columns must be two hyperparameters, got {settings.rows_} twice")
    return problems


def _unknown(flag: str, name: str, known: list[str]) -> str:
    return f"{flag} must be one of {', '.join(known)}, got {name!r}{hint(name, known)}"
