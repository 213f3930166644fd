"""What every training command needs before it can start: an engine, a folder, a table."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from autoenc.data import TEST_SHARE, Table, label_fingerprint, load_table
from autoenc.division import Division
from autoenc.engines import Engine, make_engine
from autoenc.errors import InputError
from autoenc.identity import Context
from autoenc.paths import check_folder, refuse_own_table
from autoenc.search.connect import connect
from autoenc.search.fits import FitExecutor
from autoenc.settings import TrainingSettings
from autoenc.text import warn

__all__ = ["context_of", "open_cluster", "prepare_inputs", "warn_about"]


def prepare_inputs(settings: TrainingSettings, folder: Path | None) -> tuple[Engine, Table]:
    """Find the engine, see that the folder can be written, load the table.

    Args:
        settings: The options.
        folder: Where results will go; None where nothing will be written.

    Raises:
        InputError: With everything that is wrong about them.
    """
    problems: list[str] = []
    engine = table = None
    try:
        engine = make_engine(settings.engine, settings.device)
        # Compiling, the first time, goes on while the table is read.
        threading.Thread(target=engine.prepare, daemon=True).start()
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
        table = load_table(settings.data_path, settings.columns, labels)
    except InputError as error:
        problems += error.problems
    if problems or engine is None or table is None:
        raise InputError(problems)
    return engine, table


def context_of(
    settings: TrainingSettings, table: Table, latent_dim: int, division: Division, folds: Iterable[str]
) -> Context:
    """What all fits of a search on these folds share.

    Raises:
        InputError: If the rows cannot be divided into them.
    """
    parts = {"stratify": settings.stratify, "group": settings.group}
    depends_on = {key: label_fingerprint(table.labels[name]) for key, name in parts.items() if name}
    if mark := division.left_out_mark(folds):
        depends_on["left_out"] = mark
    return Context(
        table.fingerprint, tuple(table.columns), settings.scaling, settings.seed, TEST_SHARE,
        json.dumps(depends_on, sort_keys=True), latent_dim,
    )  # fmt: skip


def warn_about(division: Division, folds: Iterable[str], latent_dim: int) -> None:
    """Print what was left out of the table or the loss, or looks odd."""
    table = division.table
    for warning in [*table.warnings, *division.warnings(folds)]:
        warn(f"warning: {table.path}: {warning}")
    n_columns = len(table.columns)
    if latent_dim >= n_columns:
        warn(
            f"warning: latent size {latent_dim} is not below the {n_columns} columns: "
            "nothing has to be compressed"
        )


def open_cluster(
    stack: ExitStack, scheduler: str | None, engine: Engine, division: Division
) -> FitExecutor | None:
    """The Dask cluster of a scheduler, left when the stack is closed; None without one.

    Raises:
        InputError: If it cannot be used.
    """
    if scheduler is None:
        return None
    cluster = connect(scheduler, engine, division.split)
    stack.callback(cluster.close)
    if not cluster.n_threads():
        warn(f"warning: {cluster.address} has no workers yet; waiting for some")
    return cluster
