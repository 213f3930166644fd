"""``train-best``: the best trial of a record, trained in full on all training rows, and measured once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoenc.analysis.baselines import baseline_losses
from autoenc.data.division import HOLDOUT
from autoenc.data.sources import refuse_ended
from autoenc.engines import Fit, Outcome, Stopped
from autoenc.errors import InputError
from autoenc.models.grid import format_architecture
from autoenc.record.environment import describe_environment
from autoenc.record.runs import TrackedRun
from autoenc.record.single_precision import as_recorded
from autoenc.record.storage import journal_path
from autoenc.report.answer import compared_with_pca
from autoenc.report.results import finite, json_bytes
from autoenc.report.training_plot import TrainingPlot, draw_training
from autoenc.searching.inputs import prepare_inputs
from autoenc.searching.ready import make_ready
from autoenc.searching.signals import StopOnSignals
from autoenc.searching.trials import Trial, TrialResult
from autoenc.settings import TrainBestSettings, TrainingSettings, require_settings
from autoenc.system.paths import OutputPaths, png_content, write_atomically
from autoenc.system.text import say, warn
from autoenc.workflows.chosen import Chosen, chosen_trial
from autoenc.workflows.tracking import curves_of, metrics_of
from autoenc.workflows.train_best import FullTraining

if TYPE_CHECKING:
    from autoenc.fitted.autoencoder import FittedAutoencoder

__all__ = ["train_best"]

_OVERRIDES = (
    "epochs", "batch_size", "initial_lr", "eta_min", "weight_decay", "dropout", "activation", "norm",
    "corruption", "kl_weight", "kl_warmup",
)  # fmt: skip


@dataclass(frozen=True)
class _Trained:
    """A finished training, and what it is compared with."""

    chosen: Chosen
    fit: Fit
    outcome: Outcome
    baselines: dict[str, float]
    n_parameters: int


def train_best(settings: TrainBestSettings) -> int:
    """Train the best trial of a record in full, save its model, and report its test loss.

    Returns:
        The exit code: 0; 1 if the training failed; 128 and the signal's number if one stopped it.

    Raises:
        InputError: If record, trial, data or folder cannot be used.
    """
    source = Path(settings.from_)
    if settings.storage is None and not source.is_dir():
        what = "is a file" if source.exists() else "there is no such folder"
        raise InputError(f"--from {source}: {what}; name the folder of a search")
    if (source / "study.db").exists() and not journal_path(source).exists():
        from autoenc.commands.train_transfer import train_best_of_transfer

        return train_best_of_transfer(settings)
    for name in ("stage2_epochs", "labelled_path"):
        if getattr(settings, name) is not None:
            raise InputError(f"--{name}: {source} holds no transfer-aware search, the one with stages")
    chosen = chosen_trial(source, settings.storage, settings.trial)
    chosen = replace(chosen, **_overridden(chosen, settings))
    folder = Path(settings.output_dir or source)
    data = _data_settings(chosen, settings)
    engine, table = prepare_inputs(data, folder)
    table = as_recorded(table, lambda fingerprint: fingerprint == chosen.fingerprint)
    if table.fingerprint != chosen.fingerprint:
        warn(f"warning: {table.path}: is not the table that was searched")
        chosen = replace(chosen, by_test_rows=None)
    training = FullTraining.of(chosen, engine, table, data, settings.seed)
    division, fit = training.division, training.fit
    for warning in division.warnings([HOLDOUT]):
        warn(f"warning: {table.path}: {warning}")
    with (
        StopOnSignals() as signals,
        TrackedRun(folder, "train-best", settings, table.fingerprint, [fit.seed]) as run,
    ):
        try:
            make_ready(engine, signals.flag, settings.quiet)
            if settings.patience:
                training = training.until_best(settings.patience, signals.flag)
            fit, outcome = training.fit, training.run(signals.flag)
        except Stopped:
            run.conclude(f"stopped by {signals.name}")
            warn(f"stopped by {signals.name}; no model was written")
            return signals.exit_code
        if outcome.failure:
            run.conclude("failed", reason=outcome.failure)
            warn(f"error: the training failed: {outcome.failure}")
            return 1
        baselines = baseline_losses(division.split(HOLDOUT), fit.latent_dim, fit.recipe)
        n_parameters = fit.network(len(table.columns)).count_parameters()
        trained = _Trained(chosen, fit, outcome, baselines, n_parameters)
        written = [_save(training.model(outcome), folder), *_report(trained, folder)]
        best = TrialResult(
            Trial(fit.architecture, fit.latent_dim, fit.recipe, (HOLDOUT,), (fit.seed,)), (outcome,)
        )
        run.conclude("finished", metrics_of(best, table.values, engine), curves_of(best))
    if not settings.quiet:
        say(*_told(trained), "", *(f"{word:<13} {path}" for word, path in written))
    return 0


def _overridden(chosen: Chosen, settings: TrainBestSettings) -> dict[str, Any]:
    """What the command line changes in a trial: its recipe, its stack."""
    given = {name: getattr(settings, name) for name in _OVERRIDES}
    changed = {name: value for name, value in given.items() if value is not None}
    if "epochs" in changed:
        changed["stop_after"] = 0
    found: dict[str, Any] = {"recipe": replace(chosen.recipe, **changed)}
    if found["recipe"].eta_min > found["recipe"].initial_lr:
        text = f"{found['recipe'].eta_min:g} and {found['recipe'].initial_lr:g}"
        raise InputError(f"--eta_min must not be above --initial_lr, got {text}")
    if settings.hidden_dims:
        if list(settings.hidden_dims) != sorted(settings.hidden_dims, reverse=True):
            got = ",".join(map(str, settings.hidden_dims))
            raise InputError(f"--hidden_dims must not increase, got {got}")
        found["architecture"] = settings.hidden_dims
    return found


def _data_settings(chosen: Chosen, settings: TrainBestSettings) -> TrainingSettings:
    names = ("columns", "exclude", "na_values", "scaling", "stratify", "group", "seed")
    kept = {name: chosen.data[name] for name in names if name in chosen.data}
    if settings.data_path is None:
        refuse_ended(chosen.data["data_path"], f"--from {settings.from_}", "--data_path")
    where = {"data_path": settings.data_path or chosen.data["data_path"]}
    return require_settings(
        TrainingSettings, {**kept, **where, "engine": settings.engine, "device": settings.device}
    )


def _save(model: FittedAutoencoder, folder: Path) -> tuple[str, Path]:
    from autoenc.fitted.autoencoder import save_model  # torch takes seconds to import

    path = OutputPaths(folder, model.info["latent_dim"]).best_model
    kept = save_model(path, model, keep_earlier=True)
    if kept is not None:
        warn(f"the earlier model is kept as {kept}")
    return "best model", path


def _report(trained: _Trained, folder: Path) -> list[tuple[str, Path]]:
    fit, outcome = trained.fit, trained.outcome
    document = {
        "origin": trained.chosen.origin,
        "config": list(fit.architecture),
        "latent_dim": fit.latent_dim,
        "recipe": asdict(fit.recipe),
        "seed": fit.seed,
        "test_rows_chose_it": trained.chosen.by_test_rows,
        "test_loss": outcome.final_test_loss,
        "train_loss": outcome.final_train_loss,
        "baselines": trained.baselines,
        "model_params": trained.n_parameters,
        "seconds": outcome.seconds,
        "train_losses": outcome.train_losses,
        "test_losses": outcome.test_losses,
        "environment": describe_environment(),
    }
    paths = [folder / "train_best.json", folder / "train_best_curves.png"]
    content = json_bytes(finite(document))
    write_atomically(paths[0], lambda file: file.write(content))
    title = f"Stack {format_architecture(fit.architecture)}, {len(outcome.test_losses)} epochs"
    plot = TrainingPlot(title, outcome.train_losses, outcome.test_losses, trained.baselines["pca"])
    write_atomically(paths[1], png_content(draw_training(plot)))
    return list(zip(("results", "loss curves"), paths, strict=True))


def _told(trained: _Trained) -> list[str]:
    fit, outcome = trained.fit, trained.outcome
    compared = compared_with_pca(outcome.final_test_loss, trained.baselines)
    name = f"{fit.recipe.family} {format_architecture(fit.architecture)}"
    rows = {
        True: "rows that chose it, so it is optimistic",
        False: "rows that chose nothing",
        None: "rows of another table, of which it is not known whether they had a part in the choice",
    }[trained.chosen.by_test_rows]
    return [
        f"trained       {trained.chosen.origin}: {name}, latent size {fit.latent_dim}, "
        f"{len(outcome.test_losses)} epochs in {outcome.seconds:.1f} s",
        f"test loss     {outcome.final_test_loss:.6f} on {rows}, {compared}",
        f"parameters    {trained.n_parameters:,}",
    ]
