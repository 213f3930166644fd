"""A study in words: what was searched, what was found, what mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from autoenc.analysis.study import count_states, ranked_trials, search_space, study_trials
from autoenc.report.finalists import finalist_lines
from autoenc.report.importances import study_importances
from autoenc.report.study_tables import describe_distribution
from autoenc.report.ties import Ties, trial_tie_lines
from autoenc.report.words import rounded
from autoenc.searching.finalists import Finalist
from autoenc.system.text import escaped

__all__ = ["report_text"]

_TOP = 5


def report_text(
    study: optuna.Study,
    settings: Mapping[str, Any],
    total_time_s: float,
    finalists: Sequence[Finalist] = (),
    ties: Ties | None = None,
) -> str:
    """Return the report for ``optimization_report.txt``.

    Args:
        study: What is reported.
        settings: Options of the search, by name.
        total_time_s: What the search took so far.
        finalists: How its best trials compare over further folds, best first.
        ties: Which trials may be as good as the best; None for a search whose trials are measured once.
    """
    trials, ranked = study_trials(study), ranked_trials(study)
    counts = count_states(trials)
    counted = [
        f"{counts['complete']:,} complete",
        f"{counts['pruned']:,} pruned",
        f"{counts['fail']:,} failed",
    ]
    counted += [f"{counts[state]:,} {state}" for state in ("running", "waiting") if counts[state]]
    lines = [f"Search {study.study_name}", "", f"trials      {len(trials):,}: {', '.join(counted)}"]
    n_infinite = counts["complete"] - len(ranked)
    if n_infinite:
        lines.append(f"            not ranked, as their value is not finite: {n_infinite:,} of the complete")
    lines += [f"total time  {total_time_s:,.1f} s", *_best(ranked)]
    if finalists:
        judged = finalist_lines(finalists, lambda number: f"trial {number}")
        lines += ["", "Best trials over further folds", *(f"  {line}" for line in judged)]
    if ties is not None and ranked:
        tied = trial_tie_lines(ties, len(ranked))
        lines += ["", "Is the best trial significantly better?", *(f"  {line}" for line in tied)]
    lines += [*_space(trials), *_importance(study)]
    lines += [*_table(ranked), "", "Settings", *_aligned({name: str(settings[name]) for name in settings})]
    return "\n".join(map(escaped, lines)) + "\n"


def _best(ranked: list[FrozenTrial]) -> list[str]:
    if not ranked:
        return ["best value  none yet: no complete trial with a finite value"]
    best = ranked[0]
    lines = [f"best value  {best.value:.6g} in trial {best.number}"]
    if "stack" in best.user_attrs:
        lines.append(f"best stack  {best.user_attrs['stack']} (no layer is wider than the one before)")
    lines += ["", "Best parameters, as sampled"]
    return lines + _aligned({name: rounded(value, 5) for name, value in best.params.items()})


def _space(trials: list[FrozenTrial]) -> list[str]:
    space = search_space(trials)
    described = {name: describe_distribution(space[name]) for name in space}
    return ["", "Search space", *_aligned(described)] if space else []


def _importance(study: optuna.Study) -> list[str]:
    importances = study_importances(study)
    lines = [
        "",
        "Importance of the parameters",
        *([f"  {importances.caution}"] if importances.caution else []),
    ]
    return lines + _aligned({name: f"{100 * share:5.1f} %" for name, share in importances.shares.items()})


def _table(ranked: list[FrozenTrial]) -> list[str]:
    if not ranked:
        return []
    lines = ["", f"Best {min(_TOP, len(ranked))} of {len(ranked):,} complete trials"]
    for place, trial in enumerate(ranked[:_TOP], 1):
        params = ", ".join(f"{name} {rounded(value, 5)}" for name, value in trial.params.items())
        lines.append(f"  {place}. trial {trial.number:<5} {trial.value:<12.6g} {params}")
    return lines


def _aligned(rows: Mapping[str, str]) -> list[str]:
    width = max(map(len, rows), default=0)
    return [f"  {name:<{width}}  {text}" for name, text in rows.items()]
