"""Long tables: taken in blocks, to the bits of all rows at once, and never copied more often than needed."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg  # noqa: F401  (its modules are no memory of a table)
import threadpoolctl  # noqa: F401
from numpy.typing import NDArray

from autoenc.analysis.baselines import baseline_losses, pca_explained
from autoenc.data import division
from autoenc.data.compact import Compact, in_fewest_bytes
from autoenc.data.division import Division, fold_names
from autoenc.data.table import Table
from autoenc.engines import Recipe, Split, explained, pca_start, split
from autoenc.engines.explained import explained_by_column
from autoenc.engines.pca_start import column_means, filled_rows
from autoenc.engines.recipe import ScalingKind

SHAPES = ((300, 1), (301, 2), (257, 7), (40, 90), (5, 3))


def make_split(shape: tuple[int, int], missing: float, is_fold: bool = False) -> Split:
    """A split of cells of all sizes, some missing, with a constant and an unobserved column."""
    rng = np.random.default_rng(shape[0])
    values = (rng.standard_normal(shape) * 10.0 ** rng.integers(-4, 5, shape)).astype(np.float32)
    values[rng.random(shape) < missing] = np.nan
    if shape[1] > 2:
        values[:, 0], values[:, 1] = 3.5, np.nan
    rows = rng.permutation(shape[0])
    cut = shape[0] * 4 // 5
    return Split(values, np.sort(rows[:cut]), np.sort(rows[cut:]), is_fold=is_fold)


@pytest.fixture(params=[16, 2**20], ids=["many blocks", "one block"])
def cells_at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (split, "_CELLS_AT_ONCE"), (pca_start, "_CELLS_AT_ONCE"), (explained, "_CELLS_IN_DOUBLE"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, request.param)


@pytest.mark.usefixtures("cells_at_once")
@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("shape", SHAPES)
class TestSameBits:
    def test_column_means(self, shape: tuple[int, int], missing: float) -> None:
        split = make_split(shape, missing)
        train = split.values[split.train]
        counts = np.maximum((~np.isnan(train)).sum(axis=0), 1)
        expected = (np.nansum(train, axis=0, dtype=np.float64) / counts).astype(np.float32)
        assert np.array_equal(column_means(split.values, split.train), expected)
        assert np.array_equal(column_means(train), expected)

    def test_filled_rows(self, shape: tuple[int, int], missing: float) -> None:
        split = make_split(shape, missing)
        train = split.values[split.train]
        means = column_means(train)
        filled = filled_rows(split.values, split.train, means)
        assert np.array_equal(filled, np.where(np.isnan(train), means, train))

    @pytest.mark.parametrize("is_fold", [False, True])
    def test_deviations(self, shape: tuple[int, int], missing: float, is_fold: bool) -> None:
        split = make_split(shape, missing, is_fold)
        for ours, expected in zip(split.deviations, _deviations_by_column(split), strict=True):
            assert np.array_equal(ours, expected)

    def test_squared_errors(self, shape: tuple[int, int], missing: float) -> None:
        split = make_split(shape, missing)
        answers = np.full(split.values.shape, 0.25, np.float32)
        errors = np.nansum(
            np.square(answers[split.test].astype(np.float64) - split.target(split.test)), axis=0
        )
        _, total, is_judged = split.deviations
        shares = explained_by_column(split, lambda rows: answers[rows])
        judged = is_judged & ~split.is_left_out
        assert np.array_equal(shares[judged], (total - errors)[judged] / total[judged])


def _deviations_by_column(split: Split) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """The definition, a column at a time."""
    n_columns = split.values.shape[1]
    mean, total = np.zeros(n_columns), np.zeros(n_columns)
    for j in range(n_columns):
        train, test = (split.values[rows, j].astype(np.float64) for rows in (split.train, split.test))
        train, test = train[~np.isnan(train)], test[~np.isnan(test)]
        if train.size and test.size and train.max() > train.min():
            mean[j] = train.mean()
            total[j] = np.square(test - mean[j]).sum()
            if split.is_fold:
                of_train = np.square(train - mean[j]).sum()
                total[j] = (total[j] + of_train) * (test.size / (train.size + test.size))
    return mean, total, total > 0


def peak_of(task: Callable[[], object]) -> int:
    """Bytes that a task allocates at most beyond what there was."""
    tracemalloc.start()
    try:
        task()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class TestMemory:
    """Peaks in copies of the scaled table, ``[rows, columns]`` in single precision."""

    table = Table(np.random.default_rng(0).random((100_000, 24)), [f"c{j}" for j in range(24)], "long")
    table_bytes = table.values.size * 4

    @pytest.mark.parametrize(("most", "task"), [
        (0.3, lambda split: split.deviations),
        (0.7, lambda split: column_means(split.values, split.train)),
        (1.4, lambda split: baseline_losses(split, 3, Recipe())),
        (1.2, lambda split: pca_explained(split, 3)),
    ], ids=["deviations", "column means", "baselines", "explained by PCA"])  # fmt: skip
    def test_of_a_split(self, most: float, task: Callable[[Split], object]) -> None:
        rows = np.arange(len(self.table.values))
        split = Split(self.table.values.astype(np.float32), rows[20_000:], rows[:20_000])
        assert peak_of(lambda: task(split)) < most * self.table_bytes

    few_decimals = Table(
        Compact([in_fewest_bytes(column.round(3)) for column in table.values.T]), table.columns, "long"
    )

    @pytest.mark.parametrize("table", [table, few_decimals], ids=["array", "fewer bytes"])
    @pytest.mark.parametrize("kind", ["maxabs", "standard"])
    def test_of_a_division(self, kind: ScalingKind, table: Table) -> None:
        # The scaled table itself, row numbers, and no copy of the rows in double precision.
        assert peak_of(Division(table, kind, 42).split) < 1.4 * self.table_bytes
        # Measures keep no scaled table; PCA needs the training rows.
        standardized = Division(table, kind, 42).standardized
        assert peak_of(lambda: pca_explained(standardized(), 3)) < 1.3 * self.table_bytes
        passing = Division(table, kind, 42).passing
        assert peak_of(lambda: baseline_losses(passing(), 3, Recipe())) < 1.4 * self.table_bytes

    def test_scaled_tables_of_few_folds_are_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(division, "_MOST_CELLS_KEPT", 2 * self.table.values.size)
        folds = Division(self.table, "standard", 42)
        assert (
            peak_of(lambda: [folds.split(fold) and None for fold in fold_names(6)]) < 3.6 * self.table_bytes
        )
        assert folds.n_scaled_tables(fold_names(6)) == 2
        assert folds.n_scaled_tables(fold_names(6), n_in_use=64) == 6, "in training at once"
