"""Inputs of every training command: an engine, a folder, a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from autoenc.data.arrow_table import give_back_memory
from autoenc.data.division import HOLDOUT, Division
from autoenc.data.labels import label_warnings, separate_groups
from autoenc.data.read import ReadTable, read_table, with_markers
from autoenc.data.recognition import read_mixed
from autoenc.data.table import TEST_SHARE, Table, label_fingerprint, table_of
from autoenc.engines import Engine, make_engine
from autoenc.errors import InputError
from autoenc.record.identity import Context
from autoenc.record.storage import journal_path
from autoenc.searching.connect import connect
from autoenc.searching.loop import Executor, O, U
from autoenc.searching.ready import prepare_ahead
from autoenc.searching.remote import Remote
from autoenc.searching.trials import Measure
from autoenc.settings import TrainingSettings
from autoenc.settings.base import available_cores
from autoenc.system.paths import check_folder, refuse_own_table
from autoenc.system.text import warn

__all__ = ["context_of", "open_cluster", "prepare_inputs", "sign_warnings", "table_warnings"]


def prepare_inputs(
    settings: TrainingSettings, folder: Path | None, read: ReadTable | None = None
) -> tuple[Engine, Table]:
    """Find the engine, see that the folder can be written, load the table.

    Args:
        settings: The options.
        folder: Where results will go; None where nothing will be written.
        read: The table, where it is not to be read from ``settings.data_path``.

    Raises:
        InputError: With everything that is wrong about them.
    """
    problems: list[str] = []
    engine = table = None
    try:
        n_cores = min(settings.jobs, available_cores())
        engine = make_engine(settings.engine, settings.device, n_cores=n_cores)
        if engine.name == "stacked" and engine.device == "cpu":
            warn("warning: --engine stacked is slower than native on a CPU; it is made for a GPU")
        # Compiling, the first time, goes on while the table is read; not where all may be recorded.
        if folder is None or not journal_path(folder).exists():
            prepare_ahead(engine)
    except InputError as error:
        problems += error.problems
    try:
        if folder is not None:
            refuse_own_table(settings.data_path, folder)
            check_folder(folder)
    except InputError as error:
        problems += error.problems
    try:
        labels = [name for name in (settings.stratify, settings.group) if name]
        if read is None:
            read = read_table(settings.data_path, labels, settings.na_values, settings.dialect)
        else:
            read = with_markers(read, labels, settings.na_values)
        n_categories = settings.max_categories if settings.encode else 0
        if n_categories:
            read = read_mixed(read, settings.data_path, labels)
        table = table_of(read, settings.columns, labels, settings.exclude, n_categories)
        table.warnings.extend(label_warnings(table.labels, settings.stratify, settings.group))
        if read.is_arrow:
            read = None
            give_back_memory()
    except InputError as error:
        problems += error.problems
    if problems or engine is None or table is None:
        raise InputError(problems)
    return engine, table


def context_of(
    settings: TrainingSettings, scaling: str, table: Table, latent_dim: int, division: Division,
    folds: Iterable[str], measure: Measure = "loss",
) -> Context:  # fmt: skip
    """Return what all fits of a search on these folds share.

    Args:
        settings: The options.
        scaling: The kind of scaling; ``recipe`` where each fit's recipe names its own.
        table: The table.
        latent_dim: Size of the latent space.
        division: Of the table.
        folds: The splits that are trained on.
        measure: What trials are compared by.

    Raises:
        InputError: If the rows cannot be divided into them.
    """
    depends_on = {}
    if settings.stratify:
        depends_on["stratify"] = label_fingerprint(table.labels[settings.stratify])
    if settings.group:
        depends_on["group"] = label_fingerprint(separate_groups(table.labels[settings.group]))
    if table.encoding is not None:
        depends_on["encode"] = table.encoding.mark
    # Of scalings that recipes name no earlier version has records.
    if scaling != "recipe" and (mark := division.left_out_mark(folds)):
        depends_on["left_out"] = mark
    if measure == "explained" and any(fold != HOLDOUT for fold in folds):
        depends_on["deviations"] = "of all rows of the folds"  # earlier versions took those of each fold
    return Context(
        table.fingerprint, tuple(table.columns), scaling, settings.seed, TEST_SHARE,
        json.dumps(depends_on, sort_keys=True), latent_dim,
    )  # fmt: skip


def sign_warnings(table: Table, norms: Sequence[str], option: str) -> list[str]:
    """Warn of what a normalization of rows leaves of one column or two, if that is all that will be tried.

    Args:
        table: The table.
        norms: The normalizations that will be tried.
        option: The one that names them.
    """
    n_columns = len(table.columns)
    if n_columns > 2 or "none" in norms:
        return []
    leaves = "nothing" if n_columns == 1 else "only a sign, which of its two cells is larger"
    return [f"--{option} layer leaves of each row {leaves}; give --{option} none"]


def table_warnings(
    division: Division,
    folds: Iterable[str],
    latent_dim: int,
    norms: Sequence[str],
    norm_option: str = "norm",
    scalings: Sequence[str] = ("",),
) -> list[str]:
    """Return what was left out of the table or the loss, or looks odd; a sentence each.

    Args:
        division: Of the table.
        folds: That will be trained on.
        latent_dim: Size of the latent space.
        norms: The normalizations that will be tried.
        norm_option: The option that names them.
        scalings: The kinds of scaling that will be tried, where that is not the division's own alone.
    """
    table = division.table
    signs = sign_warnings(table, norms, norm_option)
    warnings = [
        f"{table.path}: {text}" for text in [*table.warnings, *division.warnings(folds, scalings), *signs]
    ]
    n_columns = len(table.columns)
    if latent_dim >= n_columns:
        warnings.append(
            f"latent size {latent_dim} is not below the {n_columns} columns: nothing has to be compressed"
        )
    return warnings


def open_cluster(
    stack: ExitStack, scheduler: str | None, remote: Callable[[], Remote[U, O]]
) -> Executor[U, O] | None:
    """Return the Dask cluster of a scheduler, left when the stack is closed; None without one.

    Args:
        stack: Of what is left.
        scheduler: Its address.
        remote: Says how units are measured there.

    Raises:
        InputError: If it cannot be used.
    """
    if scheduler is None:
        return None
    cluster = connect(scheduler, remote())
    stack.callback(cluster.close)
    if not cluster.n_threads():
        warn(f"warning: {cluster.address} has no workers yet; waiting for some")
    return cluster
