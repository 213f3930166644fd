"""The best trial of a transfer-aware search, both stages trained on all that the test rows leave."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.trial import FrozenTrial

from autoenc.errors import InputError
from autoenc.settings import TransferSettings
from autoenc.system.surroundings import one_thread_each, restoring
from autoenc.two_stage.baselines import Beside, compare_with_baselines
from autoenc.two_stage.checkpoint import FittedTransfer
from autoenc.two_stage.finalists import best_trial
from autoenc.two_stage.job import TransferJob
from autoenc.two_stage.objective import Scores, score
from autoenc.two_stage.space import configuration
from autoenc.two_stage.stages import Stages, TrainingFailed

__all__ = ["train_both", "train_trial"]


def train_both(job: TransferJob, study: optuna.Study) -> FittedTransfer:
    """The model of the best trial; raises as :func:`train_trial`, and where no trial is complete."""
    best = best_trial(study)
    if best is None:
        raise InputError("there is no best trial: no trial is complete")
    with restoring():
        one_thread_each()
        return train_trial(job, job.settings, best)[0]


def train_trial(
    job: TransferJob, settings: TransferSettings, best: FrozenTrial, told: str = ""
) -> tuple[FittedTransfer, Scores]:
    """Train both stages of a trial and measure them once on the test rows.

    Args:
        job: Tables and rows; which are held out is what the seed of the search says.
        settings: Of the training, which may have a seed of its own.
        best: The trial.
        told: What a problem begins with.

    Raises:
        InputError: If the training fails.
    """
    stages, fold = Stages(job.data, settings, job.engine), job.division.final
    configured = configuration(best.params, settings)
    try:
        fitted = stages.fit(fold, configured, stages.pretrain(fold, configured))
    except TrainingFailed as error:
        raise InputError(f"{told}trial {best.number} cannot be trained: {error}") from None
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
        "baselines": {name: _plain(each, settings) for name, each in beside.items()},
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
