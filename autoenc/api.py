"""The functions for Python: searches on a table, and the results of earlier ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from autoenc.data.given import given_table
from autoenc.errors import InputError, Interrupted
from autoenc.report.results import SearchResults
from autoenc.report.study_results import TuneResults
from autoenc.settings import (
    FitSettings,
    SearchSettings,
    Settings,
    TransferSettings,
    TuneSettings,
    parse_settings,
)
from autoenc.settings.options import options_that_need
from autoenc.system.python_calls import called
from autoenc.tuning.job import TuneJob
from autoenc.workflows.ended import Ended
from autoenc.workflows.fit import chosen_size, prepare_fits, run_fit
from autoenc.workflows.job import SearchJob
from autoenc.workflows.load import load
from autoenc.workflows.screen import Python
from autoenc.workflows.search import run_search
from autoenc.workflows.tune import open_tuning

if TYPE_CHECKING:
    from autoenc.report.transfer_results import TransferResults

S = TypeVar("S", bound=Settings)
T = TypeVar("T")

__all__ = ["fit", "load_results", "search", "transfer", "tune"]


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
    with called():
        path, read = given_table(data)
        settings = _settings(SearchSettings, path, output_dir, quiet, options)
        if len(settings.latent_dim) > 1:
            raise InputError(
                f"latent_dim must be one size, got {settings.latent_dim}; search for one at a time"
            )
        job = SearchJob.prepare(settings, read, is_on_disk=output_dir is not None)
        run = run_search(job, Python(quiet))
    return _results_of(run)


def fit(
    data: Any,
    *,
    latent_dim: int | str = 3,
    budget: float = 60.0,
    output_dir: str | os.PathLike[str] | None = None,
    quiet: bool = False,
    **options: Any,
) -> SearchResults:
    """Choose stack and recipe for a table within a budget of seconds, and measure the choice once.

    Candidates, PCA itself among them, are judged by folds of the training rows; the best is trained on all of
    them and measured on held-out test rows.

    Args:
        data: The table, as for :func:`search`.
        latent_dim: Size of the latent space; ``"auto"`` tries sizes, and takes the one beyond which more
            latent units stop paying.
        budget: Seconds to search in all; with the same ``output_dir`` those of earlier calls count.
        output_dir: As for :func:`search`.
        quiet: Show no progress bar.
        **options: As on the command line, with the same names and defaults: ``folds``, ``seed``, ``columns``,
            ``group``, ``stratify``, ...; ``autoenc fit --help`` lists them.

    Returns:
        The results: ``leaderboard``, ``best_model()``, ``plot``.

    Raises:
        InputError: If data or options cannot be used; it names every problem.
        Interrupted: On Ctrl-C, with the results so far.

    Example:
        >>> import numpy as np
        >>> table = np.random.default_rng(0).random((60, 5))
        >>> results = fit(table, latent_dim=2, budget=1, folds=2, quiet=True)
        >>> results.best_model().encode(table).shape
        (60, 2)
    """
    with called():
        path, read = given_table(data)
        if not isinstance(data, str | os.PathLike) and not hasattr(data, "columns"):
            options = {
                "encode": False,
                **options,
            }  # arrays hold numbers alone, and give back all their columns
        options = {"latent_dim": latent_dim, "budget": budget, **options}
        settings = _settings(FitSettings, path, output_dir, quiet, options)
        results = []
        for job in prepare_fits(settings, read, is_on_disk=output_dir is not None):
            results.append(_results_of(run_fit(job, Python(quiet))))
    return chosen_size(results)


def tune(
    data: Any,
    *,
    n_trials: int | None = None,
    strategy: str | None = None,
    output_dir: str | os.PathLike[str] | None = None,
    quiet: bool = False,
    **options: Any,
) -> TuneResults:
    """Search adaptively over stacks and recipes: each trial is proposed from the results of earlier ones.

    Args:
        data: The table, as for :func:`search`.
        n_trials: Trials in all, those of an earlier call with the same ``output_dir`` counted; by default 50.
        strategy: How the next trial is chosen: ``grid``, ``random``, ``tpe`` (the default), ``cmaes``,
            ``gp``, ``nsgaii`` or ``resilient``. ``sampler`` is its older name.
        output_dir: As for :func:`search`.
        quiet: Show no progress bar.
        **options: As on the command line, with the same names and defaults: ``families``, ``latent_dim``,
            ``epochs``, ``folds``, ``seeds``, ``hidden_size_range``, ...; ``autoenc tune --help`` lists them.

    Returns:
        The results: ``leaderboard``, ``best_params``, ``best_model()``, ``plot``.

    Raises:
        InputError: If data or options cannot be used; it names every problem.
        Interrupted: On Ctrl-C, with the results so far.

    Example:
        >>> import numpy as np
        >>> table = np.random.default_rng(0).random((60, 5))
        >>> results = tune(table, n_trials=2, strategy="random", latent_dim=2, epochs=2, quiet=True)
        >>> len(results.leaderboard)
        2
        >>> results.best_model().encode(table).shape
        (60, 2)
    """
    with called():
        path, read = given_table(data)
        options = {"n_trials": n_trials, "strategy": strategy, **options}
        settings = _settings(TuneSettings, path, output_dir, quiet, options)
        job = TuneJob.prepare(settings, read, is_on_disk=output_dir is not None)
        with open_tuning(job, Python(quiet)) as opened:
            run = opened.run()
    return _results_of(run)


def transfer(
    data: Any,
    *,
    regression_target: str = "",
    classification_target: str = "",
    labelled: Any = None,
    output_dir: str | os.PathLike[str] | None = None,
    quiet: bool = False,
    **options: Any,
) -> TransferResults:
    """Search for the autoencoder whose encoder is worth most to predictions on labelled rows.

    Args:
        data: The table to learn from, as for :func:`search`.
        regression_target: Column of numbers to predict; at least one of both is needed.
        classification_target: Column of two classes to predict.
        labelled: The table with the labelled rows, where they are not in ``data``.
        output_dir: Folder of the searches, each in a folder of its ``name`` there; see :func:`search`.
        quiet: Show no progress bar.
        **options: As on the command line, with the same names and defaults: ``n_trials``, ``n_cv_folds``,
            ``epochs``, ``stage2_epochs``, ``finalists``, ...; ``autoenc transfer --help`` lists them.

    Returns:
        The results: ``leaderboard``, ``best_params``, ``best_model()`` with heads, ``plot``.

    Raises:
        InputError: If tables or options cannot be used; it names every problem.
        Interrupted: On Ctrl-C, with the results so far.

    Example:
        >>> import numpy as np
        >>> import pandas as pd
        >>> table = pd.DataFrame(np.random.default_rng(0).random((80, 4)), columns=list("abcy"))
        >>> small = {"n_trials": 2, "n_cv_folds": 2, "finalists": 1, "latent_dim_options": 2}
        >>> small |= {"hidden_dims_options": "4", "epochs": 1, "stage2_epochs": 1}
        >>> results = transfer(table, regression_target="y", **small, quiet=True)
        >>> list(results.best_model().predict(table))
        ['y']
    """
    # torch, which every transfer needs and no other search, takes seconds to import.
    from autoenc.two_stage.job import TransferJob
    from autoenc.workflows.transfer import open_transfer

    targets = {"regression_target": regression_target, "classification_target": classification_target}
    with called():
        path, table = given_table(data, [classification_target])
        if labelled is None:
            label_path, read = None, table
        else:
            label_path, read = given_table(labelled, [classification_target])
        if table is not None and options.get("name") is None:
            options = {**options, "name": "data"}  # a frame has no name of its own
        given = {**targets, "labelled_path": label_path, **options}
        settings = _settings(TransferSettings, path, output_dir, quiet, given)
        job = TransferJob.prepare(settings, None, (table, read), is_on_disk=output_dir is not None)
        with open_transfer(job, Python(quiet)) as opened:
            run = opened.run()
    return _results_of(run)


def _results_of(run: Ended[T]) -> T:
    """Return what a search found; raise Interrupted where a signal stopped it."""
    if run.signals.number:
        raise Interrupted(run.results)
    return run.results


def _settings(
    kind: type[S],
    path: str,
    output_dir: str | os.PathLike[str] | None,
    quiet: bool,
    options: dict[str, Any],
) -> S:
    """Return the settings of a call; of options None stands for the default."""
    of_commands = options_that_need(kind, "command line")
    on_disk = options_that_need(kind, "output_dir") if output_dir is None else ()
    problems = [f"{name} is an option of the command line" for name in of_commands if name in options]
    if "data_path" in options:
        problems.append("data_path is the first argument, data")
    problems += [f"{name} needs an output_dir" for name in on_disk if options.get(name)]
    refused = {*of_commands, "data_path", *on_disk}
    given = {name: value for name, value in options.items() if value is not None and name not in refused}
    place = {} if output_dir is None else {"output_dir": os.fspath(output_dir)}
    settings, wrong = parse_settings(kind, {**given, **place, "data_path": path, "quiet": quiet})
    if problems or settings is None:
        raise InputError([*problems, *wrong])
    return settings


def load_results(
    folder: str | os.PathLike[str] | None = None,
    latent_dim: int | None = None,
    data: Any = None,
    *,
    labelled: Any = None,
    storage: str | None = None,
) -> SearchResults | TuneResults | TransferResults:
    """Load the results of an earlier search, of the command line or of a function of this package.

    Args:
        folder: Its output folder; not needed with ``storage``.
        latent_dim: Latent size, if there are searches of several; by default the one that was used last.
        data: The table, if it is no longer where the search read it; needed only for models.
        labelled: Likewise the table with the labelled rows of a transfer-aware search.
        storage: Optuna storage URL of the record, e.g. ``sqlite:///study.db``, if it was given to the search.

    Returns:
        What the search returned: :class:`SearchResults`, :class:`TuneResults` or :class:`TransferResults`.

    Raises:
        InputError: If there is no such search.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> table = np.random.default_rng(0).random((60, 5))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     results = tune(table, n_trials=2, latent_dim=2, epochs=2, output_dir=folder, quiet=True)
        ...     load_results(folder).best_params == results.best_params
        True
    """
    with called():
        return load(None if folder is None else Path(folder), latent_dim, data, labelled, storage)
