"""The study of a transfer-aware search: one SQLite file, which knows what experiment it belongs to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna

from autoenc.data.sources import refuse_ended
from autoenc.errors import InputError
from autoenc.record.database import CheckedDatabase, sqlite_url
from autoenc.record.private import storage_of
from autoenc.settings import TransferSettings, require_settings
from autoenc.settings.options import options_of
from autoenc.system.special import refuse_link, special_kind
from autoenc.system.surroundings import quiet_optuna
from autoenc.two_stage.data import TransferData
from autoenc.two_stage.samplers import make_pruner, make_sampler

__all__ = [
    "context_of",
    "open_study",
    "read_study",
    "recorded_data",
    "refuse_ended_tables",
    "stored_settings",
    "study_in_memory",
]

_CONTEXT, _SETTINGS = "autoenc_transfer_context", "autoenc_transfer_settings"
_NAME = "transfer"


def context_of(settings: TransferSettings, data: TransferData, left_out_mark: str = "") -> dict[str, Any]:
    """Everything that decides what a trial's value means, as plain values.

    Args:
        settings: The options.
        data: The tables and targets.
        left_out_mark: What stands for columns without a scale; empty where there are none.
    """
    context = {"data": data.fingerprint, "columns": ",".join(data.table.columns), **settings.defining()}
    if left_out_mark:
        context["left_out_columns"] = left_out_mark
    # A study that learned from rows that judge is another one; it knows nothing of them.
    return {**context, "left_out_rows": data.n_overlapping} if data.n_overlapping else context


def recorded_data(path: Path) -> str | None:
    """The fingerprint of the data that a study was begun with; None where there is no such study."""
    try:
        return str(read_study(path).user_attrs[_CONTEXT]["data"])
    except InputError:  # told by whoever needs the study
        return None


def read_study(path: Path, flag: str = "--resume") -> optuna.Study:
    """Open the study of an earlier search.

    Args:
        path: Its ``study.db``.
        flag: The option that named the file, for messages.

    Raises:
        InputError: If there is no such file, or it is not the record of a transfer-aware search.
    """
    if not path.is_file():
        kind = special_kind(path)
        what = f"is {kind}" if kind else "there is no such file"
        raise InputError(f"{flag} {path}: {what}; the record is called study.db in a search's folder")
    told = f"{flag} {path}"
    try:
        storage = CheckedDatabase(sqlite_url(path), told, kind="a transfer-aware search")
    except RuntimeError as error:  # of another version of Optuna; it says what to do
        raise InputError(f"{told}: {error}") from None
    studies = storage.get_all_studies()
    if not studies or not {_CONTEXT, _SETTINGS} <= studies[0].user_attrs.keys():
        broken = "what it says of itself is damaged" if storage.damage else ""
        raise InputError(f"{told}: {broken or 'is not the record of a transfer-aware search'}")
    return optuna.load_study(study_name=studies[0].study_name, storage=storage)


def stored_settings(study: optuna.Study, path: Path) -> dict[str, Any]:
    """The options that a study was begun with, as plain values.

    Raises:
        InputError: If there are no such options any more, so that its trials mean something else.
    """
    stored = dict(study.user_attrs[_SETTINGS])
    gone = [f"--{name}" for name in stored if name not in TransferSettings.model_fields]
    if gone:
        raise InputError(
            f"{path}: was begun by a version of autoenc that had {', '.join(gone)}; this one has not, and "
            "cannot go on with it; begin another search, with --name or --output_dir"
        )
    return stored


def refuse_ended_tables(stored: Mapping[str, Any], given: Mapping[str, Any], of: str) -> None:
    """See that the tables of a study can be read again, or others are given; see :func:`refuse_ended`."""
    for option in ("data_path", "labelled_path"):
        if stored.get(option) is not None and option not in given:
            refuse_ended(stored[option], of, f"--{option}")


def open_study(path: Path, settings: TransferSettings, context: dict[str, Any]) -> optuna.Study:
    """Open the study at a path, beginning it where there is none.

    Raises:
        InputError: If it is the study of another experiment; it says what differs.
    """
    refuse_link(path)
    written = settings.model_dump(mode="json", exclude={"resume", *options_of(TransferSettings, "display")})
    if path.exists():
        study = read_study(path, "--resume" if settings.resume else "study")
        # An option that came later has its default in the studies begun before.
        found = {**require_settings(TransferSettings, {}).defining(), **study.user_attrs[_CONTEXT]}
        if found != context:
            raise InputError(f"{path}: is of another experiment: {_differences(found, context)}")
    else:
        _begin(path, context, written)
        study = read_study(path)
    study = optuna.load_study(
        study_name=study.study_name, storage=storage_of(study), sampler=make_sampler(settings),
        pruner=make_pruner(settings),
    )  # fmt: skip
    if settings.n_trials < len(study.get_trials(deepcopy=False)):
        # Trials stay made: a lower number than theirs only keeps this run from adding any.
        written["n_trials"] = study.user_attrs[_SETTINGS].get("n_trials", settings.n_trials)
    if study.user_attrs.get(_SETTINGS) != written:
        study.set_user_attr(_SETTINGS, written)
    return study


@quiet_optuna()
def _begin(path: Path, context: dict[str, Any], settings: dict[str, Any]) -> None:
    """Make a study under another name and rename it: one that is there is whole, whenever we are killed."""
    beginning = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beginning.unlink(missing_ok=True)
    storage = CheckedDatabase(sqlite_url(beginning), str(path))
    # The name is no matter of the folder: Optuna's Hyperband lets it decide which trials it ends.
    study = optuna.create_study(study_name=_NAME, storage=storage)
    study.set_user_attr(_CONTEXT, context)
    study.set_user_attr(_SETTINGS, settings)
    storage.close()
    os.replace(beginning, path)


@quiet_optuna()
def study_in_memory(settings: TransferSettings, context: dict[str, Any]) -> optuna.Study:
    """A new study that is lost when the program ends."""
    study = optuna.create_study(
        study_name=_NAME, sampler=make_sampler(settings), pruner=make_pruner(settings)
    )
    study.set_user_attr(_CONTEXT, context)
    study.set_user_attr(_SETTINGS, settings.model_dump(mode="json", exclude={"resume", "quiet"}))
    return study


def _differences(found: dict[str, Any], wanted: dict[str, Any], most: int = 4) -> str:
    names = [name for name in sorted({*found, *wanted}) if found.get(name) != wanted.get(name)]
    told = [
        "other data" if name == "data" else f"{name} {found.get(name)} there, {wanted.get(name)} here"
        for name in names
    ]
    return "; ".join(told[:most]) + (f" and {len(told) - most} more" if len(told) > most else "")
