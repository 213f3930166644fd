"""Division of rows into training and test rows: one holdout, and folds inside its training rows."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import ceil
from typing import cast

import numpy as np
from numpy.typing import NDArray

from autoenc.data.compact import Cells, worth_compacting
from autoenc.data.divisible import Labels, folds_problem, holdout_problem, rare_class
from autoenc.data.labels import separate_groups
from autoenc.data.last_used import LastUsed
from autoenc.data.scaled_on_use import ScaledOnUse
from autoenc.data.scaling import left_out_mark, scaling_warnings
from autoenc.data.table import TEST_SHARE, Scaling, ScalingKind, Table
from autoenc.engines import Fit, Split
from autoenc.engines.split import Origin, RowsOfCells
from autoenc.errors import InputError
from autoenc.system.text import warn

__all__ = [
    "ALL", "HOLDOUT", "Division", "Rows", "divide_folds", "divide_holdout", "dividing", "fold_names",
    "repeat_seed", "scaled_split", "split_table",
]  # fmt: skip

HOLDOUT = "holdout"
ALL = "all"
"""A split that trains on all rows, those that tested among them."""
N_KEPT, _MOST_CELLS_KEPT = 32, 2**26
"""Scaled copies of a table that are kept, and of a large one their cells: fewer, but one at least."""
Rows = NDArray[np.int64]
_ROWS_AT_ONCE = 4096


def divide_holdout(rows: Rows, seed: int, classes: Labels = None, groups: Labels = None) -> tuple[Rows, Rows]:
    """Divide rows into training and test rows, both in ascending order.

    Args:
        rows: Row numbers, ``[rows]``.
        seed: Of the shuffle.
        classes: Of each of these rows, ``[rows]``; both parts keep their shares.
        groups: Of each of these rows, ``[rows]``; the rows of one stay together.

    Raises:
        ValueError: If there are too few rows, classes or groups.
    """
    _refuse(holdout_problem(rows.size, TEST_SHARE, classes, groups))
    if (
        classes is None and groups is None
    ):  # scikit-learn's own division; its import takes longer than all fits
        shuffled, n_test = np.random.RandomState(seed).permutation(rows), ceil(TEST_SHARE * rows.size)
        return np.sort(shuffled[n_test:]), np.sort(shuffled[:n_test])
    from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, train_test_split

    if groups is None:
        train, test = train_test_split(rows, test_size=TEST_SHARE, random_state=seed, stratify=classes)
        return np.sort(train), np.sort(test)
    if classes is not None:
        splitter = StratifiedGroupKFold(round(1 / TEST_SHARE), shuffle=True, random_state=seed)
        train, test = next(splitter.split(rows, classes, groups))
    else:
        splitter = GroupShuffleSplit(1, test_size=TEST_SHARE, random_state=seed)
        train, test = next(splitter.split(rows, groups=groups))
    return np.sort(rows[train]), np.sort(rows[test])


def divide_folds(
    rows: Rows, n_folds: int, seed: int, classes: Labels = None, groups: Labels = None
) -> list[tuple[Rows, Rows]]:
    """Divide rows into folds: the training and the test rows of each; see :func:`divide_holdout`."""
    _refuse(folds_problem(n_folds, rows.size, classes, groups))
    if classes is None and groups is None:
        shuffled = np.random.RandomState(seed).permutation(rows.size)
        tests = [np.sort(part) for part in np.array_split(shuffled, n_folds)]
        return [(np.delete(rows, test), rows[test]) for test in tests]
    from sklearn import model_selection

    name = f"{'Stratified' if classes is not None else ''}{'Group' if groups is not None else ''}KFold"
    splitter = getattr(model_selection, name)(n_folds, shuffle=True, random_state=seed)
    pairs = splitter.split(np.zeros(rows.size), classes, groups)
    return [(rows[train], rows[test]) for train, test in pairs]


@contextmanager
def dividing(path: str, what: str, by: Mapping[str, str | None]) -> Iterator[None]:
    """Say of rows that cannot be divided whose they are, and by which options.

    Args:
        path: Of the table.
        what: What they are divided into.
        by: Columns that say how, by the options that name them.

    Raises:
        InputError: In place of a ValueError.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class")  # told in our words
            yield
    except ValueError as error:
        options = ", ".join(f"--{option} {name}" for option, name in by.items() if name)
        raise InputError(f"{path}: {what}{' with ' + options if options else ''}: {error}") from None


_REPEAT = "-repeat-"


def fold_names(n_folds: int, repeat: int = 0) -> list[str]:
    """Return the names of the folds: ``1/5``, ``2/5``, ...; those of a repeat are ``1/5-repeat-1``, ...

    Example:
        >>> fold_names(2), fold_names(2, repeat=3)
        (['1/2', '2/2'], ['1/2-repeat-3', '2/2-repeat-3'])
    """
    return [f"{k}/{n_folds}{f'{_REPEAT}{repeat}' if repeat else ''}" for k in range(1, n_folds + 1)]


def repeat_seed(seed: int, repeat: int) -> int:
    """Return the seed of a repeat, of its folds, weights, batches and dropout; repeat 0 is the search."""
    if not repeat:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}/repeat/{repeat}".encode()).digest()[:4], "big")


class Division:
    """The rows of a table, divided by scikit-learn's splitters.

    A fold never sees the test rows of the holdout, and every split is scaled by its own training rows.

    Args:
        table: The table; with the columns ``stratify`` and ``group`` among its labels.
        scaling_kind: How columns are scaled, where nothing else is said.
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
        self._n_asked, self._warned_rare = folds, False
        if len(table.values) < 2:
            raise InputError(
                f"{table.path}: has {len(table.values)} row, but a train/test split needs at least 2"
            )
        rows = np.arange(len(table.values))
        with dividing(table.path, "the train/test split", self._names):
            self.train, self.test = divide_holdout(rows, seed, self._classes, self._groups)
        self._scalings: dict[tuple[str, str], tuple[Scaling, int]] = {}
        self._with_key: dict[bytes, Scaling] = {}
        self._origins: dict[tuple[str, str], Origin] = {}
        # Splits of a large table are large: the last few are kept, and shared by folds of equal scalings.
        self._n_kept = min(N_KEPT, max(1, _MOST_CELLS_KEPT // max(1, table.values.size)))
        self._split = LastUsed(self._make, self._n_kept)
        self._values = LastUsed(self._scaled, self._n_kept)

    def split(self, fold: str = HOLDOUT, kind: str = "") -> Split:
        """Return the scaled data of a fold.

        Args:
            fold: Its name.
            kind: How columns are scaled; empty for the division's own kind.

        Raises:
            InputError: If a side has no observed cell, or none in a column that can be scaled.
        """
        return self._split.get((fold, kind or self._scaling_kind))

    def split_of(self, fit: Fit) -> Split:
        """Return the data that a fit is trained on; raises as :meth:`split`."""
        return self.split(fit.fold, fit.recipe.scaling)

    def passing(self, fold: str = HOLDOUT, kind: str = "") -> Split:
        """Return the same as :meth:`split` for measures, which keep no scaled rows of a long table."""
        if not self._is_long:
            return self.split(fold, kind)
        scaling = self.scaling(fold, kind)
        self._refuse_infinite(scaling)
        return self._checked(fold, scaling, _on_use(self.table.values, scaling))

    def standardized(self, fold: str = HOLDOUT) -> Split:
        """Return the standardized data of a fold for measures; they are not kept in memory."""
        values, scaling = self.table.values, self.scaling(fold, "standard")
        return self._of(fold, scaling, _on_use(values, scaling) if self._is_long else scaling.apply(values))

    def _of(self, fold: str, scaling: Scaling, scaled: NDArray[np.float32]) -> Split:
        origin = self._origins.setdefault((fold, scaling.kind), Origin())
        is_fold = fold not in (HOLDOUT, ALL)
        return scaled_split(self.table.values, scaling, scaled, *self.rows(fold), is_fold, origin)

    def let_go(self) -> None:
        """Keep no scaled rows of a long table any more; who asks for a split has them scaled anew."""
        if self._is_long:
            self._split.let_go()
            self._values.let_go()

    @property
    def _is_long(self) -> bool:
        return worth_compacting(*self.table.values.shape)

    def scaling(self, fold: str = HOLDOUT, kind: str = "") -> Scaling:
        """Return the scaling that a fold's training rows gave; see :meth:`split`."""
        return self._fitted(fold, kind)[0]

    def _fitted(self, fold: str, kind: str = "") -> tuple[Scaling, int]:
        """Return a fold's scaling, and of how many rows."""
        key = fold, kind or self._scaling_kind
        if key not in self._scalings:
            train, _ = self.rows(fold)
            table, kind_of = self.table, cast("ScalingKind", key[1])
            self._scalings[key] = Scaling.fit(kind_of, table.values, train, table.groups), train.size
        return self._scalings[key]

    def left_out_mark(self, folds: Iterable[str]) -> str:
        """Return what the identity of fits on these folds says about columns without a scale, if anything."""
        return left_out_mark({fold: self._fitted(fold) for fold in folds}, [self.table.values])

    def warnings(self, folds: Iterable[str], kinds: Iterable[str] = ("",)) -> list[str]:
        """Name the columns that are left out of the loss of these folds, by any of these kinds of scaling."""
        table, texts, names = self.table, dict[str, None](), list(folds)
        for kind in kinds:
            scalings = {fold: self.scaling(fold, kind) for fold in names}
            texts |= dict.fromkeys(scaling_warnings(table.columns, table.varying, scalings, [table.values]))
        return list(texts)

    def n_scaled_tables(self, folds: Iterable[str], kinds: Iterable[str] = ("",), n_in_use: int = 1) -> int:
        """Return how many scaled copies of the table there are when all these folds and kinds are used.

        Args:
            folds: Their names.
            kinds: How columns are scaled.
            n_in_use: Splits in use at once, whose copies are there even if fewer are kept.
        """
        keys = {self.scaling(fold, kind).key for kind in kinds for fold in folds}
        return min(len(keys), max(self._n_kept, n_in_use))

    def _make(self, key: tuple[str, str]) -> Split:
        fold, kind = key
        scaling = self.scaling(fold, kind)
        self._with_key[scaling.key] = scaling
        return self._checked(fold, scaling, self._values.get(scaling.key))

    def _checked(self, fold: str, scaling: Scaling, scaled: NDArray[np.float32]) -> Split:
        """Return a split of scaled rows both sides of which have something to go by."""
        split = self._of(fold, scaling, scaled)
        sides = (("training", split.train), ("test", split.test))
        for name, rows in sides:
            if not _has_cell(self.table.values, rows):
                raise InputError(f"{self.table.path}: all cells of the {rows.size} {name} rows are missing")
        for name, rows in sides:
            without = scaling.without_information.all() or not _has_cell(split.values, rows)
            if without and self.table.varying.any():
                raise InputError(
                    f"{self.table.path}: no column with a cell in the {rows.size} {name} rows varies in the "
                    f"{split.train.size} training rows; --scaling {scaling.kind} has nothing to go by"
                )
        return split

    def _scaled(self, key: bytes) -> NDArray[np.float32]:
        scaling = self._with_key[key]
        self._refuse_infinite(scaling)
        return scaling.apply(self.table.values)

    def _refuse_infinite(self, scaling: Scaling) -> None:
        """See that no scaled cell is infinite; of each column it would be the lowest or the highest."""
        table = self.table
        ends = np.isinf(scaling.apply(np.stack(table.ends)))
        for j in np.flatnonzero(ends.any(axis=0)).tolist():
            cells = scaling.apply_to_column(table.values, np.arange(len(table.values)), j)
            for row in np.flatnonzero(np.isinf(cells))[:1].tolist():
                raise InputError(
                    f"{table.path}: row {row + 1}, column {table.columns[j]!r}: {table.values[row, j]:g} is "
                    f"infinite in single precision after --scaling {scaling.kind}"
                )

    def rows(self, fold: str) -> tuple[Rows, Rows]:
        """Return training and test rows of a fold, in ascending order."""
        if fold == HOLDOUT:
            return self.train, self.test
        if fold == ALL:
            return np.arange(len(self.table.values)), self.test
        index, _, rest = fold.partition("/")
        count, _, repeat = rest.partition(_REPEAT)
        asked = int(count) == self._n_asked
        fifth = f"the first of {count} folds of the training rows, which is to judge"
        what = f"--folds {count}" if asked else fifth
        with dividing(self.table.path, what, self._names):
            return self._folds(int(count), repeat_seed(self.seed, int(repeat or 0)))[int(index) - 1]

    def _folds(self, n_folds: int, seed: int) -> list[tuple[Rows, Rows]]:
        classes = None if self._classes is None else self._classes[self.train]
        groups = None if self._groups is None else self._groups[self.train]
        folds = divide_folds(self.train, n_folds, seed, classes, groups)
        warning = rare_class(n_folds, classes)
        if warning is not None and not self._warned_rare:
            self._warned_rare = True
            warn(f"warning: {self.table.path}: --stratify {self._names['stratify']}: {warning}")
        return folds


def _on_use(values: Cells, scaling: Scaling) -> NDArray[np.float32]:
    """Return rows that are scaled whenever some are taken, in place of an array of them."""
    return cast("NDArray[np.float32]", ScaledOnUse(values, scaling))


def _has_cell(values: RowsOfCells, rows: Rows) -> bool:
    """Return whether some of these rows has an observed cell; a long table is not copied for that."""
    blocks = range(0, rows.size, _ROWS_AT_ONCE)
    return any(not np.isnan(values[rows[start : start + _ROWS_AT_ONCE]]).all() for start in blocks)


def scaled_split(
    values: Cells, scaling: Scaling, scaled: NDArray[np.float32], train: Rows, test: Rows,
    is_fold: bool = False, origin: Origin | None = None,
) -> Split:  # fmt: skip
    """Return a split that knows its original units where explained variance depends on them.

    Args:
        values: The table, ``[rows, columns]``.
        scaling: Fitted on the training rows.
        scaled: What it makes of the table.
        train: Rows to train on.
        test: Rows to test on.
        is_fold: Whether it is one of several folds; see :class:`~autoenc.engines.Split`.
        origin: What it shares with splits that are equal.
    """
    if scaling.curves or scaling.left_out.any():
        original = scaling.without_unseen(values)
        return Split(scaled, train, test, original, scaling.undo, scaling.groups, is_fold, origin)
    return Split(scaled, train, test, groups=scaling.groups, is_fold=is_fold, origin=origin)


def _refuse(problem: str | None) -> None:
    if problem is not None:
        raise ValueError(problem)


def split_table(table: Table, scaling_kind: ScalingKind, seed: int) -> tuple[Split, Scaling]:
    """Return the plain holdout, 80/20, with its scaling; raises as :class:`Division` does."""
    division = Division(table, scaling_kind, seed)
    return division.split(), division.scaling()
