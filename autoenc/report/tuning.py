"""Course of an adaptive search, trial by trial: lines, a table, and its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Any, NamedTuple

import optuna
from optuna.trial import FrozenTrial, TrialState

from autoenc.analysis.baselines import above_pca
from autoenc.analysis.study import duration_s, parameter_names, study_trials
from autoenc.record.record import TUNE
from autoenc.report.cells import csv_lines
from autoenc.report.words import first_of, percent, rounded
from autoenc.system.strict_json import finite

__all__ = [
"TrialStep", "among_all", "changes", "level_of", "progress_csv", "state_document", "step_line",
           "steps_of"]  # fmt: skip


class TrialStep(NamedTuple):
    """A trial that ended, and what it meant for the search.

    Attributes:
        trial: The trial.
        family: Its family.
        value: Its loss; None where it failed or was ended early.
        mode: How it was proposed.
        best: The best trial before it, of any family.
        improved: Whether it is better than that.
        level: The best threshold that it is below, by name; empty if none.
    """

    trial: FrozenTrial
    family: str
    value: float | None
    mode: str
    best: FrozenTrial | None
    improved: bool
    level: str

    @property
    def stack(self) -> str:
        """The hidden widths, as people write them."""
        return str(self.trial.user_attrs.get("stack", "?"))


def level_of(value: float | None, thresholds: dict[str, float]) -> str:
    """Return the lowest threshold that a loss is below, by name; empty where it is below none."""
    below = [name for name, limit in thresholds.items() if value is not None and value < limit]
    return min(below, key=lambda name: thresholds[name], default="")


def steps_of(study: optuna.Study) -> list[TrialStep]:
    """Return the trials that ended, by their numbers."""
    note = study.user_attrs[TUNE]
    steps: list[TrialStep] = []
    best: FrozenTrial | None = None
    for trial in study_trials(study):
        if not trial.state.is_finished():
            continue
        value = trial.value if trial.state == TrialState.COMPLETE else None
        improved = value is not None and value < (inf if best is None else best.value or 0.0)
        family = trial.params.get("family", note["settings"]["families"][0])
        mode = trial.user_attrs.get("mode", "")
        steps.append(
            TrialStep(trial, family, value, mode, best, improved, level_of(value, note["thresholds"]))
        )
        best = trial if improved else best
    return steps


def among_all(steps: Sequence[TrialStep], number: int) -> TrialStep:
    """Return the step of a trial beside all that have ended: with several at once later ones may have."""
    step = next(step for step in steps if step.trial.number == number)
    others = [other for other in steps if other.trial.number != number and other.value is not None]
    best = min(others, key=lambda other: other.value or 0.0, default=None)
    if best is None or step.value is None:
        return step
    return step._replace(best=best.trial, improved=step.value < (best.value or 0.0))


def changes(step: TrialStep) -> str:
    """Return what differs from the best trial before, e.g. ``dropout 0.1 -> 0.05``."""
    if step.best is None:
        return ""
    old, new = step.best.params, step.trial.params
    changed = [f"{n} {rounded(old.get(n), 3)} -> {rounded(new[n], 3)}" for n in new if new[n] != old.get(n)]
    return first_of(changed, 3, ", ")


def step_line(step: TrialStep, baselines: Mapping[str, float]) -> str:
    """Return a trial for the screen: when, which, what, how good, what it improved, how it was proposed."""
    p = step.trial.params
    when = (step.trial.datetime_complete or datetime.now()).strftime("%H:%M:%S")
    options = f"lr {p['learning_rate']:.2g} decay {p['weight_decay']:.2g} dropout {p['dropout']:.2f}"
    words = f"{options} batch {p['batch_size']} {p['activation']} {p['norm']}"
    head = f"{when} {step.trial.number:>4} {step.family:<3} {step.stack:<20} {words:<66}"
    if step.value is None:
        return f"{head} {step.trial.user_attrs.get('failure', 'ended early by the pruner')}"
    text = f"{head} {step.value:.5f}"
    if step.improved and step.best is not None and step.best.value:
        text += f"  improved by {percent(1 - step.value / step.best.value)}"
    elif step.improved:
        above = above_pca(step.value, baselines)
        text += "  first" if above is None else f"  first, {100 * above:+.0f} % against PCA"
    if step.improved and step.level:
        text += f", {step.level}"
    return f"{text}  [{step.mode}]" if step.mode else text


def progress_csv(study: optuna.Study) -> str:
    """Return a line per trial with its mode, the best so far, and all parameters."""
    steps = steps_of(study)
    names = parameter_names([step.trial for step in steps])
    head = ["number", "family", "mode", "stack", "model_params", "value", "best_so_far", "improved", "level",
            "state", "duration_s", *names]  # fmt: skip
    lines = []
    for step in steps:
        values = [step.value, None if step.best is None else step.best.value]
        so_far = min((value for value in values if value is not None), default=None)
        size, state = step.trial.user_attrs.get("model_params"), step.trial.state.name.lower()
        lines.append(
            [step.trial.number, step.family, step.mode, step.stack, size, step.value, so_far, step.improved,
             step.level, state, duration_s(step.trial), *(step.trial.params.get(name) for name in names)]
        )  # fmt: skip
    return csv_lines(head, lines)


def state_document(study: optuna.Study, state: str, modes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return where the search stands.

    Args:
        study: The search.
        state: ``running``, ``finished``, ``failed``, ``interrupted``, or what it was stopped by.
        modes: Of each family, what the strategy does next.
    """
    note = study.user_attrs[TUNE]
    steps = steps_of(study)
    families: dict[str, Any] = {}
    for family in note["settings"]["families"]:
        own = [step for step in steps if step.family == family]
        done = [step for step in own if step.value is not None]
        best = min(done, key=lambda step: step.value or 0.0, default=None)
        families[family] = {"trials": len(own), "best": _named(best), **modes.get(family, {})}
        if own and own[0].best is not None:
            families[family]["started_from_trial"] = own[0].best.number
    improved = [step for step in steps if step.improved]
    return finite(
        {
            "state": state,
            "updated": datetime.now(UTC).isoformat(timespec="seconds"),
            "n_trials": note["settings"]["n_trials"],
            "finished": len(steps),
            "best": _named(improved[-1] if improved else None),
            "families": families,
            "thresholds": note["thresholds"],
            "baselines": note["baselines"],
        }
    )


def _named(step: TrialStep | None) -> dict[str, Any] | None:
    if step is None:
        return None
    return {
        "trial": step.trial.number, "value": step.value, "stack": step.stack, "level": step.level,
        "params": dict(step.trial.params),
    }  # fmt: skip
