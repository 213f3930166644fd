"""Trials of a transfer-aware search on a tracking server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from autoenc.record.record import TRANSFER
from autoenc.trackers.base import Entry

__all__ = ["ended_entries", "search_name", "trial_entry"]

_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
_SCORES = ("mae", "f1", "recall", "stage1_loss", "stage2_objective")


def search_name(study: optuna.Study) -> str:
    """Return the name that all searches share whose trials mean the same."""
    return f"transfer-{_hash(study.user_attrs[TRANSFER])}"


def ended_entries(study: optuna.Study) -> Iterator[Entry]:
    """Return what is logged of each trial that has ended."""
    for trial in study.get_trials(deepcopy=False, states=_ENDED):
        if trial.params:
            yield trial_entry(study, trial)


def trial_entry(study: optuna.Study, trial: FrozenTrial) -> Entry:
    """Return what is logged of a trial: its parameters, the objective after each fold, and its scores.

    Args:
        study: The search.
        trial: One that has ended.
    """
    params, failure = trial.params, None
    if trial.state != TrialState.COMPLETE:
        failure = trial.user_attrs.get("failure", trial.state.name.lower())
    after_folds = [value for _, value in sorted(trial.intermediate_values.items())]
    metrics = {name: trial.user_attrs.get(name) for name in _SCORES} | {"value": trial.value}
    if trial.duration is not None:
        metrics["seconds"] = trial.duration.total_seconds()
    return Entry(
        f"{search_name(study)}/{trial.number}-{_hash(params)}{'-failed' if failure is not None else ''}",
        f"trial {trial.number}, {params['hidden_dims']} latent {params['latent_dim']}",
        {"trial": trial.number, **params},
        {"objective": after_folds},
        {name: float(value) for name, value in metrics.items() if value is not None and np.isfinite(value)},
        failure,
    )


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
