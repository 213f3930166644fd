"""Data of both stages: rows of features, and on some of them the targets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoenc.data.compact import Cells
from autoenc.data.labels import label_warnings, separate_groups
from autoenc.data.read import ReadTable, numeric_column, read_table, with_markers
from autoenc.data.table import Table, fits_single, label_fingerprint, one_form, table_of
from autoenc.errors import InputError, listed, shortened
from autoenc.settings import TransferSettings
from autoenc.two_stage.classes import Class, as_classes, class_name, missing_words, two_classes

__all__ = ["Target", "TransferData"]


@dataclass(frozen=True)
class Target:
    """A column to predict.

    Attributes:
        name: Of the column.
        values: float64 ``[labelled rows]``, NaN where the label is missing; the two classes of a
            classification are 0 and 1, and 1 is the one to be found.
        classes: What 0 and 1 stand for; None for numbers.
        told: What people should know of its missing cells.
    """

    name: str
    values: NDArray[np.float64]
    classes: tuple[Class, Class] | None = None
    told: str = ""

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have the label."""
        return ~np.isnan(self.values)

    def class_name(self, which: int) -> str:
        """Return a class as people write it."""
        assert self.classes is not None
        return class_name(self.classes[which])


@dataclass(frozen=True)
class TransferData:
    """The tables of both stages.

    Attributes:
        table: What stage 1 learns from.
        labelled: What stage 2 learns from, in the same columns; the very same table where both stages
            share their rows.
        targets: By ``regression`` and ``classification``.
        stratify: Label of the labelled rows whose shares every part of them keeps.
        group: Label of the rows of both tables; rows of one group stay together.
    """

    table: Table
    labelled: Table
    targets: dict[str, Target]
    stratify: str | None = None
    group: str | None = None

    @property
    def shared(self) -> bool:
        """Whether both stages learn from one table."""
        return self.labelled is self.table

    @property
    def all_values(self) -> list[Cells]:
        """The cells of the table, and those of the labelled one where it is another."""
        return [self.table.values] if self.shared else [self.table.values, self.labelled.values]

    @property
    def any_label(self) -> NDArray[np.int64]:
        """The labelled rows that have at least one label, in ascending order."""
        known = [target.known for target in self.targets.values()]
        return np.flatnonzero(np.logical_or.reduce(known))

    @cached_property
    def groups(self) -> NDArray[np.int64] | None:
        """A number for the group of each labelled row; None where rows need not stay together."""
        return None if self.group is None else _numbered(self.labelled.labels[self.group])

    @cached_property
    def groups_of_table(self) -> NDArray[np.int64] | None:
        """The same of each row of the table of stage 1, with numbers of its own."""
        return None if self.group is None else _numbered(self.table.labels[self.group])

    @cached_property
    def pretrain(self) -> NDArray[np.int64]:
        """The rows of the table that stage 1 may learn from, in ascending order.

        All of them where both stages share their rows, as the folds keep apart what judges. Else those that
        do not stand among the labelled rows as well, cell for cell, and are of no group of theirs.
        """
        if self.shared:
            return np.arange(len(self.table.values))
        return np.flatnonzero(~(self._standing_there() | self._of_labelled_groups()))

    def _of_labelled_groups(self) -> NDArray[np.bool_]:
        """Return which rows of the table are of a group that has labelled rows."""
        if self.group is None:
            return np.zeros(len(self.table.values), bool)
        judging = {*self.labelled.labels[self.group][self.any_label]} - {""}
        return pd.Series(self.table.labels[self.group]).isin(judging).to_numpy(bool)

    def _standing_there(self) -> NDArray[np.bool_]:
        """Return which rows of the table stand among the labelled rows as well."""
        labelled, rows = (
            self.labelled.values[self.any_label],
            self.table.values.astype(np.float64, copy=False),
        )
        if any(map(fits_single, (labelled, rows))):
            # One of the files may have rounded what the other holds in full.
            with np.errstate(over="ignore"):
                labelled, rows = labelled.astype(np.float32), rows.astype(np.float32)
        return np.isin(_row_keys(rows), _row_keys(labelled))

    @property
    def n_overlapping(self) -> int:
        """Rows of the table that stage 1 must not learn from."""
        return len(self.table.values) - self.pretrain.size

    @property
    def fingerprint(self) -> str:
        """SHA-256 over features, labels, classes and groups of both stages, as hexadecimal."""
        digest = hashlib.sha256(f"{self.table.fingerprint} {self.labelled.fingerprint}".encode())
        for kind, target in sorted(self.targets.items()):
            digest.update(kind.encode())
            digest.update(np.where(target.known, target.values, np.nan).tobytes())
        if self.stratify is not None:
            digest.update(b"stratify" + label_fingerprint(self.labelled.labels[self.stratify]).encode())
        if self.group is not None:
            for table in (self.table, self.labelled):
                digest.update(b"group" + label_fingerprint(table.labels[self.group]).encode())
        return digest.hexdigest()

    def in_single_precision(self) -> TransferData:
        """Return the same with features rounded to single precision, as tables once were read."""
        table = self.table.in_single_precision()
        labelled = table if self.shared else self.labelled.in_single_precision()
        return replace(self, table=table, labelled=labelled)

    @classmethod
    def load(
        cls, settings: TransferSettings, table_read: ReadTable | None = None, read: ReadTable | None = None
    ) -> TransferData:
        """Read the tables.

        Args:
            settings: The options.
            table_read: The table of stage 1, where it is no file and not that of the labels.
            read: The table with the labels, where it is no file.

        Raises:
            InputError: With everything that is wrong about tables and targets.
        """
        labelled_path = settings.labelled_path or settings.data_path
        # Classes are called what the table calls them, whatever that looks like.
        classes = [target for kind, target in settings.targets.items() if kind == "classification"]
        labels = [name for name in (settings.stratify, settings.group) if name]
        if read is None:
            read = read_table(labelled_path, [*classes, *labels], settings.na_values, settings.dialect)
        else:
            read = with_markers(read, [*classes, *labels], settings.na_values)
        targets, problems = _targets(read, settings)
        table = labelled = None
        try:
            if settings.labelled_path is None:
                table = labelled = _table(read, settings, labels)
            else:
                if table_read is None:
                    table_read = read_table(settings.data_path, labels, settings.na_values, settings.dialect)
                else:
                    table_read = with_markers(table_read, labels, settings.na_values)
                # Only of labelled rows it matters what they are stratified by.
                needed = [
                    name for name in labels if name == settings.group or name in table_read.frame.columns
                ]
                table = _table(table_read, settings, needed)
                labelled = table_of(read, table.columns, labels)
        except InputError as error:
            problems += error.problems
        if problems or table is None or labelled is None:
            raise InputError(problems)
        if labelled.columns != table.columns:
            empty = [column for column in table.columns if column not in labelled.columns]
            raise InputError(f"{read.name}: has no observed cell in {listed(empty, quoted=False)}")
        labelled.warnings.extend(
            f"{target.name!r}: {target.told}" for target in targets.values() if target.told
        )
        _warn_of_labels(labelled, settings.stratify, settings.group)
        if table is not labelled:
            _warn_of_labels(table, None, settings.group)
        return cls(table, labelled, targets, settings.stratify, settings.group)


def _table(read: ReadTable, settings: TransferSettings, labels: list[str]) -> Table:
    """Return the columns to learn from, without those to predict that are there."""
    targets = [target for target in settings.targets.values() if target in read.frame.columns]
    return table_of(read, settings.columns, [*targets, *labels], settings.exclude)


def _warn_of_labels(table: Table, stratify: str | None, group: str | None) -> None:
    labels = {name: table.labels[name] for name in (stratify, group) if name}
    table.warnings.extend(label_warnings(labels, stratify, group))


def _numbered(labels: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return a number for each label; rows without one have a number each."""
    return np.unique(separate_groups(labels), return_inverse=True)[1].astype(np.int64)


def _row_keys(values: NDArray[np.floating]) -> NDArray[np.void]:
    """Return a key for each row; equal rows have equal keys, ``[rows]``."""
    rows = np.ascontiguousarray(one_form(values))
    return rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize)))[:, 0]


def _targets(read: ReadTable, settings: TransferSettings) -> tuple[dict[str, Target], list[str]]:
    """Return the targets that can be used, and what is wrong about the others."""
    targets: dict[str, Target] = {}
    problems: list[str] = []
    for kind, name in settings.targets.items():
        try:
            targets[kind] = _target(read, kind, name, settings)
        except InputError as error:
            problems += [f"--{kind}_target: {problem}" for problem in error.problems]
    return targets, problems


def _target(read: ReadTable, kind: str, name: str, settings: TransferSettings) -> Target:
    frame, path = read.frame, read.name
    if name not in frame.columns:
        raise InputError(f"{path}: has no column {shortened(name)}; it has {listed(list(frame.columns))}")
    column = frame[name]
    if kind == "classification" and not read.typed:
        column = as_classes(column)
    n_known, n_folds = int(column.notna().sum()), settings.n_cv_folds
    if n_known < n_folds:
        raise InputError(f"{path}: {n_known} rows have {name!r}, but {n_folds} folds need one each")
    if kind == "classification":
        missing = "" if read.typed else _missing_warning(frame[name], column)
        return Target(
            name, *two_classes(column, f"{path}: {name!r}", settings.positive_class, missing), missing
        )
    values = numeric_column(frame, name, path)
    known = values[~np.isnan(values)]
    if np.unique(known).size == 1:
        raise InputError(f"{path}: {name!r} is {known[0]:g} in every row; there is nothing to predict")
    with np.errstate(over="ignore"):
        spread = float(known.std())
    if not 0 < spread < np.inf:
        raise InputError(f"{path}: {name!r} has too small or too large numbers to be standardized")
    return Target(name, values)


def _missing_warning(written: pd.Series, column: pd.Series) -> str:
    """Return words that were read as missing labels, though among words they may well be a class."""
    known = column.dropna()
    words = missing_words(written)
    if not words or known.empty or not isinstance(known.iloc[0], str):
        return ""
    counted = ", ".join(f"{word} ({count:,} rows)" for word, count in words.items())
    return f"read as missing: {counted}; if that is a class, call it something else"
