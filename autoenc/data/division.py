"""Which rows train and which test: one holdout, and folds inside its training rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoenc.data.divisible import folds_problem, holdout_problem, rare_class
from autoenc.data.labels import separate_groups
from autoenc.data.scaling import left_out_mark, scaling_warnings
from autoenc.data.table import TEST_SHARE, Scaling, ScalingKind, Table
from autoenc.engines import Split
from autoenc.errors import InputError
from autoenc.system.text import warn

__all__ = ["HOLDOUT", "Division", "fold_names", "split_table"]

HOLDOUT = "holdout"
N_KEPT = 32
"""Scaled copies of a table that are kept."""
Rows = tuple[NDArray[np.int64], NDArray[np.int64]]


def fold_names(n_folds: int) -> list[str]:
    """What the folds are called: ``1/5``, ``2/5``, ..."""
    return [f"{k}/{n_folds}" for k in range(1, n_folds + 1)]


class Division:
    """The rows of a table, divided by scikit-learn's splitters.

    A fold never sees the test rows of the holdout, and every split is scaled by its own training rows.

    Args:
        table: The table; with the columns ``stratify`` and ``group`` among its labels.
        scaling_kind: How columns are scaled.
        seed: Of the shuffles.
        stratify: Label whose shares every part keeps.
        group: Label whose rows stay together on one side.
        folds: How many folds were asked for by ``--folds``; a fold of another number is one fifth of the
            training rows, which nobody asked for by that name.

    Raises:
        InputError: If there are too few rows, classes or groups, or a side has no observed cell.
    """

    def __init__(
        self,
        table: Table,
        scaling_kind: ScalingKind,
        seed: int,
        stratify: str | None = None,
        group: str | None = None,
        folds: int = 0,
    ) -> None:
        self.table, self.seed = table, seed
        self._scaling_kind = scaling_kind
        self._classes = None if stratify is None else table.labels[stratify]
        self._groups = None if group is None else separate_groups(table.labels[group])
        self._names = {"stratify": stratify, "group": group}
        self._n_asked, self._told_rare = folds, False
        if len(table.values) < 2:
            raise InputError(
                f"{table.path}: has {len(table.values)} row, but a train/test split needs at least 2"
            )
        self.train, self.test = self._checked(self._holdout, "the train/test split")
        self._scalings: dict[str, tuple[Scaling, int]] = {}
        self._with_key: dict[bytes, Scaling] = {}
        # Splits of a large table are large: the last few are kept, and shared by folds of one scaling.
        self._split = lru_cache(maxsize=N_KEPT)(self._make)
        self._values = lru_cache(maxsize=N_KEPT)(self._scaled)

    def split(self, fold: str = HOLDOUT) -> Split:
        """The scaled data of a fold.

        Raises:
            InputError: If a side has no observed cell, or none in a column that can be scaled.
        """
        return self._split(fold)

    def scaling(self, fold: str = HOLDOUT) -> Scaling:
        """The scaling that a fold's training rows gave."""
        return self._fitted(fold)[0]

    def _fitted(self, fold: str) -> tuple[Scaling, int]:
        """A fold's scaling, and of how many rows."""
        if fold not in self._scalings:
            train, _ = self.rows(fold)
            self._scalings[fold] = Scaling.fit(self._scaling_kind, self.table.values, train), train.size
        return self._scalings[fold]

    def left_out_mark(self, folds: Iterable[str]) -> str:
        """What the identity of fits on these folds says about columns without a scale; mostly nothing."""
        return left_out_mark({fold: self._fitted(fold) for fold in folds}, [self.table.values])

    def warnings(self, folds: Iterable[str]) -> list[str]:
        """Name the columns that are left out of the loss of these folds."""
        table, scalings = self.table, {fold: self.scaling(fold) for fold in folds}
        return scaling_warnings(table.columns, table.varying, scalings, [table.values])

    def n_scaled_tables(self, folds: Iterable[str]) -> int:
        """How many scaled copies of the table are kept when all these folds are used."""
        return min(len({self.scaling(fold).key for fold in folds}), N_KEPT)

    def _make(self, fold: str) -> Split:
        scaling = self.scaling(fold)
        self._with_key[scaling.key] = scaling
        split = Split(self._values(scaling.key), *self.rows(fold))
        sides = (("training", split.train), ("test", split.test))
        for name, rows in sides:
            if np.isnan(self.table.values[rows]).all():
                raise InputError(f"{self.table.path}: all cells of the {rows.size} {name} rows are missing")
        for name, rows in sides:
            without = scaling.without_information.all() or np.isnan(split.values[rows]).all()
            if without and self.table.varying.any():
                raise InputError(
                    f"{self.table.path}: no column with a cell in the {rows.size} {name} rows varies in the "
                    f"{split.train.size} training rows; --scaling {self._scaling_kind} has nothing to go by"
                )
        return split

    def _scaled(self, key: bytes) -> NDArray[np.float32]:
        values = self._with_key[key].apply(self.table.values)
        for j in range(values.shape[1]):
            beyond = np.flatnonzero(np.isinf(values[:, j]))
            if beyond.size:
                row, table = int(beyond[0]), self.table
                raise InputError(
                    f"{table.path}: row {row + 1}, column {table.columns[j]!r}: {table.values[row, j]:g} is "
                    f"infinite in single precision after --scaling {self._scaling_kind}"
                )
        return values

    def rows(self, fold: str) -> Rows:
        """Training and test rows of a fold, in ascending order."""
        if fold == HOLDOUT:
            return self.train, self.test
        index, _, count = fold.partition("/")
        asked = int(count) == self._n_asked
        fifth = f"the first of {count} folds of the training rows, which is to judge"
        what = f"--folds {count}" if asked else fifth
        folds: list[Rows] = self._checked(lambda: self._folds(int(count)), what)
        return folds[int(index) - 1]

    def _checked(self, divide: Any, what: str) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "The least populated class")  # told in our words
                return divide()
        except ValueError as error:
            by = ", ".join(f"--{key} {name}" for key, name in self._names.items() if name)
            raise InputError(f"{self.table.path}: {what}{' with ' + by if by else ''}: {error}") from None

    def _holdout(self) -> Rows:
        from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, train_test_split

        rows = np.arange(len(self.table.values))
        _refuse(holdout_problem(rows.size, TEST_SHARE, self._classes, self._groups))
        if self._groups is not None and self._classes is not None:
            splitter = StratifiedGroupKFold(round(1 / TEST_SHARE), shuffle=True, random_state=self.seed)
            train, test = next(splitter.split(rows, self._classes, self._groups))
        elif self._groups is not None:
            splitter = GroupShuffleSplit(1, test_size=TEST_SHARE, random_state=self.seed)
            train, test = next(splitter.split(rows, groups=self._groups))
        else:
            train, test = train_test_split(
                rows, test_size=TEST_SHARE, random_state=self.seed, stratify=self._classes
            )
        return np.sort(train), np.sort(test)

    def _folds(self, n_folds: int) -> list[Rows]:
        from sklearn import model_selection

        classes = None if self._classes is None else self._classes[self.train]
        groups = None if self._groups is None else self._groups[self.train]
        _refuse(folds_problem(n_folds, self.train.size, classes, groups))
        self._tell_rare(rare_class(n_folds, classes))
        name = f"{'Stratified' if classes is not None else ''}{'Group' if groups is not None else ''}KFold"
        splitter = getattr(model_selection, name)(n_folds, shuffle=True, random_state=self.seed)
        found = splitter.split(np.zeros(self.train.size), classes, groups)
        return [(self.train[train], self.train[test]) for train, test in found]

    def _tell_rare(self, told: str | None) -> None:
        if told is not None and not self._told_rare:
            self._told_rare = True
            warn(f"warning: {self.table.path}: --stratify {self._names['stratify']}: {told}")


def _refuse(problem: str | None) -> None:
    if problem is not None:
        raise ValueError(problem)


def split_table(table: Table, scaling_kind: ScalingKind, seed: int) -> tuple[Split, Scaling]:
    """The plain holdout, 80/20, with its scaling; raises as :class:`Division` does."""
    division = Division(table, scaling_kind, seed)
    return division.split(), division.scaling()
