"""Trials of a transfer-aware search and their metrics, in the form of all searches."""

from __future__ import annotations

from math import nan
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, IntDistribution
from optuna.trial import FrozenTrial

from autoenc.analysis.observations import Observation, Observations
from autoenc.analysis.study import duration_s, ranked_trials, search_space
from autoenc.settings import TransferSettings, require_settings
from autoenc.settings.transfer import TransferSpaceSettings
from autoenc.two_stage.record import n_columns_of, read_study, stored_settings
from autoenc.two_stage.space import TwoStageConfiguration, configuration
from autoenc.workflows.observe import is_number

__all__ = ["observe_transfer"]


def observe_transfer(folder: Path, storage: str | None) -> Observations:
    """Return the trials of the transfer-aware search of a folder; its ``loss`` is a trial's value.

    Args:
        folder: Of the search.
        storage: URL of the record, where it is not in the folder.

    Raises:
        InputError: If there is no such search, or its options are no longer known.
    """
    path = folder / "study.db"
    study = read_study(path, "", storage)
    settings = require_settings(TransferSettings, {**stored_settings(study, path), "storage": storage})
    n_columns, trials = n_columns_of(study), ranked_trials(study)
    observations = [_observed(trial, configuration(trial.params, settings), n_columns) for trial in trials]
    space = {name: getattr(settings, name) for name in TransferSpaceSettings.model_fields}
    return Observations(
        f"the transfer-aware search in {folder}", observations, space, settings.model_dump(mode="json"),
        adaptive=True, pca=nan, drawn=_drawn(trials, observations), command="transfer",
    )  # fmt: skip


def _observed(trial: FrozenTrial, config: TwoStageConfiguration, n_columns: int) -> Observation:
    network = config.fit(0, "").network(n_columns)
    numbers: dict[str, Any] = {
        **trial.user_attrs, "loss": trial.value, "seconds": duration_s(trial),
        "model_params": network.count_parameters(),
    }  # fmt: skip
    metrics = {name: float(number) for name, number in numbers.items() if is_number(number)}
    parameters = {"num_layers": len(config.hidden_dims), **trial.params}
    stack = f"{trial.params['hidden_dims']}, latent size {config.latent_dim}"
    return Observation(f"trial {trial.number}", stack, parameters, metrics)


def _drawn(trials: list[FrozenTrial], observations: list[Observation]) -> dict[str, BaseDistribution]:
    depths = [seen.parameters["num_layers"] for seen in observations] or [1]
    return {"num_layers": IntDistribution(min(depths), max(depths)), **search_space(trials)}
