"""The study of a transfer-aware search: one SQLite file, which knows what experiment it belongs to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import InMemoryStorage

from autoenc.data.sources import refuse_ended
from autoenc.errors import InputError
from autoenc.record.database import CheckedDatabase, sqlite_url
from autoenc.record.private import storage_of
from autoenc.record.record import (
    TRANSFER,
    Kind,
    Record,
    begun_study,
    differing,
    keep_n_trials,
    transfer_name,
)
from autoenc.record.storage import open_storage
from autoenc.settings import TransferSettings, require_settings
from autoenc.settings.options import options_of
from autoenc.system.secrets import masked_storage
from autoenc.system.special import refuse_link, special_kind
from autoenc.system.surroundings import quiet_optuna
from autoenc.two_stage.data import TransferData
from autoenc.two_stage.samplers import make_pruner, make_sampler

__all__ = [
    "note_columns",
    "n_beside_grid",
    "n_columns_of",
    "data_of",
    "transfer_context",
    "open_transfer_record",
    "read_study",
    "recorded_data",
    "refuse_ended_tables",
    "stored_settings",
]

_SETTINGS = "autoenc_transfer_settings"
_N_COLUMNS = "autoenc_transfer_n_columns"
_NAME = "transfer"
_MOST = 4  # differences that are listed


def transfer_context(
    settings: TransferSettings, data: TransferData, left_out_mark: str = ""
) -> dict[str, Any]:
    """Return everything that decides what a trial's value means, as plain values.

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


def note_columns(record: Record, data: TransferData) -> None:
    """Note how many columns the encoder takes, for those who have only the record."""
    record.note(_N_COLUMNS, len(data.table.columns))


def n_columns_of(study: optuna.Study) -> int:
    """Return how many columns the encoder takes; if a study does not note it, by the commas between names."""
    known = study.user_attrs
    return int(known.get(_N_COLUMNS, known[TRANSFER]["columns"].count(",") + 1))


def data_of(study: optuna.Study) -> str:
    """Return the fingerprint of the data that a study was begun with."""
    return str(study.user_attrs[TRANSFER]["data"])


def recorded_data(path: Path, storage: str | None = None) -> str | None:
    """Return the fingerprint of the data of a study; None where there is no such study."""
    try:
        return data_of(read_study(path, storage=storage))
    except InputError:  # reported by whoever needs the study
        return None


def n_beside_grid(path: Path, storage: str | None = None) -> int:
    """Return how many trials of a study are not of a grid; 0 where there is no such study."""
    try:
        trials = read_study(path, storage=storage).get_trials(deepcopy=False)
    except InputError:  # reported by whoever needs the study
        return 0
    return sum("grid_id" not in trial.system_attrs for trial in trials)


def read_study(path: Path, flag: str = "--resume", storage: str | None = None) -> optuna.Study:
    """Open the study of an earlier search.

    Args:
        path: Its ``study.db``.
        flag: The option that named the file, for messages; empty where none did.
        storage: URL of the record, if it is not in that file; there the study is called after its folder.

    Raises:
        InputError: If there is no such file, or it is not the record of a transfer-aware search.
    """
    if storage is not None:
        records = Record.all_of(open_storage(storage, read_only=True), TRANSFER)
        studies_there = {record.study.study_name: record.study for record in records}
        name = transfer_name(path.parent)
        if name not in studies_there:
            names = ", ".join(studies_there) or "no other of its kind"
            raise InputError(f"--storage {masked_storage(storage)}: holds no study {name}, but {names}")
        return studies_there[name]
    source = f"{flag} {path}".strip()
    if not path.is_file():
        kind = special_kind(path)
        what = f"is {kind}" if kind else "there is no such file"
        raise InputError(f"{source}: {what}; the record is called study.db in a search's folder")
    try:
        opened = CheckedDatabase(sqlite_url(path), source, kind="a transfer-aware search")
    except RuntimeError as error:  # of another version of Optuna; it says what to do
        raise InputError(f"{source}: {error}") from None
    studies = opened.get_all_studies()
    if not studies or not {TRANSFER, _SETTINGS} <= studies[0].user_attrs.keys():
        broken = "what it says of itself is damaged" if opened.damage else ""
        raise InputError(f"{source}: {broken or 'is not the record of a transfer-aware search'}")
    return optuna.load_study(study_name=studies[0].study_name, storage=opened)


def stored_settings(study: optuna.Study, path: Path) -> dict[str, Any]:
    """Return the options that a study was begun with, as plain values.

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


def open_transfer_record(path: Path | None, settings: TransferSettings, context: dict[str, Any]) -> Record:
    """Open the record of a search, beginning it where there is none.

    Args:
        path: Its file, whose folder names the search at a storage URL; None keeps it in memory.
        settings: The options.
        context: See :func:`transfer_context`.

    Raises:
        InputError: If it is the record of another experiment; it says what differs.
    """
    of_this_run = {
        "resume",
        "fresh",
        "dry_run",
        "scheduler",
        "storage",
        *options_of(TransferSettings, "display"),
    }
    written = settings.model_dump(mode="json", exclude=of_this_run)
    sampler, pruner = make_sampler(settings), make_pruner(settings)
    if path is None:
        record = Record(begun_study(InMemoryStorage(), _NAME, sampler, pruner))
        record.note(TRANSFER, context)
        record.note(_SETTINGS, written)
        return record
    if settings.storage is not None:
        name = transfer_name(path.parent)
        kind = _kind(f"--storage {masked_storage(settings.storage)}", f"study {name} ")
        record = Record.open(
            open_storage(settings.storage), name, kind, context, sampler=sampler, pruner=pruner,
            is_alone=False, fresh=settings.fresh,
        )  # fmt: skip
        record.note_use()
    else:
        refuse_link(path)
        if not path.exists():
            _begin(path, context, written)
        study = read_study(path, "--resume" if settings.resume else "study")
        record = Record.open(
            storage_of(study), study.study_name, _kind(str(path)), context, sampler=sampler, pruner=pruner
        )
    keep_n_trials(written, len(record.trials()), record.study.user_attrs.get(_SETTINGS, {}))
    record.note(_SETTINGS, written)
    if TRANSFER not in record.study.user_attrs:  # last, so that a study with it is whole
        record.note(TRANSFER, context)
    return record


@quiet_optuna()
def _begin(path: Path, context: dict[str, Any], settings: dict[str, Any]) -> None:
    """Make a study under another name and rename it: one that is there is whole, whenever we are killed."""
    beginning = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beginning.unlink(missing_ok=True)
    storage = CheckedDatabase(sqlite_url(beginning), str(path))
    # The name is no matter of the folder: Optuna's Hyperband lets it decide which trials it ends.
    record = Record(begun_study(storage, _NAME))
    record.note(TRANSFER, context)
    record.note(_SETTINGS, settings)
    storage.close()
    os.replace(beginning, path)


def _kind(place: str, of_study: str = "") -> Kind:
    def differences(noted: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
        # An option that came later has its default in the studies begun before.
        usual = require_settings(TransferSettings, {}).all_defining()
        known, here = {**usual, **noted}, {**usual, **wanted}
        names = differing(known, here)
        parts = [
            "other data" if name == "data" else f"{name} {known.get(name)} there, {here.get(name)} here"
            for name in names
        ]
        return (
            ["; ".join(parts[:_MOST]) + (f" and {len(parts) - _MOST} more" if len(parts) > _MOST else "")]
            if parts
            else []
        )

    return Kind(
        TRANSFER,
        differences,
        lambda words: f"{place}: {of_study}is of another experiment: {words}",
        f"{place}: {of_study}does not say which search it is",
    )
