"""The table: values, missing cells, scaling, split and fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autoenc.errors import InputError
from autoenc.tables import choose_columns, label_column, numeric_column, read_frame

__all__ = ["TEST_SHARE", "Scaling", "ScalingKind", "Table", "label_fingerprint", "load_table"]

ScalingKind = Literal["maxabs", "none", "minmax", "standard", "robust"]
TEST_SHARE = 0.2


@dataclass(frozen=True)
class Table:
    """A table of numbers.

    Attributes:
        values: float32 ``[rows, columns]``, C-contiguous; NaN is missing, zero is a value.
        columns: The columns' names.
        path: Where it came from.
        warnings: What was left out or looks odd, a sentence each.
        labels: Other columns that were asked for, as text, by name; they say which rows belong together.
    """

    values: NDArray[np.float32]
    columns: list[str]
    path: str
    warnings: list[str] = field(default_factory=list)
    labels: dict[str, NDArray[np.str_]] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the columns' names, the shape and every cell, as hexadecimal."""
        digest = hashlib.sha256(repr((self.columns, self.values.shape)).encode())
        # Every NaN counts alike, whatever bits it came with.
        for start in range(0, len(self.values), 65536):
            block = self.values[start : start + 65536]
            digest.update(np.where(np.isnan(block), np.float32(np.nan), block + np.float32(0)).tobytes())
        return digest.hexdigest()


def label_fingerprint(labels: NDArray[np.str_]) -> str:
    """SHA-256 over a column of labels, as hexadecimal."""
    return hashlib.sha256("\n".join(labels).encode()).hexdigest()


@dataclass(frozen=True)
class Scaling:
    """An affine map of each column, ``(x - center) / scale``.

    Shape:
        center, scale: float64 ``[columns]``.
    """

    kind: ScalingKind
    center: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, kind: ScalingKind, values: NDArray[np.float32], rows: NDArray[np.int64]) -> Scaling:
        """Fit scikit-learn's scaler of this kind on the given rows; missing cells are passed over."""
        n_columns = values.shape[1]
        center, scale = np.zeros(n_columns), np.ones(n_columns)
        if kind != "none":
            for j in range(n_columns):  # by column, so that the rows are never copied as a whole
                column = values[rows, j]
                if not np.isnan(column).all():
                    center[j], scale[j] = _center_and_scale(kind, column.astype(np.float64)[:, None])
        return cls(kind, center, scale)

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scaled values, a new array."""
        return self._by_column(values, lambda x, center, scale: (x - center) / scale)

    def undo(self, scaled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values in the original units, a new array."""
        return self._by_column(scaled, lambda x, center, scale: x * scale + center)

    def _by_column(self, values: NDArray[np.float32], change: Callable[..., Any]) -> NDArray[np.float32]:
        """In double precision, where no range of single numbers overflows; by column, to save memory."""
        result = np.empty_like(values)
        for j in range(values.shape[1]):
            result[:, j] = change(values[:, j].astype(np.float64), self.center[j], self.scale[j])
        return result


def _center_and_scale(kind: ScalingKind, column: NDArray[np.float64]) -> tuple[float, float]:
    from sklearn import preprocessing

    if kind == "maxabs":
        return 0.0, float(preprocessing.MaxAbsScaler().fit(column).scale_[0])
    if kind == "minmax":
        minmax = preprocessing.MinMaxScaler().fit(column)
        return float(minmax.data_min_[0]), float(1 / minmax.scale_[0])
    scaler: Any
    if kind == "standard":
        scaler = preprocessing.StandardScaler().fit(column)
        return float(scaler.mean_[0]), float(scaler.scale_[0])
    scaler = preprocessing.RobustScaler().fit(column)
    return float(scaler.center_[0]), float(scaler.scale_[0])


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
    values = np.empty((len(frame), len(names)), np.float32)
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
