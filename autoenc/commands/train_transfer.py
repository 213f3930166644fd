"""The best configuration of a transfer-aware search, both stages trained on everything but the test rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autoenc.commands.transfer import TransferJob
from autoenc.errors import InputError
from autoenc.settings import TransferSettings, require_settings
from autoenc.transfer.checkpoint import FittedTransfer, save_transfer
from autoenc.transfer.finalists import best_trial
from autoenc.transfer.objective import Scores, score
from autoenc.transfer.record import context_of, read_study, stored_settings
from autoenc.transfer.space import configuration
from autoenc.transfer.stages import Stages, TrainingFailed

__all__ = ["train_best_transfer"]


def train_best_transfer(
    folder: Path, output: Path | None = None, options: dict[str, Any] | None = None
) -> tuple[Path, FittedTransfer, Scores]:
    """Train the best trial of a search again, save it, and measure it once on the test rows.

    Args:
        folder: Of the search, with its ``study.db``.
        output: The model file; by default ``best_model.pth`` in the folder.
        options: Options of ``transfer`` that take the place of those of the search, such as longer
            ``epochs`` and ``stage2_epochs``, a ``device`` or where the tables are now.

    Returns:
        The file, the model, and its scores on rows that neither it nor its choice has seen.

    Raises:
        InputError: If there is no such search, no trial of it is complete, its tables are not there any
            more or have changed, or the training fails.
        OSError: If the file cannot be written.
    """
    study = read_study(folder / "study.db", "--from")
    best = best_trial(study)
    if best is None:
        raise InputError(f"--from {folder}: no trial is complete yet; autoenc transfer --resume goes on")
    stored = stored_settings(study)
    settings = require_settings(TransferSettings, {**stored, **(options or {})})
    job = TransferJob.prepare(settings, folder)
    if context_of(settings, job.data)["data"] != study.user_attrs["autoenc_transfer_context"]["data"]:
        raise InputError(f"{settings.data_path}: is not what {folder} was searched with; its content differs")
    stages, fold = Stages(job.data, settings, job.engine), job.division.final
    chosen = configuration(best.params, settings)
    try:
        fitted = stages.fit(fold, chosen, stages.pretrain(fold, chosen))
    except TrainingFailed as error:
        raise InputError(f"--from {folder}: trial {best.number} cannot be trained: {error}") from None
    scores = score(job.data, fold.validation, fitted, stages.outputs(fold, fitted))
    info = {
        **{name: fitted.autoencoder.info[name] for name in ("seed", "n_train", "data_fingerprint")},
        "final_test_loss": fitted.stage1_loss,
        "trial": best.number,
        "search_value": best.value,
        "test_scores": scores.as_dict(settings),
        "stage2_epochs": settings.stage2_epochs,
        "encoder_frozen": not settings.unfreeze,
    }
    classes = job.data.targets["classification"].classes if "classification" in job.data.targets else None
    model = FittedTransfer(fitted, settings.targets, classes, info)
    path = output or folder / "best_model.pth"
    save_transfer(path, model)
    return path, model, scores
