"""The results of earlier searches, loaded from what these left in a folder."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from autoenc.data.given import FRAME, given_table
from autoenc.data.read import ReadTable
from autoenc.errors import InputError
from autoenc.record.fits import FitRecord
from autoenc.record.record import TRANSFER, TUNE, transfer_folder
from autoenc.record.searches import Searches
from autoenc.record.single_precision import as_recorded
from autoenc.record.storage import journal_path, records_below
from autoenc.report.results import SearchResults
from autoenc.report.study_results import TuneResults
from autoenc.settings import SearchSettings, TransferSettings, TuneSettings, require_settings, search_settings
from autoenc.system.secrets import masked_storage
from autoenc.system.surroundings import restoring
from autoenc.tuning.job import TuneJob
from autoenc.workflows.full_training import best_of_tune
from autoenc.workflows.job import SearchJob

if TYPE_CHECKING:  # torch, behind these, takes seconds to import
    from autoenc.report.transfer_results import TransferResults
    from autoenc.two_stage.checkpoint import FittedTransfer

__all__ = ["load"]


def load(
    folder: Path | None, latent_dim: int | None, data: Any, labelled: Any = None, storage: str | None = None
) -> SearchResults | TuneResults | TransferResults:
    """See :func:`autoenc.load_results`."""
    place: Path | str
    if storage is not None:
        place, shown = storage, masked_storage(storage)
    elif folder is None:
        raise InputError("folder or storage must be given")
    elif not journal_path(folder).exists():
        return _transfer(_database(folder), None, data, labelled)
    else:
        place, shown = journal_path(folder), str(folder)
    searches = Searches.read(place)
    transfers = [
        record for record in searches.two_stage if folder is None or _place_of(record.study, folder).is_dir()
    ]
    records = [*searches.exhaustive, *searches.adaptive, *transfers]
    wanted = [record for record in records if latent_dim in (None, record.latent_dim)]
    if not wanted:
        sizes = sorted({size for record in records if (size := record.latent_dim) is not None})
        raise InputError(f"{shown}: holds no search of latent size {latent_dim}, but of {sizes or 'none'}")
    latest = max(wanted, key=lambda record: record.last_used)
    if TRANSFER in latest.study.user_attrs:
        return _transfer(_place_of(latest.study, folder) / "study.db", storage, data, labelled)
    if labelled is not None:
        raise InputError(f"labelled: {shown} holds no transfer-aware search, the only one with labelled rows")
    at = {} if folder is None else {"output_dir": os.fspath(folder)}
    return _search(latest, at, data) if isinstance(latest, FitRecord) else _tune(latest.study, at, data)


def _search(record: FitRecord, at: dict[str, str], data: Any) -> SearchResults:
    settings = search_settings({**record.search["settings"], **at})
    return SearchResults.of(settings, record, _Source(settings, record, data))


def _tune(study: optuna.Study, at: dict[str, str], data: Any) -> TuneResults:
    note = study.user_attrs[TUNE]
    settings = TuneSettings.model_validate({**note["settings"], **at})

    def prepared() -> TuneJob:
        path, read = _table(settings.data_path, data)
        job = TuneJob.prepare(settings.model_copy(update={"data_path": path}), read, is_on_disk=False)
        searched = note["context"]["fingerprint"]
        job.table = as_recorded(job.table, lambda fingerprint: fingerprint == searched)
        if job.table.fingerprint != searched:
            raise InputError(f"{path}: is not the table of this search; give it as data=")
        return job

    return TuneResults(study, partial(best_of_tune, study, prepared))


def _table(
    recorded: str, given: Any, labels: Collection[str] = (), argument: str = "data"
) -> tuple[str, ReadTable | None]:
    """Return the table that was given, else the recorded one; see :func:`given_table`."""
    if given is None and recorded == FRAME:
        raise InputError(f"the record does not hold the table of this search; give it as {argument}=")
    return given_table(recorded if given is None else given, labels)


def _place_of(study: optuna.Study, folder: Path | None) -> Path:
    """Return the folder of a transfer-aware search that is recorded elsewhere: this one, or the one in it."""
    name = transfer_folder(study)
    return Path(name) if folder is None else folder if folder.resolve().name == name else folder / name


def _database(folder: Path) -> Path:
    """Return the record of the transfer-aware search of a folder, or of the one folder in it that has one."""
    databases = [path for path in [folder / "study.db", *sorted(folder.glob("*/study.db"))] if path.is_file()]
    if not databases:
        hint = records_below(folder) or "; search, tune and transfer make one"
        raise InputError(
            f"{folder}: there is no study.journal or study.db here{hint}; a record in a database is named by "
            "--storage"
        )
    if databases[0].parent != folder and len(databases) > 1:
        names = ", ".join(path.parent.name for path in databases)
        raise InputError(f"{folder}: holds several searches, name the folder of one: {names}")
    return databases[0]


def _transfer(path: Path, storage: str | None, data: Any, labelled: Any) -> TransferResults:
    from autoenc.report.transfer_results import TransferResults
    from autoenc.two_stage.job import TransferJob
    from autoenc.two_stage.record import data_of, n_columns_of, read_study, stored_settings
    from autoenc.workflows.train_transfer import train_both

    study = read_study(path, "", storage)
    stored = stored_settings(study, path)
    settings = require_settings(TransferSettings, {**stored, "storage": storage})
    labels = [settings.classification_target]
    if labelled is not None and settings.labelled_path is None:
        raise InputError(f"labelled: the labelled rows of {path.parent} are in its table, data")

    def trained() -> FittedTransfer:
        with restoring():
            where, table = _table(settings.data_path, data, labels)
            label_path, read = settings.labelled_path, table
            if label_path is not None:
                label_path, read = _table(label_path, labelled, labels, "labelled")
            moved = settings.model_copy(update={"data_path": where, "labelled_path": label_path})
            job = TransferJob.prepare(moved, path.parent, (table, read))
            if job.data.fingerprint != data_of(study):
                both = where if label_path is None else f"{where}, {label_path}"
                given = "it as data=" if label_path is None else "them as data= and labelled="
                table_of = "is not the table" if label_path is None else "are not the tables"
                raise InputError(f"{both}: {table_of} of this search; give {given}")
            return train_both(job, study)

    return TransferResults(study, settings, n_columns_of(study), trained)


class _Source:
    """Reads the table of a recorded search, once a model is asked for."""

    def __init__(self, settings: SearchSettings, record: FitRecord, data: Any) -> None:
        self._settings, self._record, self._data = settings, record, data

    @cached_property
    def _job(self) -> SearchJob:
        path, read = _table(self._settings.data_path, self._data)
        settings = self._settings.model_copy(update={"data_path": path})
        job = SearchJob.prepare(settings, read, is_on_disk=False)
        if job.context != self._record.context:
            raise InputError(f"{path}: is not the table of this search; give it as data=")
        return job

    def model(self, fit: Any) -> Any:
        """See :class:`~autoenc.report.results.ModelSource`."""
        with restoring():
            return self._job.model(fit)

    def latent_plot(self, results: SearchResults) -> Any:
        """See :class:`~autoenc.report.results.ModelSource`."""
        with restoring():
            return self._job.latent_plot(results)
