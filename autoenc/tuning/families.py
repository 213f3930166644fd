"""The resilient strategy within each family: its numbers, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from autoenc.engines.recipe import Family
from autoenc.record.record import TUNE
from autoenc.settings import TuneSettings
from autoenc.tuning.resilient import Jump, ResilientOptions, Situation, situation_of

__all__ = ["is_of_family", "modes", "resilient_options", "situation"]


def is_of_family(trial: FrozenTrial, family: Family) -> bool:
    """Return whether a trial is of this family; where only one is searched, its name is no parameter."""
    return bool(trial.params.get("family", family) == family)


def resilient_options(
    settings: TuneSettings, thresholds: Mapping[str, float], family: Family
) -> ResilientOptions:
    """Return the numbers for a family; those after the first begin from the best, and not at random."""
    s = settings
    jumps = {
        "hidden_size*": Jump(s.jump_width, *s.conservative_widths),
        "num_layers": Jump(s.jump_layers, *s.conservative_layers),
        "learning_rate": Jump(s.jump_learning_rate),
    }
    options = ResilientOptions(
        thresholds["excellent"], s.startup_trials, s.local_trials, s.local_steps, s.local_share,
        s.local_limit, s.stagnation_trials, s.jump_probability, jumps, s.most_growth,
    )  # fmt: skip
    return options if family == s.families[0] else replace(options, startup_trials=1)


def situation(
    study: optuna.Study, settings: TuneSettings, thresholds: Mapping[str, float], family: Family
) -> Situation:
    """Return where the resilient strategy stands in a family."""
    trials = study.get_trials(deepcopy=False)
    options = resilient_options(settings, thresholds, family)
    return situation_of(trials, options, lambda trial: is_of_family(trial, family))


def modes(study: optuna.Study) -> dict[str, dict[str, Any]]:
    """Return what the resilient strategy does next in each family, by the study alone."""
    note = study.user_attrs[TUNE]
    settings = TuneSettings.model_validate(note["settings"])
    by_family: dict[str, dict[str, Any]] = {}
    for family in settings.families:
        now = situation(study, settings, note["thresholds"], family)
        counts = {"stagnation": now.stagnation, "local_left": now.local_left}
        by_family[family] = {"mode": str(now.mode), **counts}
    return by_family
