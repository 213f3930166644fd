"""Scaling of the columns: fitted and applied in double precision, cast to single for the engines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autoenc.errors import listed

__all__ = ["Scaling", "ScalingKind", "left_out_mark", "left_out_warnings"]

ScalingKind = Literal["maxabs", "none", "minmax", "standard", "robust"]

_EPSILON = float(np.finfo(np.float64).eps)
_ROUNDING = 16 * _EPSILON
"""Of a column's largest cell: what varies by no more than that is constant up to rounding."""


@dataclass(frozen=True)
class Scaling:
    """An affine map of each column, ``(x - center) / scale``.

    A column has no scale, ``scale`` 0, where the rows that the scaling was fitted on give none: unobserved
    ones, constant ones, quartiles that coincide. For ``maxabs``, zeros are none, and another number that
    stands in all of two or more of these rows is none where other rows hold other numbers, which it says
    nothing of. All cells of such a column count as missing: they enter a network as 0 and a loss never.

    Shape:
        center, scale: float64 ``[columns]``.
        low, high: float64 ``[columns]``, the range of the rows that it was fitted on, NaN where no cell was
            observed; None where that is not known. It tells what is far outside of them.
    """

    kind: ScalingKind
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None

    @classmethod
    def fit(cls, kind: ScalingKind, values: NDArray[np.floating], rows: NDArray[np.int64]) -> Scaling:
        """Fit scikit-learn's scaler of this kind on the given rows; missing cells are passed over."""
        n_columns = values.shape[1]
        center, scale = np.zeros(n_columns), np.zeros(n_columns)
        low, high = np.full(n_columns, np.nan), np.full(n_columns, np.nan)
        for j in range(n_columns):  # by column, so that the rows are never copied as a whole
            column = values[rows, j].astype(np.float64)
            center[j], scale[j] = _center_and_scale(kind, column)
            low[j], high[j] = np.fmin.reduce(column), np.fmax.reduce(column)
            is_same = high[j] - low[j] <= _ROUNDING * max(abs(low[j]), abs(high[j]))  # False for NaN
            if kind == "maxabs" and rows.size > 1 and is_same and _exceeds(values[:, j], low[j], high[j]):
                center[j], scale[j] = float(np.nanmedian(column)), 0.0
        return cls(kind, center, scale, low, high)

    @property
    def left_out(self) -> NDArray[np.bool_]:
        """Which columns have no scale, ``[columns]``."""
        left_out: NDArray[np.bool_] = self.scale == 0
        return left_out

    def apply(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Scaled values, a new array; NaN is missing, as every cell of a column without a scale is."""
        scaled = np.empty(values.shape, np.float32)
        with np.errstate(over="ignore"):
            for j, left_out in enumerate(self.left_out):  # by column, to save memory
                column = values[:, j].astype(np.float64)
                scaled[:, j] = np.nan if left_out else (column - self.center[j]) / self.scale[j]
        return scaled

    def undo(self, scaled: NDArray[np.floating]) -> NDArray[np.float64]:
        """Values in the original units, a new array; of a column without a scale the center."""
        values = scaled * self.scale
        values += self.center
        values[:, self.left_out] = self.center[self.left_out]
        return values

    def scaled_otherwise_before(self, n_rows: int) -> NDArray[np.bool_]:
        """Columns that earlier versions gave a scale that is none, ``[columns]``.

        Args:
            n_rows: How many rows the scaling was fitted on.
        """
        if self.kind == "none":
            return self.left_out
        least = n_rows * np.abs(self.center) * _EPSILON if self.kind == "standard" else 0.0
        return self.scale <= np.maximum(10 * _EPSILON, least)


def _center_and_scale(kind: ScalingKind, column: NDArray[np.float64]) -> tuple[float, float]:
    observed = ~np.isnan(column)
    if not observed.any():
        return 0.0, 0.0
    if kind == "none":
        return 0.0, 1.0
    largest = float(np.abs(column[observed]).max())
    # A power of two takes the unit out without rounding, so that no square leaves the range of the numbers.
    exponent = int(np.frexp(largest)[1])
    column, tiny = np.ldexp(column, -exponent), float(np.ldexp(largest, -exponent)) * _ROUNDING
    center, scale = _MEASURES[kind](column[:, None])
    if scale <= tiny:
        center, scale = float(np.nanmedian(column)), 0.0
    return float(np.ldexp(center, exponent)), float(np.ldexp(scale, exponent))


def _exceeds(column: NDArray[np.floating], low: float, high: float) -> bool:
    """Whether a column has a number outside of a range."""
    return bool(np.fmin.reduce(column) < low or np.fmax.reduce(column) > high)


def _maxabs(column: NDArray[np.float64]) -> tuple[float, float]:
    return 0.0, float(np.nanmax(np.abs(column)))


def _minmax(column: NDArray[np.float64]) -> tuple[float, float]:
    low = float(np.nanmin(column))
    span = float(np.nanmax(column)) - low
    return low, 1 / (1 / span) if span else 0.0


def _standard(column: NDArray[np.float64]) -> tuple[float, float]:
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(column)
    return float(scaler.mean_[0]), float(np.sqrt(scaler.var_[0]))


def _robust(column: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.nanpercentile(column[:, 0], (25.0, 75.0))
    return float(np.nanmedian(column)), float(high - low)


_MEASURES: dict[str, Callable[[NDArray[np.float64]], tuple[float, float]]] = {
    "maxabs": _maxabs, "minmax": _minmax, "standard": _standard, "robust": _robust,
}  # fmt: skip


def left_out_mark(splits: Mapping[str, tuple[Scaling, int]]) -> str:
    """A hash of the columns that earlier versions scaled otherwise, for the identity of what is trained.

    Args:
        splits: By name, the scaling of each split and how many rows it was fitted on.

    Returns:
        16 hexadecimal digits; empty where there are no such columns, so that earlier results stay valid.
    """
    marked = {
        name: np.flatnonzero(scaling.scaled_otherwise_before(n_rows)).tolist()
        for name, (scaling, n_rows) in splits.items()
    }
    marked = {name: columns for name, columns in marked.items() if columns}
    return hashlib.sha256(repr(sorted(marked.items())).encode()).hexdigest()[:16] if marked else ""


def left_out_warnings(
    columns: Sequence[str], varying: NDArray[np.bool_], splits: Mapping[str, Scaling]
) -> list[str]:
    """Name the columns that are left out of the loss though they vary, a sentence for each group of splits.

    Args:
        columns: The columns' names.
        varying: Which of them vary in the table as a whole; constant ones are named when it is read.
        splits: The scaling of each split, by name.

    Shape:
        varying: ``[columns]``.
    """
    where: dict[str, list[str]] = {}
    for name, scaling in splits.items():
        for j in np.flatnonzero(scaling.left_out & varying).tolist():
            where.setdefault(columns[j], []).append(name)
    groups: dict[tuple[str, ...], list[str]] = {}
    for column, names in where.items():
        groups.setdefault(tuple(names), []).append(column)
    kinds = {scaling.kind for scaling in splits.values()}
    why = "constant or unobserved in the training rows"
    if "robust" in kinds:
        why += ", or their quartiles coincide, where --scaling standard would keep the column"
    if "none" in kinds:
        why = "unobserved in the training rows"
    return [
        f"left out of the loss{'' if len(names) == len(splits) else ' of ' + listed(names)}: "
        f"{listed(found)} ({why})"
        for names, found in groups.items()
    ]
