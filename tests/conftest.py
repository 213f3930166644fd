"""Fixtures that many tests share: small tables, and the command line called in this process."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import hypothesis
import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]

# Records are flushed to the disk at every step. What the tests end are processes, whose files a memory file
# system keeps as a disk does, so that they need not wait for one.
_MEMORY, _LEAST_FREE_BYTES = "/dev/shm", 4 * 2**30
if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _LEAST_FREE_BYTES:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _MEMORY)

hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=30)
hypothesis.settings.load_profile("suite")


class Answer(NamedTuple):
    """What a command said."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def _databases_are_closed():
    """Close what tests open by Optuna's own storage, which leaves its connections open; Python 3.13 warns."""
    from optuna.storages import RDBStorage

    begin = RDBStorage.__init__

    def opened(self: RDBStorage, *given: object, **options: object) -> None:
        begin(self, *given, **options)
        if type(self) is RDBStorage:  # the program's own has to see to that itself
            weakref.finalize(self, self.engine.dispose).atexit = False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RDBStorage, "__init__", opened)
        yield


@pytest.fixture(scope="session")
def compiled_engine():
    """The native engine with its kernels compiled, so that no background thread has to do it."""
    from autoenc.engines.native import NativeEngine

    engine = NativeEngine()
    engine.prepare()
    return engine


@pytest.fixture(scope="session")
def call(compiled_engine) -> Callable[..., Answer]:
    """The command line in this process: arguments in, exit code and text out."""
    from autoenc.cli import main

    def called(*arguments: object) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main([str(argument) for argument in arguments])
            except SystemExit as stop:
                code = stop.code
        return Answer(code, out.getvalue(), err.getvalue())

    return called


def sparse_values(n_rows: int, n_columns: int, zeros: float, missing: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.random((n_rows, n_columns)).astype(np.float32)
    values[rng.random(values.shape) < zeros] = 0
    values[rng.random(values.shape) < missing] = np.nan
    return values


@pytest.fixture(scope="session")
def make_split():
    """Makes a split of a table of random numbers with many zeros and some missing cells."""
    from autoenc.engines import Split

    def make(n_rows=43, n_columns=6, zeros=0.5, missing=0.05, seed=0, train_share=0.8):
        values = sparse_values(n_rows, n_columns, zeros, missing, seed)
        n_train = min(max(round(n_rows * train_share), 1), n_rows - 1)
        order = np.random.default_rng(seed + 1).permutation(n_rows)
        return Split(values, np.sort(order[:n_train]), np.sort(order[n_train:]))

    return make


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """60 rows of 6 columns with zeros and missing cells."""
    values = sparse_values(60, 6, zeros=0.5, missing=0.05, seed=5).astype(np.float64).round(4)
    return pd.DataFrame(values, columns=["north", "east", "south", "west", "up", "down"])


@pytest.fixture(scope="session")
def table_csv(frame, tmp_path_factory) -> Path:
    """That frame as a CSV file; not to be changed."""
    path = tmp_path_factory.mktemp("table") / "table.csv"
    frame.to_csv(path, index=False)
    return path
