"""The Optuna study of an adaptive search: begun, found again, refused where it is another search's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from autoenc.errors import InputError
from autoenc.record.processes import is_alive, this_process
from autoenc.record.record import TUNE, keep_study_aside, note_use, order_of_use
from autoenc.settings import TuneSettings, require_settings
from autoenc.settings.options import options_of
from autoenc.system.surroundings import quiet_optuna
from autoenc.tuning.job import TuneJob

__all__ = [
    "PROCESS",
    "abandoned",
    "any_unmarked",
    "identity_of",
    "mark_process",
    "open_study",
    "study_name",
    "tune_studies",
]

PROCESS = "process"  # the attribute that says which process is at work on a trial
_MARKING = timedelta(seconds=30)  # after which a trial without a mark counts as abandoned
_SILENCE = timedelta(hours=6)  # after which a trial of another host counts as abandoned

# Options that do not change what a trial comes to, or that may grow while a study goes on.
_FREE = {*options_of(TuneSettings, "data", "progress", "place", "display")}


def study_name(strategy: str, latent_dim: int) -> str:
    """A record holds one adaptive search for each strategy and latent size."""
    return f"tune-{strategy}-latent{latent_dim}"


def identity_of(job: TuneJob) -> dict[str, Any]:
    """What a study's trials depend on, by the options' names, as plain values."""
    options = job.settings.model_dump(mode="json", exclude=_FREE)
    resolved = {"epochs": job.epochs, "patience": job.patience}
    # Values of columns without a scale are other ones than they were.
    data = " ".join(filter(None, [job.context.fingerprint, job.division.left_out_mark(job.folds)]))
    return {**options, **resolved, "data": data, "columns": list(job.context.columns)}


def _usual() -> dict[str, Any]:
    """The defaults of options, for records that were begun before there were such options."""
    return require_settings(TuneSettings, {}).model_dump(mode="json", exclude=_FREE)


@quiet_optuna()
def open_study(storage: BaseStorage, job: TuneJob) -> optuna.Study:
    """Open the study of this search, beginning it where there is none.

    Raises:
        InputError: If the record holds another search under this name.
    """
    name = study_name(job.settings.strategy, job.settings.latent_dim)
    if job.settings.fresh:
        keep_study_aside(storage, name)
    pruner = {
        "median": optuna.pruners.MedianPruner(n_warmup_steps=max(job.epochs // 5, 1)),
        "hyperband": optuna.pruners.HyperbandPruner(max_resource=job.epochs),
        "none": optuna.pruners.NopPruner(),
    }[job.settings.pruner]
    study = optuna.create_study(
        study_name=name, storage=storage, sampler=job.sampler(), pruner=pruner, load_if_exists=True
    )
    wanted = identity_of(job)
    known = study.user_attrs.get(TUNE)
    if known is None and study.get_trials(deepcopy=False):
        raise InputError(
            f"study {name} of the record does not say which search it is; --fresh keeps it aside and "
            "starts over, or give another --output_dir"
        )
    found = (known or {}).get("identity")
    if found is not None and (found := {**_usual(), **found}) != wanted:
        differing = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
        told = ", ".join(_difference(key, found.get(key), wanted.get(key)) for key in differing)
        raise InputError(
            f"the record holds another search by {job.settings.strategy} for latent size "
            f"{job.settings.latent_dim}; it differs in {told}; --fresh keeps it aside and starts over, or "
            "give another --output_dir"
        )
    settings = job.settings.model_dump(mode="json")
    n_begun = sum(trial.state != TrialState.WAITING for trial in study.get_trials(deepcopy=False))
    if job.settings.n_trials < n_begun:
        # Trials stay made: a lower number than theirs only keeps this run from adding any.
        settings["n_trials"] = study.user_attrs.get(TUNE, {}).get("settings", settings)["n_trials"]
    note = {
        "identity": wanted, "settings": settings, "baselines": job.baselines,
        "thresholds": job.thresholds, "context": job.context.as_dict(), "input_dim": len(job.table.columns),
    }  # fmt: skip
    if study.user_attrs.get(TUNE) != note:
        study.set_user_attr(TUNE, note)
    note_use(study)
    return study


def _difference(key: str, found: Any, wanted: Any) -> str:
    return "the data" if key == "data" else f"--{key} ({_short(found)}, now {_short(wanted)})"


def _short(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) < 40 else f"{text[:37]}..."


def tune_studies(storage: BaseStorage) -> list[optuna.Study]:
    """The adaptive searches of a record, the last used one last."""
    found = [
        optuna.load_study(study_name=frozen.study_name, storage=storage)
        for frozen in storage.get_all_studies()
        if frozen.user_attrs.get(TUNE)
    ]
    return sorted(found, key=order_of_use)


def mark_process(trial: optuna.Trial) -> None:
    """Note which process trains this trial, so that another can tell whether it is still at it."""
    trial.set_user_attr(PROCESS, this_process())


def abandoned(study: optuna.Study, alone: bool) -> list[FrozenTrial]:
    """Trials that a process began and cannot end, the oldest first.

    Args:
        study: The study.
        alone: Whether no other process can be at work here, because this one holds the record's lock.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return [trial for trial in running if alone or _is_abandoned(trial)]


def any_unmarked(study: optuna.Study) -> bool:
    """Whether a trial runs of which nobody can say yet whose it is."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return any(PROCESS not in trial.user_attrs for trial in running)


def _is_abandoned(trial: FrozenTrial) -> bool:
    started = trial.datetime_start or datetime.now()
    if PROCESS not in trial.user_attrs:  # a living process marks its trial at once
        return datetime.now() - started > _MARKING
    alive = is_alive(trial.user_attrs[PROCESS])
    return datetime.now() - started > _SILENCE if alive is None else not alive
