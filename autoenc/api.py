"""What Python calls: a search on a table, and the results of an earlier one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autoenc.errors import InputError, Interrupted
from autoenc.given import given_table
from autoenc.record.record import Record, records_in
from autoenc.record.storage import journal_path, open_storage
from autoenc.report.results import SearchResults
from autoenc.settings import SearchSettings, require_settings
from autoenc.workflows.job import SearchJob
from autoenc.workflows.screen import Python
from autoenc.workflows.search import run_search

__all__ = ["load_results", "search"]


def search(
    data: Any, *, output_dir: str | os.PathLike[str] | None = None, quiet: bool = False, **options: Any
) -> SearchResults:
    """Train an autoencoder for every non-increasing stack of hidden widths, and compare them.

    Args:
        data: The table: a pandas frame, a frame of another library (polars, Arrow, ...), an array or a SciPy
            sparse matrix ``[rows, columns]``, or the path of a CSV or Parquet file. NaN is missing.
        output_dir: Folder for the record and the reports, the same files as the command line writes; the
            same call goes on there after an interruption. None keeps the record in memory and writes nothing.
        quiet: Show no progress bar.
        **options: As on the command line, with the same names and defaults: ``latent_dim``,
            ``hidden_dims_search``, ``max_layers``, ``epochs``, ``folds``, ``seeds``, ``select``, ...;
            ``autoenc search --help`` lists them.

    Returns:
        The results: ``leaderboard``, ``best_model()``, ``plot``.

    Raises:
        InputError: If data or options cannot be used; it names every problem.
        Interrupted: On Ctrl-C, with the results so far.

    Example:
        >>> import numpy as np
        >>> table = np.random.default_rng(0).random((60, 5))
        >>> small = {"latent_dim": 2, "hidden_dims_search": (4, 8), "max_layers": 1, "epochs": 2}
        >>> results = search(table, **small, quiet=True)
        >>> sorted(results.leaderboard["stack"])
        ['4', '8']
        >>> results.best_model().encode(table).shape
        (60, 2)
    """
    with _plain_names():
        path, read = given_table(data)
        settings = _settings(path, output_dir, quiet, options)
        job = SearchJob.prepare(settings, read, is_on_disk=output_dir is not None)
        run = run_search(job, Python(quiet))
    if run.signals.number:
        raise Interrupted(run.results)
    return run.results


def _settings(
    path: str, output_dir: str | os.PathLike[str] | None, quiet: bool, options: dict[str, Any]
) -> SearchSettings:
    problems = [
        f"{name} is an option of the command line" for name in ("dry_run", "verify") if name in options
    ]
    if "data_path" in options:
        problems.append("data_path is the first argument, data")
    if output_dir is None:
        on_disk = ("storage", "save_models", "fresh", "shard")
        problems += [f"{name} needs an output_dir" for name in on_disk if options.get(name)]
    if problems:
        raise InputError(problems)
    given = {name: value for name, value in options.items() if value is not None}
    place = {} if output_dir is None else {"output_dir": os.fspath(output_dir)}
    settings = require_settings(SearchSettings, {**given, **place, "data_path": path, "quiet": quiet})
    if len(settings.latent_dim) > 1:
        raise InputError(f"latent_dim must be one size, got {settings.latent_dim}; search for one at a time")
    return settings


def load_results(
    folder: str | os.PathLike[str], latent_dim: int | None = None, data: Any = None
) -> SearchResults:
    """Load the results of an earlier search, of the command line or of :func:`search`.

    Args:
        folder: Its output folder.
        latent_dim: Which one, where the folder holds several; by default the latest.
        data: The table, where it is not where the search found it; needed only for models.

    Raises:
        InputError: If there is no such search.
    """
    journal = journal_path(Path(folder))
    if not journal.exists():
        raise InputError(f"{folder}: there is no {journal.name} here; search makes one")
    records = [record for record in records_in(open_storage(journal, read_only=True)) if record.search]
    wanted = [record for record in records if latent_dim in (None, record.context.latent_dim)]
    if not wanted:
        sizes = sorted({record.context.latent_dim for record in records})
        raise InputError(f"{folder}: holds no search of latent size {latent_dim}, but of {sizes or 'none'}")
    record = max(wanted, key=lambda record: record.last_used)
    settings = SearchSettings.model_validate({**record.search["settings"], "output_dir": os.fspath(folder)})
    return SearchResults.of(settings, record, _Source(settings, record, data))


class _Source:
    """Reads the table of a recorded search, once a model is asked for."""

    def __init__(self, settings: SearchSettings, record: Record, data: Any) -> None:
        self._settings, self._record, self._data = settings, record, data
        self._job: SearchJob | None = None

    def _prepared(self) -> SearchJob:
        if self._job is None:
            path, read = given_table(self._settings.data_path if self._data is None else self._data)
            settings = self._settings.model_copy(update={"data_path": path})
            job = SearchJob.prepare(settings, read, is_on_disk=False)
            if job.context != self._record.context:
                raise InputError(f"{path}: is not the table of this search; give it as data=")
            self._job = job
        return self._job

    def model(self, fit: Any) -> Any:
        """See :class:`~autoenc.report.results.ModelSource`."""
        return self._prepared().model(fit)

    def latent_plot(self, results: SearchResults) -> Any:
        """See :class:`~autoenc.report.results.ModelSource`."""
        return self._prepared().latent_plot(results)


@contextmanager
def _plain_names() -> Iterator[None]:
    """Call options by their names in Python, ``folds`` for ``--folds``, where a problem names them."""
    try:
        yield
    except InputError as error:
        raise InputError([re.sub(r"--(?=[a-z])", "", problem) for problem in error.problems]) from None
