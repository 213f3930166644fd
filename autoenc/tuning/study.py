"""The Optuna study of an adaptive search: created, opened again, refused if it is another search's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from autoenc.record.record import TUNE, Kind, Record, differing, keep_n_trials
from autoenc.settings import TuneSettings, require_settings
from autoenc.settings.options import options_of
from autoenc.tuning.job import TuneJob

__all__ = ["identity_of", "open_tune_record", "study_name", "tune_studies"]

# Options that do not change a trial's value, or that may grow while a study goes on.
_FREE = {*options_of(TuneSettings, "data", "progress", "place", "display")}


def study_name(strategy: str, latent_dim: int) -> str:
    """Return the name of a study; a record holds one for each strategy and latent size."""
    return f"tune-{strategy}-latent{latent_dim}"


def identity_of(job: TuneJob) -> dict[str, Any]:
    """Return what a study's trials depend on, by the options' names, as plain values."""
    options = job.settings.model_dump(mode="json", exclude=_FREE)
    resolved = {"epochs": job.epochs, "patience": job.patience}
    # Values of columns without a scale are other ones than they were.
    data = " ".join(filter(None, [job.context.fingerprint, job.division.left_out_mark(job.folds)]))
    return {**options, **resolved, "data": data, "columns": list(job.context.columns)}


def _kind(settings: TuneSettings) -> Kind:
    strategy, name = settings.strategy, study_name(settings.strategy, settings.latent_dim)
    advice = "--fresh keeps it aside and starts over, or give another --output_dir"

    def differences(note: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
        if note.get("identity") is None:  # of a version that noted none
            return []
        # A record may have been begun before there were such options.
        usual = require_settings(TuneSettings, {}).model_dump(mode="json", exclude=_FREE)
        noted = {**usual, **note["identity"]}
        return [
            "the data"
            if key == "data"
            else f"--{key} ({_short(noted.get(key))}, now {_short(wanted.get(key))})"
            for key in differing(noted, wanted)
        ]

    return Kind(
        TUNE,
        differences,
        lambda words: (
            f"the record holds another search by {strategy} for latent size {settings.latent_dim}; "
            f"it differs in {words}; {advice}"
        ),
        f"study {name} of the record does not say which search it is; {advice}",
    )


def open_tune_record(storage: BaseStorage, job: TuneJob, is_alone: bool) -> Record:
    """Open the record of the trials of this search, beginning it where there is none.

    Raises:
        InputError: If the record holds another search under this name.
    """
    pruner = {
        "median": optuna.pruners.MedianPruner(n_warmup_steps=max(job.epochs // 5, 1)),
        "hyperband": optuna.pruners.HyperbandPruner(max_resource=job.epochs),
        "none": optuna.pruners.NopPruner(),
    }[job.settings.pruner]
    wanted, name = identity_of(job), study_name(job.settings.strategy, job.settings.latent_dim)
    record = Record.open(
        storage, name, _kind(job.settings), wanted, sampler=job.sampler(), pruner=pruner, is_alone=is_alone,
        fresh=job.settings.fresh,
    )  # fmt: skip
    settings = job.settings.model_dump(mode="json")
    n_begun = sum(trial.state != TrialState.WAITING for trial in record.trials())
    keep_n_trials(settings, n_begun, record.study.user_attrs.get(TUNE, {}).get("settings", {}))
    note = {
        "identity": wanted, "settings": settings, "baselines": job.baselines,
        "thresholds": job.thresholds, "context": job.context.as_dict(), "input_dim": len(job.table.columns),
    }  # fmt: skip
    record.note(TUNE, note)
    record.note_use()
    return record


def _short(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) < 40 else f"{text[:37]}..."


def tune_studies(storage: BaseStorage) -> list[optuna.Study]:
    """Return the adaptive searches of a record, the last used one last."""
    return [record.study for record in Record.all_of(storage, TUNE)]
