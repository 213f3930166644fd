"""The trials of a study as a table, best first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial

from autoenc.analysis.study import duration_s, parameter_names, study_trials

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCORES", "scores_text", "trials_table"]

SCORES = ("mae", "f1", "recall", "stage1_loss")
"""Attributes with the parts of a transfer-aware trial's value."""


def trials_table(
    study: optuna.Study,
    best_first: Sequence[FrozenTrial],
    stack_of: Callable[[FrozenTrial], str | None],
    size_of: Callable[[FrozenTrial], int | None],
    error_of: Callable[[FrozenTrial], float | None],
) -> pd.DataFrame:
    """Return a row a trial that was begun, the best first, those without a value last.

    Columns:
        ``trial`` (its number); ``value`` (lower is better) and its ``standard_error``, missing where it was
        measured once; what the value is made of, where it is of several parts; ``stack`` (hidden widths);
        a column for each parameter that was drawn; ``parameters`` of the network; ``state``; ``seconds``;
        ``failure`` (why it failed, else missing).

    Args:
        study: The search.
        best_first: Its trials that have a place.
        stack_of: Hidden widths of a trial, as people write them.
        size_of: Parameters of its network.
        error_of: Standard error of its value.
    """
    import pandas as pd

    placed = {trial.number for trial in best_first}
    others = [trial for trial in study_trials(study) if trial.number not in placed and trial.params]
    trials = [*best_first, *others]
    scores = [name for name in SCORES if any(trial.user_attrs.get(name) is not None for trial in trials)]
    drawn = parameter_names(sorted(trials, key=lambda trial: trial.number))
    names = ["trial", "value", "standard_error", *scores, "stack", *drawn, "parameters", "state", "seconds",
             "failure"]  # fmt: skip

    def row(trial: FrozenTrial) -> list[Any]:
        known = trial.user_attrs
        return [
            trial.number, trial.value, error_of(trial), *(known.get(name) for name in scores),
            stack_of(trial), *(trial.params.get(name) for name in drawn), size_of(trial),
            trial.state.name.lower(), known.get("seconds", duration_s(trial)), known.get("failure"),
        ]  # fmt: skip

    table = pd.DataFrame([row(trial) for trial in trials], columns=names)
    table.index = pd.RangeIndex(1, len(table) + 1, name="rank")
    numbers = ["value", "standard_error", "seconds", *scores]
    return table.astype({**dict.fromkeys(numbers, float), "parameters": "Int64"})


def scores_text(trial: FrozenTrial, separator: str) -> str:
    """Return the parts of a transfer-aware trial's value, those that there are."""
    scores = {name: trial.user_attrs.get(name) for name in SCORES}
    return separator.join(f"{name} {value:.4f}" for name, value in scores.items() if value is not None)
