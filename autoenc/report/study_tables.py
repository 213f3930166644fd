"""Any Optuna study as tables and documents: its best trial, all trials, and a report for people.

Everything is a view of the study alone, lower values are better, and what is not a finite number becomes
null in JSON and an empty cell in CSV.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial

from autoenc.analysis.study import (
    count_finished,
    count_states,
    duration_s,
    parameter_names,
    ranked_trials,
    search_space,
    study_trials,
)
from autoenc.report.cells import csv_lines
from autoenc.report.ties import Ties, ties_document
from autoenc.searching.finalists import Finalist
from autoenc.system.strict_json import finite

__all__ = ["best_document", "describe_distribution", "study_document", "top_trials_csv", "trials_csv"]

_LEADING = ("number", "state", "value", "duration_s")


def describe_distribution(distribution: BaseDistribution) -> str:
    """Return a parameter's range in words, e.g. ``1e-05 to 0.01, log``."""
    if isinstance(distribution, CategoricalDistribution):
        return f"one of {', '.join(map(str, distribution.choices))}"
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        return str(distribution)
    if distribution.single():
        return f"{distribution.low:g}"
    scale = ", log" if distribution.log else ""
    default_step = 1 if isinstance(distribution, IntDistribution) else None
    step = f", in steps of {distribution.step:g}" if distribution.step != default_step else ""
    return f"{distribution.low:g} to {distribution.high:g}{scale}{step}"


def best_document(
    study: optuna.Study,
    total_time_s: float,
    finalists: Sequence[Finalist] | None = None,
    ties: Ties | None = None,
) -> dict[str, Any]:
    """Return the best trial, for ``best_hyperparameters.json``; nulls where no trial is complete.

    ``n_trials`` counts those that ended, whatever their state. Where a trial says what stack it built,
    ``best_stack`` is as built: no layer is wider than the one before, whatever widths were drawn.

    Args:
        study: The search.
        total_time_s: What it took.
        finalists: How its best trials compare over further folds, best first: the first of them is the best
            trial then. None for a search without them.
        ties: Which trials may be as good as the lowest value; None for a search whose trials are measured
            once.
    """
    ranked = ranked_trials(study)
    kept = finalists[0].number if finalists else None
    best = next((trial for trial in ranked if kept is None or trial.number == kept), None)
    return finite(
        {
            "best_params": None if best is None else dict(best.params),
            **({"best_stack": best.user_attrs["stack"]} if best and "stack" in best.user_attrs else {}),
            "best_value": None if best is None else best.value,
            "n_trials": count_finished(study),
            "total_time": total_time_s,
            "best_trial_number": None if best is None else best.number,
            **({} if finalists is None else {"finalists": [judged._asdict() for judged in finalists]}),
            **({} if ties is None else {"ties": ties_document(ties)}),
        }
    )


def study_document(
    study: optuna.Study,
    settings: Mapping[str, Any],
    total_time_s: float,
    finalists: Sequence[Finalist] | None = None,
    ties: Ties | None = None,
) -> dict[str, Any]:
    """Return settings, counts and every trial with values and times, for ``optimization_results.json``."""
    trials = study_trials(study)
    return finite(
        {
            "study_name": study.study_name,
            "settings": dict(settings),
            "trial_states": count_states(trials),
            **best_document(study, total_time_s, finalists, ties),
            "search_space": {
                name: describe_distribution(distribution)
                for name, distribution in search_space(trials).items()
            },
            "trials": [_entry(trial) for trial in trials],
        }
    )


def _entry(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state.name,
        "value": trial.value,
        "params": dict(trial.params),
        "intermediate_values": {str(step): value for step, value in trial.intermediate_values.items()},
        "user_attrs": dict(trial.user_attrs),
        "started": None if trial.datetime_start is None else trial.datetime_start.isoformat(),
        "ended": None if trial.datetime_complete is None else trial.datetime_complete.isoformat(),
        "duration_s": duration_s(trial),
    }


def trials_csv(study: optuna.Study) -> str:
    """Return a line per trial in the order of their numbers, whatever its state: ``all_trials.csv``."""
    trials = study_trials(study)
    return _csv(trials, trials)


def top_trials_csv(study: optuna.Study, n: int = 20) -> str:
    """Return the best complete trials, best first, in the columns of :func:`trials_csv`."""
    return _csv(ranked_trials(study)[:n], study_trials(study))


def _csv(shown: Sequence[FrozenTrial], trials: Sequence[FrozenTrial]) -> str:
    """Return lines of some trials; the columns are those of all."""
    params = parameter_names(trials)
    attributes = _scalar_attributes(trials)
    # A parameter and an attribute may share a name, with each other or with what leads the line.
    heads = list(_LEADING)
    for name in params:
        heads.append(f"params_{name}" if name in heads else name)
    for name in attributes:
        heads.append(f"user_attrs_{name}" if name in heads else name)
    lines = []
    for trial in shown:
        cells = [trial.number, trial.state.name, trial.value, duration_s(trial)]
        cells += [trial.params.get(name) for name in params]
        cells += [_scalar(trial.user_attrs.get(name)) for name in attributes]
        lines.append(finite(cells))
    return csv_lines(heads, lines)


def _scalar_attributes(trials: Iterable[FrozenTrial]) -> list[str]:
    """Return names of user attributes that hold one value, in the order in which they first appear."""
    names: dict[str, None] = {}
    for trial in trials:
        names.update((name, None) for name, value in trial.user_attrs.items() if _scalar(value) is not None)
    return list(names)


def _scalar(value: Any) -> bool | int | float | str | None:
    return value if isinstance(value, bool | int | float | str) else None
