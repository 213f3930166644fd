"""The trials of a study as a table, best first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import optuna
from optuna.trial import FrozenTrial

from autoenc.analysis.study import duration_s, parameter_names, study_trials

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCORES", "KnownOfTrial", "scores_text", "trials_table"]

SCORES = ("mae", "f1", "recall", "stage1_loss")
"""Attributes with the parts of a transfer-aware trial's value."""


class KnownOfTrial(NamedTuple):
    """What is known of a trial beside its parameters.

    Attributes:
        stack: Hidden widths, as people write them.
        n_parameters: Of its network.
        error: Standard error of its value.
    """

    stack: str | None
    n_parameters: int | None
    error: float | None


def trials_table(
    study: optuna.Study,
    best_first: Sequence[FrozenTrial],
    known_of: Callable[[FrozenTrial], KnownOfTrial],
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
        known_of: Takes a trial and says what else is known of it.
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
        noted, (stack, n_parameters, error) = trial.user_attrs, known_of(trial)
        return [
            trial.number, trial.value, error, *(noted.get(name) for name in scores), stack,
            *(trial.params.get(name) for name in drawn), n_parameters, trial.state.name.lower(),
            noted.get("seconds", duration_s(trial)), noted.get("failure"),
        ]  # fmt: skip

    table = pd.DataFrame([row(trial) for trial in trials], columns=names)
    table.index = pd.RangeIndex(1, len(table) + 1, name="rank")
    numbers = ["value", "standard_error", "seconds", *scores]
    return table.astype({**dict.fromkeys(numbers, float), "parameters": "Int64"})


def scores_text(trial: FrozenTrial, separator: str) -> str:
    """Return the parts of a transfer-aware trial's value, those that there are."""
    scores = {name: trial.user_attrs.get(name) for name in SCORES}
    return separator.join(f"{name} {value:.4f}" for name, value in scores.items() if value is not None)
