"""What a test loss is made of."""

from __future__ import annotations

import numpy as np
import pytest

from autoenc.analysis.baselines import reconstruction_loss
from autoenc.analysis.cells import cells_document, cells_lines
from autoenc.engines import Recipe, Split

NAMES = [f"c{j}" for j in range(12)]


def split_of(rows: np.ndarray) -> Split:
    return Split(rows.astype(np.float32), np.arange(50), np.arange(50, len(rows)))


def found_in(rows: np.ndarray, reconstruction: np.ndarray):
    return cells_document(split_of(rows), reconstruction, Recipe(), NAMES)


def by_definition(split: Split, reconstruction: np.ndarray, recipe: Recipe) -> dict[str, object]:
    """All rows at once, in double precision."""
    target = split.values[split.test]
    observed = ~np.isnan(target)
    nonzero = observed & (target != 0)
    weights = recipe.all_weight * observed / observed.sum() + recipe.nonzero_weight * nonzero / nonzero.sum()
    cells = np.where(observed, target, 0.0).astype(np.float64)
    means = np.nanmean(split.values[split.train].astype(float), 0).astype(np.float32)
    errors, of_mean = (
        weights * np.square(np.where(observed, answers - cells, 0.0)) for answers in (reconstruction, means)
    )
    large = sorted(np.argwhere(errors > 0.1 * errors.sum()).tolist(), key=lambda at: -errors[tuple(at)])
    by_column, total = errors.sum(axis=0), errors.sum()
    return {
        "columns": [
            {"column": NAMES[j], "share": by_column[j] / total}
            for j in np.argsort(-by_column)
            if by_column[j] > 0.1 * total
        ],
        "cells": [
            {
                "row": int(split.test[i]) + 1, "column": NAMES[j], "share": errors[i, j] / total,
                "scaled": target[i, j],
            }
            for i, j in large
        ],
        "n_worse_than_mean": int((by_column > of_mean.sum(axis=0)).sum()),
        "n_columns": len(NAMES),
        "mean_ratio": float(reconstruction[observed].sum(dtype=float) / cells.sum()),
    }  # fmt: skip


@pytest.mark.parametrize("rows_at_once", [1, 7, 8192])
def test_blocks_of_rows_give_the_bits_of_all_rows(rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    rows = rng.random((400, 12)) * rng.integers(0, 2, (400, 12))
    rows[60, 3], rows[rng.random(rows.shape) < 0.1] = 40.0, np.nan
    split = split_of(rows)
    reconstruction = np.nan_to_num(rows[50:] + rng.normal(size=(350, 12)) * 0.05).astype(np.float32)
    reconstruction[10, 3], reconstruction[20, 4] = 9.0, 11.0
    monkeypatch.setattr("autoenc.analysis.cells._ROWS_AT_ONCE", rows_at_once)
    found = cells_document(split, reconstruction, Recipe(), NAMES)
    assert found == by_definition(split, reconstruction, Recipe())
    assert found["cells"]


def test_a_cell_that_decides_is_named_with_row_and_column() -> None:
    rng = np.random.default_rng(0)
    rows = rng.random((80, 12)) + 0.5
    reconstruction = rows[50:] + 0.01 * rng.normal(size=(30, 12))
    reconstruction[7, 4] += 2
    found = found_in(rows, reconstruction)
    (cell,) = found["cells"]
    assert (cell["row"], cell["column"]) == (58, "c4")
    error = np.zeros((30, 12))
    error[7, 4] = (reconstruction - rows[50:].astype(np.float32))[7, 4]
    alone = reconstruction_loss(rows[50:].astype(np.float32) + error, rows[50:].astype(np.float32), Recipe())
    loss = reconstruction_loss(reconstruction, rows[50:].astype(np.float32), Recipe())
    assert cell["share"] == pytest.approx(alone / loss)
    assert [part["column"] for part in found["columns"]] == ["c4"]
    lines = "\n".join(cells_lines(found))
    assert "row 58 column 'c4'" in lines
    assert cell["scaled"] == np.float32(rows[57, 4])
    assert cells_lines(found, "; a remedy") == cells_lines(found)
    cell["scaled"] = -11.0
    assert cells_lines(found, "; a remedy")[0].endswith("(-11 when scaled); a remedy")


def test_shares_of_columns_count_every_cell_as_the_loss_does() -> None:
    rng = np.random.default_rng(1)
    rows = np.where(rng.random((80, 12)) < 0.5, 0, rng.random((80, 12)))
    rows[rng.random((80, 12)) < 0.1] = np.nan
    reconstruction = rng.random((30, 12))
    reconstruction[:, 0] += 5
    found = found_in(rows, reconstruction)
    (first, *_) = found["columns"]
    target = rows[50:].astype(np.float32)
    without = np.where(np.arange(12) == 0, np.nan_to_num(target), reconstruction)
    share = 1 - reconstruction_loss(without, target, Recipe()) / reconstruction_loss(
        reconstruction, target, Recipe()
    )
    assert first["column"] == "c0"
    assert first["share"] == pytest.approx(share)


def test_columns_known_less_well_than_their_mean_are_counted() -> None:
    rows = np.random.default_rng(2).random((80, 12))
    reconstruction = rows[50:].copy()
    reconstruction[:, :3] += 1
    found = found_in(rows, reconstruction)
    assert (found["n_worse_than_mean"], found["n_columns"]) == (3, 12)
    assert any("3 of 12 columns" in line for line in cells_lines(found))


@pytest.mark.parametrize(("factor", "is_told"), [(1.0, False), (0.85, False), (4.8, True), (0.5, True)])
def test_the_level_is_told_where_it_is_off(factor, is_told) -> None:
    rows = np.random.default_rng(3).random((80, 12))
    found = found_in(rows, factor * rows[50:])
    assert found["mean_ratio"] == pytest.approx(factor, rel=1e-5) or factor == 1
    assert any(line.startswith("mean level") for line in cells_lines(found)) == is_told


def test_no_level_is_told_of_columns_with_negative_cells() -> None:
    rows = np.random.default_rng(3).normal(size=(80, 12))
    assert found_in(rows, 3 * rows[50:])["mean_ratio"] is None


def test_a_perfect_reconstruction_and_unobserved_rows_say_nothing() -> None:
    rows = np.random.default_rng(3).random((80, 12)).astype(np.float32)
    assert cells_lines(found_in(rows, rows[50:])) == []
    rows[50:] = np.nan
    assert cells_lines(found_in(rows, np.ones((30, 12)))) == []


def test_columns_worse_than_their_mean_are_those_of_a_negative_explained_variance() -> None:
    rows = np.random.default_rng(1).random((80, 12))
    document = found_in(rows, rows[50:]) | {"columns": []}
    shares = dict(zip(NAMES, [-1.2, -0.01, 0.0, *[0.5] * 8, None], strict=True))
    lines = cells_lines(document | {"n_worse_than_mean": 7, "explained_by_column": shares})
    assert lines[0].split(maxsplit=2)[2] == "2 of 11 columns are reconstructed worse than by their mean"
    assert "'c0' -120 %, 'c1' -1 %, 'c2' 0 % explained" in lines[1]
    (old,) = cells_lines(document | {"n_worse_than_mean": 7})
    assert "7 of 12 columns" in old
