"""The best configuration of a transfer-aware search, both stages trained on all that the test rows leave."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from autoenc.errors import InputError
from autoenc.models.grid import format_architecture
from autoenc.record.runs import TrackedRun
from autoenc.settings import TrainBestSettings, TransferSettings, require_settings
from autoenc.settings.options import options_of
from autoenc.settings.space import FamilySettings
from autoenc.system.paths import check_folder
from autoenc.system.text import say, warn
from autoenc.two_stage.checkpoint import FittedTransfer, save_transfer
from autoenc.two_stage.finalists import best_trial
from autoenc.two_stage.job import TransferJob
from autoenc.two_stage.objective import Scores
from autoenc.two_stage.record import read_study, refuse_ended_tables, stored_settings
from autoenc.workflows.chosen import complete_trial
from autoenc.workflows.train_transfer import train_trial

__all__ = ["train_best_of_transfer", "train_best_transfer"]

# What the search did not find can be changed, and where its tables are.
_HANDED_ON = [
    name
    for name in options_of(TrainBestSettings, "data", "judging", "training")
    if name in {*TransferSettings.model_fields} - {*FamilySettings.model_fields}
]
_NOT_OPEN = [
    name
    for name in ("storage", *options_of(TrainBestSettings, "data", "judging", "training", "space"))
    if name not in _HANDED_ON
]


def train_best_transfer(
    folder: Path,
    output: Path | None = None,
    options: dict[str, Any] | None = None,
    number: int | None = None,
) -> tuple[Path, FittedTransfer, Scores]:
    """Train the best trial of a search again, save it, and measure it once on the test rows.

    Args:
        folder: Of the search, with its ``study.db``.
        output: The model file; by default ``best_model.pth`` in the folder.
        number: Of the trial; by default the best one.
        options: Options of ``transfer`` that take the place of those of the search, such as longer
            ``epochs`` and ``stage2_epochs``, a ``device`` or where the tables are now.

    Returns:
        The file, the model, and its scores on rows that neither it nor its choice has seen.

    Raises:
        InputError: If there is no such search, no trial of it is complete, its tables are not there any
            more or have changed, or the training fails.
        OSError: If the file cannot be written.
    """
    return _train(_Chosen.of(folder, options or {}, number), output or folder / "best_model.pth")


@dataclass(frozen=True)
class _Chosen:
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
    def of(cls, folder: Path, options: dict[str, Any], number: int | None) -> _Chosen:
        """See :func:`train_best_transfer`."""
        path = folder / "study.db"
        study = read_study(path, "--from")
        trial = best_trial(study) if number is None else complete_trial(study, number)
        if trial is None:
            raise InputError(f"--from {folder}: no trial is complete; autoenc transfer --resume makes more")
        stored = stored_settings(study, path)
        refuse_ended_tables(stored, options, f"--from {folder}")
        searched = require_settings(TransferSettings, {**stored, **options, "seed": stored["seed"]})
        settings = searched.model_copy(update={"seed": options.get("seed", searched.seed)})
        job = TransferJob.prepare(searched, folder)
        if job.data.fingerprint != study.user_attrs["autoenc_transfer_context"]["data"]:
            raise InputError(
                f"{settings.data_path}: is not what {folder} was searched with; its content differs"
            )
        return cls(folder, job, settings, trial)


def _train(chosen: _Chosen, path: Path) -> tuple[Path, FittedTransfer, Scores]:
    model, scores = train_trial(chosen.job, chosen.settings, chosen.trial, f"--from {chosen.folder}: ")
    kept = save_transfer(path, model, keep_earlier=True)
    if kept is not None:
        warn(f"the earlier model is kept as {kept}")
    return path, model, scores


def train_best_of_transfer(settings: TrainBestSettings) -> int:
    """``train-best`` for the folder of a transfer-aware search.

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
    output = None
    if settings.output_dir is not None:
        check_folder(Path(settings.output_dir))
        output = Path(settings.output_dir)
    chosen = _Chosen.of(folder, options, settings.trial)
    target, fingerprint = output or folder, chosen.job.data.fingerprint
    started = time.monotonic()
    with TrackedRun(target, "train-best", settings, fingerprint, [chosen.settings.seed]) as run:
        path, model, scores = _train(chosen, target / "best_model.pth")
        run.conclude("finished", _metrics(model, time.monotonic() - started))
    if not settings.quiet:
        named = {"MAE (in standard deviations)": scores.mae, "F1": scores.f1, "recall": scores.recall}
        told = [f"{name} {value:.4f}" for name, value in named.items() if value is not None]
        epochs = f"{model.info['recipe']['epochs']} and {model.info['stage2_epochs']} epochs"
        say(f"trained       trial {model.info['trial']}, both stages, {epochs}")
        say(f"test rows     {', '.join(told)}, stage 1 loss {scores.stage1_loss:.5f}; they chose nothing")
        say(f"objective     {model.info['test_scores']['stage2_objective']:.4f}, the part of the heads")
        for name, beside in model.info["baselines"].items():
            say(f"{name:<13} {_told_beside(beside)}")
        say("", f"best model    {path}")
    return 0


def _told_beside(beside: dict[str, Any]) -> str:
    """How the same heads do on a baseline."""
    told = f"{beside['stage2_objective']:.4f} with the same heads: {beside['above']:+.4f}"
    if beside["above_interval"] is None:
        return told
    low, high = beside["above_interval"]
    verdict = "the encoder is better" if low > 0 else "the encoder is worse" if high < 0 else "undecided"
    return f"{told} (95 %: {low:+.4f} to {high:+.4f}), {verdict}"


def _metrics(model: FittedTransfer, seconds: float) -> dict[str, Any]:
    stack = format_architecture(tuple(model.info["hidden_dims"]))
    return {
        "best_loss": model.info["test_objective"],
        "best_stack": f"{stack}, latent size {model.info['latent_dim']}",
        "n_parameters": model.info["total_params"],
        "training_seconds": seconds,
    }
