"""The table: values, missing cells, labels and fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from autoenc.errors import InputError
from autoenc.scaling import Scaling, ScalingKind
from autoenc.tables import choose_columns, label_column, numeric_column, read_frame

__all__ = [
    "TEST_SHARE",
    "Scaling",
    "ScalingKind",
    "Table",
    "fits_single",
    "label_fingerprint",
    "load_table",
    "one_form",
]

TEST_SHARE = 0.2
Floating = TypeVar("Floating", bound=np.floating)


@dataclass(frozen=True)
class Table:
    """A table of numbers.

    Attributes:
        values: float64 ``[rows, columns]``, C-contiguous, as in the file; NaN is missing, zero is a value.
        columns: The columns' names.
        path: Where it came from.
        warnings: What was left out or looks odd, a sentence each.
        labels: Other columns that were asked for, as text, by name; they say which rows belong together.
    """

    values: NDArray[np.float64]
    columns: list[str]
    path: str
    warnings: list[str] = field(default_factory=list)
    labels: dict[str, NDArray[np.str_]] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the columns' names, the shape and every cell, as hexadecimal.

        Where all cells are single-precision numbers their single bits count, as when tables held no others,
        so that the records of such tables stay valid.
        """
        return self._digest(np.float32 if all(map(fits_single, self._blocks())) else np.float64)

    @property
    def single_fingerprint(self) -> str:
        """The fingerprint of :meth:`in_single_precision`."""
        return self._digest(np.float32)

    def in_single_precision(self) -> Table:
        """The same with every cell rounded to single precision, as tables once were read."""
        with np.errstate(over="ignore"):
            return replace(self, values=self.values.astype(np.float32).astype(np.float64))

    def _digest(self, dtype: type[np.floating]) -> str:
        digest = hashlib.sha256(repr((self.columns, self.values.shape)).encode())
        for block in self._blocks():
            with np.errstate(over="ignore"):
                digest.update(one_form(block.astype(dtype)).tobytes())
        return digest.hexdigest()

    def _blocks(self) -> Iterator[NDArray[np.float64]]:
        for start in range(0, len(self.values), 65536):
            yield self.values[start : start + 65536]


def fits_single(cells: NDArray[np.float64]) -> bool:
    """Whether every cell is a single-precision number or missing."""
    with np.errstate(over="ignore"):
        return bool(((cells.astype(np.float32) == cells) | np.isnan(cells)).all())


def one_form(cells: NDArray[Floating]) -> NDArray[Floating]:
    """Equal cells as equal bits: one NaN, whatever bits it came with, and no -0."""
    zero = cells.dtype.type(0)
    return np.where(np.isnan(cells), cells.dtype.type(np.nan), cells + zero)


def label_fingerprint(labels: NDArray[np.str_]) -> str:
    """SHA-256 over a column of labels, as hexadecimal."""
    return hashlib.sha256("\n".join(labels).encode()).hexdigest()


def load_table(path: str | Path, columns: Sequence[str] | None = None, labels: Sequence[str] = ()) -> Table:
    """Load the columns to learn from.

    Args:
        path: CSV or Parquet file.
        columns: Names of the columns; by default the COPUS columns if all are there, else all numeric ones
            that are no labels.
        labels: Names of columns to keep beside them.

    Raises:
        InputError: If the file or a cell of it cannot be used; it says which and why.
    """
    frame = read_frame(path)
    kept_labels, problems = {}, []
    for name in labels:
        try:
            kept_labels[name] = label_column(frame, name, path)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    features = frame if columns is not None else frame.drop(columns=list(labels))
    names, warnings = choose_columns(features, path, columns)
    values = np.empty((len(frame), len(names)))
    empty, constant = [], []
    for j, name in enumerate(names):
        values[:, j] = column = numeric_column(frame, name, path)
        observed = column[~np.isnan(column)]
        if observed.size == 0:
            empty.append(j)
        elif observed.min() == observed.max():
            constant.append(name)
    if len(empty) == len(names):
        raise InputError(f"{path}: all cells are missing in {', '.join(names)}")
    if empty:
        warnings.append(f"left out, no observed cell: {', '.join(names[j] for j in empty)}")
        kept = [j for j in range(len(names)) if j not in empty]
        values, names = np.ascontiguousarray(values[:, kept]), [names[j] for j in kept]
    if constant:
        warnings.append(f"constant, kept but without information: {', '.join(constant)}")
    return Table(values, names, str(path), warnings, kept_labels)
