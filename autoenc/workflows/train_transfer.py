"""The best trial of a transfer-aware search, both stages trained on all that the test rows leave."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from autoenc.errors import InputError
from autoenc.models.grid import format_architecture
from autoenc.record.runs import TrackedRun
from autoenc.report.full_transfer import FullTransfer
from autoenc.settings import TrainBestSettings, TransferSettings, require_settings
from autoenc.settings.options import options_of
from autoenc.settings.space import FamilySettings
from autoenc.system.paths import check_folder
from autoenc.system.surroundings import one_thread_each, restoring
from autoenc.two_stage.baselines import Beside, compare_with_baselines
from autoenc.two_stage.checkpoint import FittedTransfer, save_transfer
from autoenc.two_stage.finalists import kept_trial
from autoenc.two_stage.job import TransferJob
from autoenc.two_stage.objective import Scores, score
from autoenc.two_stage.record import data_of, read_study, refuse_ended_tables, stored_settings
from autoenc.two_stage.space import configuration
from autoenc.two_stage.stages import Stages, TrainingFailed
from autoenc.workflows.chosen import complete_trial
from autoenc.workflows.screen import Screen

__all__ = ["train_best_of_transfer", "train_best_transfer", "train_both", "train_trial"]


def train_both(job: TransferJob, study: optuna.Study) -> FittedTransfer:
    """Return the model of the best trial; raises as :func:`train_trial`, and where no trial is complete."""
    best = kept_trial(study)
    if best is None:
        raise InputError("there is no best trial: no trial is complete")
    with restoring():
        one_thread_each()
        return train_trial(job, job.settings, best)[0]


def train_trial(
    job: TransferJob, settings: TransferSettings, best: FrozenTrial, origin: str = ""
) -> tuple[FittedTransfer, Scores]:
    """Train both stages of a trial and measure them once on the test rows.

    Args:
        job: Tables and rows; which are held out is what the seed of the search says.
        settings: Of the training, which may have a seed of its own.
        best: The trial.
        origin: What a problem begins with.

    Raises:
        InputError: If the training fails.
    """
    stages, fold = Stages(job.data, settings, job.engine), job.division.final
    configured = configuration(best.params, settings)
    try:
        fitted = stages.fit(fold, configured, stages.pretrain(fold, configured))
    except TrainingFailed as error:
        raise InputError(f"{origin}trial {best.number} cannot be trained: {error}") from None
    outputs = stages.outputs(fold, fitted)
    scores = score(job.data, fold.validation, outputs, fitted.units, fitted.stage1_loss)
    beside = compare_with_baselines(stages, job.data, fold, configured.heads, settings, scores, outputs)
    known = fitted.autoencoder.info
    kept_names = ("seed", "n_train", "data_fingerprint", "na_values")
    info = {
        **{name: known[name] for name in kept_names if name in known},
        "final_test_loss": fitted.stage1_loss,
        "trial": best.number,
        "search_value": best.value,
        "test_scores": scores.as_dict(settings),
        "test_objective": scores.objective(settings),
        "baselines": {name: _plain(baseline, settings) for name, baseline in beside.items()},
        "stage2_epochs": settings.stage2_epochs,
        "head_recipe": configured.heads._asdict(),
        "encoder_frozen": not settings.unfreeze,
    }
    classes = job.data.targets["classification"].classes if "classification" in job.data.targets else None
    model = FittedTransfer(fitted, settings.targets, classes, info)
    return model, scores


def _plain(beside: Beside, settings: TransferSettings) -> dict[str, Any]:
    interval = None if beside.interval is None else list(beside.interval)
    return {**beside.scores.as_dict(settings), "above": beside.above, "above_interval": interval}


# What the search did not find can be changed, and where its tables are.
_HANDED_ON = [
    name
    for name in options_of(TrainBestSettings, "data", "judging", "training")
    if name in {*TransferSettings.model_fields} - {*FamilySettings.model_fields}
]


_NOT_OPEN = [
    name
    for name in options_of(TrainBestSettings, "data", "judging", "training", "space")
    if name not in _HANDED_ON
]


def train_best_transfer(
    folder: Path,
    output: Path | None = None,
    options: dict[str, Any] | None = None,
    number: int | None = None,
    storage: str | None = None,
) -> FullTransfer:
    """Train the best trial of a search again, save it, and measure it once on the test rows.

    Args:
        folder: Of the search.
        output: The model file; by default ``best_model.pth`` in the folder.
        number: Of the trial; by default the best one.
        options: Options of ``transfer`` that take the place of those of the search, such as longer
            ``epochs`` and ``stage2_epochs``, a ``device`` or where the tables are now.
        storage: URL of the record, if it is not ``study.db`` in the folder.

    Returns:
        The file, the model, and its scores on rows that neither it nor its choice has seen.

    Raises:
        InputError: If there is no such search, no trial of it is complete, its tables are not there any
            more or have changed, or the training fails.
        OSError: If the file cannot be written.
    """
    chosen = ChosenTransfer.of(folder, options or {}, number, storage)
    return _train(chosen, output or folder / "best_model.pth", Screen(quiet=True))


@dataclass(frozen=True)
class ChosenTransfer:
    """A trial of a search with what trains it.

    Attributes:
        folder: Of the search.
        job: Tables and rows; which are held out is what the seed of the search says.
        settings: Of the training, which may have a seed of its own.
        trial: Of the search.
    """

    folder: Path
    job: TransferJob
    settings: TransferSettings
    trial: FrozenTrial

    @classmethod
    def of(
        cls, folder: Path, options: dict[str, Any], number: int | None, storage: str | None
    ) -> ChosenTransfer:
        """See :func:`train_best_transfer`."""
        path = folder / "study.db"
        study = read_study(path, "--from", storage)
        trial = kept_trial(study) if number is None else complete_trial(study, number)
        if trial is None:
            raise InputError(f"--from {folder}: no trial is complete; autoenc transfer --resume makes more")
        stored = stored_settings(study, path)
        refuse_ended_tables(stored, options, f"--from {folder}")
        searched = require_settings(
            TransferSettings, {**stored, **options, "seed": stored["seed"], "storage": storage}
        )
        settings = searched.model_copy(update={"seed": options.get("seed", searched.seed)})
        job = TransferJob.prepare(searched, folder)
        if job.data.fingerprint != data_of(study):
            raise InputError(
                f"{settings.data_path}: is not what {folder} was searched with; its content differs"
            )
        return cls(folder, job, settings, trial)


def _train(chosen: ChosenTransfer, path: Path, screen: Screen) -> FullTransfer:
    model, scores = train_trial(chosen.job, chosen.settings, chosen.trial, f"--from {chosen.folder}: ")
    kept = save_transfer(path, model, keep_earlier=True)
    if kept is not None:
        screen.note(f"the earlier model is kept as {kept}")
    return FullTransfer(path, model, scores)


def _metrics(model: FittedTransfer, seconds: float) -> dict[str, Any]:
    stack = format_architecture(tuple(model.info["hidden_dims"]))
    return {
        "best_loss": model.info["test_objective"],
        "best_stack": f"{stack}, latent size {model.info['latent_dim']}",
        "n_parameters": model.info["total_params"],
        "training_seconds": seconds,
    }


def train_best_of_transfer(settings: TrainBestSettings, screen: Screen) -> FullTransfer:
    """Train the best trial of a transfer-aware search by the options of ``train-best``, and save it.

    Args:
        settings: The options.
        screen: Shown what goes on.

    Raises:
        InputError: If the search cannot be used, or an option has no meaning for it.
    """
    useless = [f"--{name}" for name in _NOT_OPEN if getattr(settings, name) is not None]
    if useless:
        raise InputError(
            f"{', '.join(useless)}: what a transfer-aware search found cannot be changed here; "
            f"{', '.join(f'--{name}' for name in _HANDED_ON)} can"
        )
    folder = Path(settings.from_)
    options = {name: getattr(settings, name) for name in _HANDED_ON if getattr(settings, name) is not None}
    options |= {"device": settings.device, "engine": settings.engine}
    if settings.output_dir is not None:
        check_folder(Path(settings.output_dir))
    chosen = ChosenTransfer.of(folder, options, settings.trial, settings.storage)
    target = folder if settings.output_dir is None else Path(settings.output_dir)
    started = time.monotonic()
    seeds = [chosen.settings.seed]
    with TrackedRun(target, "train-best", settings, chosen.job.data.fingerprint, seeds) as run:
        result = _train(chosen, target / "best_model.pth", screen)
        run.conclude("finished", _metrics(result.model, time.monotonic() - started))
    return result
