"""A transfer-aware search in words: its counts, its finalists and its best trial."""

from __future__ import annotations

import optuna
from optuna.trial import FrozenTrial

from autoenc.analysis.study import count_states, ranked_trials, study_trials
from autoenc.report.finalists import finalist_lines
from autoenc.report.ties import trial_tie_lines
from autoenc.report.words import rounded
from autoenc.two_stage.finalists import compare, kept_trial, ties_of

__all__ = ["search_lines"]


def search_lines(study: optuna.Study) -> list[str]:
    """Return the results of a two-stage search as text, for people and for its log."""
    counts = count_states(study_trials(study))
    best, n_ranked = kept_trial(study), len(ranked_trials(study))
    counted = f"{counts['complete']:,} complete, {counts['pruned']:,} pruned, {counts['fail']:,} failed"
    lines = [
        f"trials        {counted}",
        *finalist_lines(compare(study), lambda number: f"trial {number}"),
        *(trial_tie_lines(ties_of(study), n_ranked) if n_ranked > 1 else []),
    ]
    if best is None:
        return lines
    lines.append(f"best trial    {_best_text(study, best)}")
    return [*lines, *(f"{'':<13} {name} {rounded(value, 5)}" for name, value in best.params.items())]


def _best_text(study: optuna.Study, best: FrozenTrial) -> str:
    """Return which trial is kept, and why where it is not the one with the lowest value."""
    lowest = ranked_trials(study)[0]
    text = f"trial {best.number}, value {best.value:.6f} in the search"
    if finalists := compare(study):
        text += f", {finalists[0].mean:.4f} over all its folds"
    if lowest.number == best.number:
        return text
    return f"{text}; the finalists' round ranked it above trial {lowest.number}, value {lowest.value:.6f}"
