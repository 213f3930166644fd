"""The best trial of a record, trained in full on all training rows, saved, and measured once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoenc.analysis.baselines import baseline_losses
from autoenc.data.division import HOLDOUT
from autoenc.data.sources import refuse_ended
from autoenc.engines import Outcome, Recipe, Stopped
from autoenc.errors import InputError
from autoenc.record.runs import TrackedRun
from autoenc.record.single_precision import as_recorded
from autoenc.report.files import Written
from autoenc.report.full_training import FullResult, write_full
from autoenc.searching.inputs import prepare_inputs
from autoenc.searching.ready import make_ready
from autoenc.searching.signals import StopOnSignals
from autoenc.searching.trials import Trial, TrialResult
from autoenc.settings import ScaledSettings, TrainBestSettings, require_settings
from autoenc.settings.options import options_of
from autoenc.system.paths import OutputPaths
from autoenc.workflows.cells import made_of
from autoenc.workflows.chosen import Chosen, chosen_trial
from autoenc.workflows.full_training import FullTraining
from autoenc.workflows.screen import Screen
from autoenc.workflows.tracking import curves_of, metrics_of

if TYPE_CHECKING:
    from autoenc.fitted.autoencoder import FittedAutoencoder

__all__ = ["OF_TRANSFER", "FullRun", "train_best"]

_RECIPE = set(Recipe.__dataclass_fields__)
_OVERRIDES = [name for name in options_of(TrainBestSettings, "training") if name in _RECIPE]
_OF_ROWS = [name for name in options_of(ScaledSettings, "data", "judging") if name != "data_path"]
OF_TRANSFER = [
    name
    for name in options_of(TrainBestSettings, "data", "training")
    if name not in {*_OVERRIDES, *ScaledSettings.model_fields}
]
"""Options that have a meaning for a transfer-aware search alone."""


@dataclass(frozen=True)
class FullRun:
    """A training in full that ended, or was stopped.

    Attributes:
        signals: Which signal stopped it, if one did.
        result: What it came to; None if it failed or was stopped.
        failure: Why it failed.
        written: The output files.
    """

    signals: StopOnSignals
    result: FullResult | None = None
    failure: str | None = None
    written: Written | None = None


def train_best(settings: TrainBestSettings, screen: Screen) -> FullRun:
    """Train the best trial of a record in full, save its model, and measure it on the test rows.

    Args:
        settings: The options.
        screen: Shown what goes on.

    Raises:
        InputError: If record, trial, data or folder cannot be used.
    """
    source = Path(settings.from_)
    chosen = chosen_trial(source, settings.storage, settings.trial)
    tried = chosen
    chosen = replace(chosen, **_overridden(chosen, settings))
    folder = Path(settings.output_dir or source)
    chosen, training = _prepared(chosen, settings, folder, screen)
    fingerprint, changed = training.table.fingerprint, None
    with (
        StopOnSignals() as signals,
        TrackedRun(folder, "train-best", settings, fingerprint, [training.fit.seed]) as run,
    ):
        try:
            make_ready(training.engine, signals.flag, screen.is_quiet)
            if settings.patience:
                training = training.until_best(settings.patience, signals.flag)
            elif chosen.recipe.last_epoch > tried.recipe.last_epoch:
                own = replace(training.fit, architecture=tried.architecture, recipe=tried.recipe)
                may_lower = settings.initial_lr is None
                training, changed = training.no_worse_than(own, signals.flag, may_lower)
            outcome = training.run(signals.flag)
        except Stopped:
            run.conclude(f"stopped by {signals.name}")
            return FullRun(signals)
        if outcome.failure:
            run.conclude("failed", reason=outcome.failure)
            return FullRun(signals, failure=outcome.failure)
        result = replace(_result(chosen, training, outcome), changed=changed)
        written = [_save(training.model(outcome), folder, screen), *write_full(result, folder)]
        best = _as_trial(training, outcome)
        run.conclude("finished", metrics_of(best, training.table.values, training.engine), curves_of(best))
    return FullRun(signals, result, written=written)


def _prepared(
    chosen: Chosen, settings: TrainBestSettings, folder: Path, screen: Screen
) -> tuple[Chosen, FullTraining]:
    """Return the training, and the trial as it is known by this table."""
    data = _data_settings(chosen, settings)
    engine, table = prepare_inputs(data, folder)
    table = as_recorded(table, lambda fingerprint: fingerprint == chosen.fingerprint)
    if table.fingerprint != chosen.fingerprint:
        screen.warn([f"{table.path}: is not the table that was searched"])
        chosen = replace(chosen, by_test_rows=None)
    training = FullTraining.of(chosen, engine, table, data, settings.seed)
    screen.warn(f"{table.path}: {warning}" for warning in training.division.warnings([HOLDOUT]))
    return chosen, training


def _result(chosen: Chosen, training: FullTraining, outcome: Outcome) -> FullResult:
    fit = training.fit
    split, columns = training.division.split_of(fit), training.table.columns
    baselines = baseline_losses(split, fit.latent_dim, fit.recipe)
    n_parameters = fit.network(len(columns)).count_parameters()
    reconstruction = training.engine.reconstruct(split, fit, outcome.state, split.test)
    cells = made_of(split, reconstruction, fit.recipe, columns)
    origin, by_test_rows = chosen.origin, chosen.by_test_rows
    return FullResult(origin, by_test_rows, fit, outcome, baselines, n_parameters, cells=cells)


def _as_trial(training: FullTraining, outcome: Outcome) -> TrialResult:
    fit = training.fit
    trial = Trial(fit.architecture, fit.latent_dim, fit.recipe, (HOLDOUT,), (fit.seed,))
    return TrialResult(trial, (outcome,))


def _overridden(chosen: Chosen, settings: TrainBestSettings) -> dict[str, Any]:
    """Return what the command line changes in a trial: its recipe, its stack."""
    given = {name: getattr(settings, name) for name in _OVERRIDES}
    changed = {name: value for name, value in given.items() if value is not None}
    if "epochs" in changed:
        changed["stop_after"] = 0
    changes: dict[str, Any] = {"recipe": replace(chosen.recipe, **changed)}
    if changes["recipe"].eta_min > changes["recipe"].initial_lr:
        text = f"{changes['recipe'].eta_min:g} and {changes['recipe'].initial_lr:g}"
        raise InputError(f"--eta_min must not be above --initial_lr, got {text}")
    if settings.hidden_dims:
        if list(settings.hidden_dims) != sorted(settings.hidden_dims, reverse=True):
            got = ",".join(map(str, settings.hidden_dims))
            raise InputError(f"--hidden_dims must not increase, got {got}")
        changes["architecture"] = settings.hidden_dims
    return changes


def _data_settings(chosen: Chosen, settings: TrainBestSettings) -> ScaledSettings:
    kept = {name: chosen.data[name] for name in _OF_ROWS if name in chosen.data}
    if settings.data_path is None:
        refuse_ended(chosen.data["data_path"], f"--from {settings.from_}", "--data_path")
    # Of recipes with scalings of their own the record lists all that were tried.
    kept["scaling"] = chosen.recipe.scaling or kept["scaling"]
    where = {"data_path": settings.data_path or chosen.data["data_path"]}
    return require_settings(
        ScaledSettings, {**kept, **where, "engine": settings.engine, "device": settings.device}
    )


def _save(model: FittedAutoencoder, folder: Path, screen: Screen) -> tuple[str, Path]:
    from autoenc.fitted.autoencoder import save_model  # torch takes seconds to import

    path = OutputPaths(folder, model.info["latent_dim"]).best_model
    kept = save_model(path, model, keep_earlier=True)
    if kept is not None:
        screen.note(f"the earlier model is kept as {kept}")
    return "best model", path
