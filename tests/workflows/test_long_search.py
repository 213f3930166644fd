"""A search of a long table: in how much memory, and to the bits of a table that is kept as an array."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import autoenc
from autoenc.data import compact

N_ROWS, N_COLUMNS = 250_000, 24
TABLE_BYTES = 4 * N_ROWS * N_COLUMNS
"""A copy of the table in single precision, in which peaks are counted."""
OPTIONS: dict[str, Any] = {
    "hidden_dims_search": "8", "max_layers": 1, "latent_dim": 3, "epochs": 1, "batch_size": 256,
    "quiet": True,
}  # fmt: skip
Prepare = Callable[[Path], object]


def make_frame(n_rows: int, decimals: int | None) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    cells = rng.random((n_rows, 3)) @ rng.random((3, N_COLUMNS))
    cells = cells if decimals is None else cells.round(decimals)
    cells[rng.random(cells.shape) < 0.2] = 0
    return pd.DataFrame(cells, columns=[f"c{j}" for j in range(N_COLUMNS)])


def as_csv(decimals: int | None) -> Prepare:
    def written(folder: Path) -> Path:
        path = folder / "long.csv"
        make_frame(N_ROWS, decimals).to_csv(path, index=False)
        return path

    return written


def as_parquet(folder: Path) -> Path:
    pytest.importorskip("pyarrow")
    path = folder / "long.parquet"
    make_frame(N_ROWS, 3).to_parquet(path)
    return path


@pytest.mark.parametrize(("most", "prepare"), [
    (3.0, as_csv(3)), (3.8, as_csv(None)), (2.4, as_parquet), (2.4, lambda _: make_frame(N_ROWS, 3)),
], ids=["CSV", "CSV of full precision", "Parquet", "frame"])  # fmt: skip
def test_a_search_takes_few_copies_of_its_table(most: float, prepare: Prepare, tmp_path: Path) -> None:
    autoenc.search(make_frame(1000, 3), output_dir=tmp_path / "first", **OPTIONS)  # imports all that it needs
    data = prepare(tmp_path)
    tracemalloc.start()
    try:
        results = autoenc.search(data, output_dir=tmp_path / "out", **OPTIONS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(results.ranked) == 1
    assert peak < most * TABLE_BYTES


def found(data: pd.DataFrame | Path, **options: Any) -> Any:
    """All that a search finds but for times."""
    results = autoenc.search(data, **{**OPTIONS, **options})
    losses = {fit: (outcome.train_losses, outcome.test_losses) for fit, outcome in results.outcomes.items()}
    note = {name: results.search[name] for name in ("baselines", "cells", "fingerprint")}
    model = results.best_model()
    return losses, note, model.encode(data).to_numpy().tolist()


@pytest.mark.filterwarnings("ignore:.*constant")
@pytest.mark.parametrize("options", [
    {"scaling": "standard"}, {"scaling": "auto"}, {"folds": 2, "scaling": "robust"}, {"refit": "all"},
], ids=str)  # fmt: skip
def test_a_long_table_gives_the_same_bits(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    frame = make_frame(2000, 2).assign(full=np.random.default_rng(1).normal(size=2000), constant=1.5)
    frame = frame.mask(np.random.default_rng(2).random(frame.shape) < 0.05)
    expected = found(frame, **options)
    monkeypatch.setattr(compact, "_FEWEST_ROWS", 1)
    monkeypatch.setattr(compact, "_FEWEST_CELLS", 1)
    assert found(frame, **options) == expected
