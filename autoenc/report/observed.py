"""Trials of any search as tables: a ranking by a weighted score, and importances for a metric."""

from __future__ import annotations

import numpy as np
import optuna
from optuna.trial import create_trial

from autoenc.analysis.observations import Observations
from autoenc.report.cells import csv_lines
from autoenc.report.study_figures import ImportancesPlot, importances_plot
from autoenc.settings.scores import score_parts
from autoenc.system.surroundings import quiet_optuna

__all__ = ["MEASURES", "importances_csv", "importances_of", "ranking_csv"]

MEASURES = {"loss": "loss", "params": "model_params", "time": "seconds"}
"""What a score calls a metric."""


def importances_of(seen: Observations, metric: str) -> ImportancesPlot:
    """Return how much each hyperparameter that was open had to do with low values of a metric."""
    with quiet_optuna():
        study = optuna.create_study()
    space = {
        name: distribution for name, distribution in seen.distributions.items() if not distribution.single()
    }
    study.add_trials(
        [
            create_trial(
                value=trial.metrics[metric],
                params={name: value for name, value in trial.parameters.items() if name in space},
                distributions={name: space[name] for name in trial.parameters if name in space},
            )
            for trial in seen.trials
            if metric in trial.metrics
        ]
    )
    plot = importances_plot(study)
    return plot._replace(title=f"Importance of the parameters, as built, for the lowest {metric}")


def importances_csv(plot: ImportancesPlot) -> str:
    """Return a line per hyperparameter, the most important first."""
    return csv_lines(
        ["rank", "parameter", "share"], [[i, *item] for i, item in enumerate(plot.shares.items(), 1)]
    )


def ranking_csv(seen: Observations, score: str) -> str:
    """Return a line per trial, lowest score first: what each measure adds to it, and its hyperparameters.

    Args:
        seen: The search.
        score: A weighting as :func:`autoenc.settings.scores.parse_score` reads it.
    """
    measures = {name: [t.metrics[metric] for t in seen.trials] for name, metric in MEASURES.items()}
    parts = score_parts(score, measures)
    totals = np.sum(list(parts.values()), axis=0)
    order = sorted(range(len(seen.trials)), key=lambda i: totals[i])
    names = list(seen.distributions)
    head = [
        "rank",
        "trial",
        "stack",
        "score",
        *(f"score_{name}" for name in parts),
        *MEASURES.values(),
        *names,
    ]
    lines = []
    for rank, i in enumerate(order, 1):
        trial = seen.trials[i]
        added = [float(part[i]) for part in parts.values()]
        values = [trial.metrics[metric] for metric in MEASURES.values()]
        own = [trial.parameters.get(name) for name in names]
        lines.append([rank, trial.name, trial.stack, float(totals[i]), *added, *values, *own])
    return csv_lines(head, lines)
