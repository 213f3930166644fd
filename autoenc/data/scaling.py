"""Scaling of the columns: fitted and applied in double precision, cast to single for the engines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoenc.data.compact import Cells, Compact, row_blocks
from autoenc.data.curves import BENDING, Curve, fit_curve
from autoenc.engines.recipe import ScalingKind
from autoenc.errors import listed

__all__ = ["BY_KIND", "STANDARDIZED", "Scaling", "ScalingKind", "left_out_mark", "scaling_warnings"]


BY_KIND, STANDARDIZED = -1, -2
"""How a column is scaled that is no indicator: by the kind, or always to mean 0 and deviation 1."""

_EPSILON = float(np.finfo(np.float64).eps)
_ROUNDING = 16 * _EPSILON
"""Of a column's largest cell: what varies by no more than that is constant up to rounding."""

_CELLS_AT_ONCE = 2**18
"""Of columns that are standardized together."""

_FLOOR = 0.1
"""Of a column's range: the least scale of a column whose scale is floored."""

_FLAT = 1e-4
"""Of a column's largest cell: what varies by less is hard to learn without a center."""


@dataclass(frozen=True)
class Scaling:
    """An affine map of each column, ``(x - center) / scale``, of some kinds behind a curve that bends it.

    A column has no scale, ``scale`` 0, where the rows that the scaling was fitted on give none: unobserved
    ones, constant ones, quartiles that coincide. All cells of such a column count as missing: they enter a
    network as 0 and a loss never. For ``maxabs`` zeros alone are no scale. Another number that stands in all
    of two or more of these rows is the scale of cells like it; it tells nothing of others, which are missing,
    but for zeros, which need no scale.

    Indicators of categories, 0 or 1, are scaled as factor analysis of mixed data does (Pages, 2004), whatever
    the kind: centered by their share and divided by its root. A category that the rows lack has no scale, and
    where a row has it all indicators of the same column count as missing.

    Shape:
        center, scale: float64 ``[columns]``.
        low, high: float64 ``[columns]``, the range of the rows that it was fitted on, NaN where no cell was
            observed; None where that is not known. It tells what is far outside of them.
        constant: bool ``[columns]``, where the scale is that of one number; None where no column has such.
        curves: A curve for each column or None; empty where no column is bent. Center and scale are then
            those of the bent cells.
        groups: int64 ``[columns]``, ``BY_KIND``, ``STANDARDIZED``, or for an indicator a number that those of
            one column share; None where all are scaled by the kind.
    """

    kind: ScalingKind
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    constant: NDArray[np.bool_] | None = None
    curves: tuple[Curve | None, ...] = ()
    groups: NDArray[np.int64] | None = None

    @classmethod
    def fit(
        cls,
        kind: ScalingKind,
        values: Cells,
        rows: NDArray[np.int64],
        groups: NDArray[np.int64] | None = None,
    ) -> Scaling:
        """Fit scikit-learn's scaler of this kind on the given rows; missing cells are passed over.

        Kinds that bend columns standardize what they bent. ``floored`` standardizes, but gives no column a
        scale below a tenth of its range: of a column that hardly varies, such as a pixel that is nearly
        always 0, a single cell would decide the loss.

        Args:
            kind: How numbers are scaled.
            values: ``[rows, columns]``.
            rows: Which of them to fit on.
            groups: See :class:`Scaling`.
        """
        n_columns = values.shape[1]
        curves: list[Curve | None] = [None] * n_columns
        center, scale = np.zeros(n_columns), np.zeros(n_columns)
        low, high = np.full(n_columns, np.nan), np.full(n_columns, np.nan)
        is_standard = np.zeros(n_columns, bool)
        for j in range(n_columns):  # by column, so that the rows are never copied as a whole
            column = values[rows, j].astype(np.float64)
            low[j], high[j] = np.fmin.reduce(column), np.fmax.reduce(column)
            group = BY_KIND if groups is None else int(groups[j])
            if group >= 0:
                center[j], scale[j] = _share(column)
                continue
            if group == STANDARDIZED or kind in ("standard", "floored"):
                is_standard[j] = True
                continue
            if kind not in BENDING:
                center[j], scale[j] = _center_and_scale(kind, column)
                continue
            center[j], scale[j] = _center_and_scale("standard", column)
            curve = fit_curve(kind, column) if scale[j] else None
            if curve is not None:
                curves[j] = curve
                center[j], scale[j] = _center_and_scale("standard", curve.bend(column))
        n_at_once = min(256, max(1, _CELLS_AT_ONCE // max(1, rows.size)))
        for columns in np.array_split(np.flatnonzero(is_standard), -(-is_standard.sum() // n_at_once) or 1):
            center[columns], scale[columns] = _standardized(values, rows, columns)
        if kind == "floored":
            by_kind = (scale > 0) & ((groups == BY_KIND) if groups is not None else True)
            scale[by_kind] = np.maximum(scale, _FLOOR * high - _FLOOR * low)[by_kind]
        constant = (scale > 0) & (high - low <= _rounding(low, high))  # NaN is none
        # Of a single row all columns are constant.
        is_kept = kind == "maxabs" and rows.size > 1 and constant.any()
        is_bent = any(curve is not None for curve in curves)
        return cls(
            kind, center, scale, low, high, constant if is_kept else None,
            tuple(curves) if is_bent else (), groups,
        )  # fmt: skip

    @property
    def left_out(self) -> NDArray[np.bool_]:
        """Which columns have no scale, ``[columns]``."""
        left_out: NDArray[np.bool_] = self.scale == 0
        return left_out

    @property
    def by_kind(self) -> NDArray[np.bool_]:
        """Which columns are scaled by the kind, ``[columns]``."""
        groups = np.full(self.scale.size, BY_KIND) if self.groups is None else self.groups
        by_kind: NDArray[np.bool_] = groups == BY_KIND
        return by_kind

    @property
    def unseen(self) -> NDArray[np.bool_]:
        """Which columns are indicators of categories that none of the rows has, ``[columns]``."""
        if self.groups is None:
            return np.zeros(self.scale.size, bool)
        unseen: NDArray[np.bool_] = (self.groups >= 0) & (self.scale == 0) & (self.center == 0)
        return unseen

    @property
    def key(self) -> bytes:
        """Equal where two scalings of a kind do the same to every cell."""
        parts = [self.center, self.scale]
        if self.constant is not None:
            assert self.low is not None
            assert self.high is not None
            parts += [np.where(self.constant, end, np.nan) for end in (self.low, self.high)]
        for curve in self.curves:
            parts.append(np.array([np.nan if curve is None else curve.unit]))
            if curve is not None and curve.knots is not None:
                parts.append(curve.knots)
        return b"".join(part.tobytes() for part in parts)

    @property
    def flat(self) -> NDArray[np.bool_]:
        """Which columns vary by next to nothing beside their size, which their scale is, ``[columns]``."""
        if self.kind not in ("maxabs", "none") or self.low is None or self.high is None:
            return np.zeros(self.scale.size, bool)
        largest = np.fmax(np.abs(self.low), np.abs(self.high))
        width = self.high - self.low
        flat: NDArray[np.bool_] = (width > _rounding(self.low, self.high)) & (width < _FLAT * largest)
        return flat & self.by_kind

    @property
    def without_information(self) -> NDArray[np.bool_]:
        """Which columns have no scale, or that of one number, ``[columns]``."""
        return self.left_out if self.constant is None else self.left_out | self.constant

    def apply(self, values: Cells) -> NDArray[np.float32]:
        """Return scaled values, a new array; NaN is missing, as every cell of a column without a scale is."""
        scaled = np.empty(values.shape, np.float32)
        for block in row_blocks(values):
            self._apply(values[block], scaled[block])
        return scaled

    def apply_to_rows(self, values: Cells, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return some rows scaled; see :meth:`apply`."""
        scaled = np.empty((rows.size, values.shape[1]), np.float32)
        for block in row_blocks(scaled):
            self._apply(values[rows[block]], scaled[block])
        return scaled

    def apply_to_column(self, values: Cells, rows: NDArray[np.int64], j: int) -> NDArray[np.float32]:
        """Return a column of some rows scaled; see :meth:`apply`."""
        with np.errstate(over="ignore"):
            scaled = self._scaled_column(values[rows, j], j).astype(np.float32)
        for group, places in self.unseen_groups():
            if group[j]:
                scaled[np.logical_or.reduce([values[rows, place] == 1 for place in places.tolist()])] = np.nan
        return scaled

    def _apply(self, values: NDArray[np.floating], scaled: NDArray[np.float32]) -> None:
        with np.errstate(over="ignore"):
            for j in range(self.scale.size):
                scaled[:, j] = self._scaled_column(values[:, j], j)
        for rows, columns in self._unseen_cells(values):
            scaled[np.ix_(rows, columns)] = np.nan

    def _scaled_column(self, column: NDArray[np.floating], j: int) -> NDArray[np.float64]:
        """Return a scaled column in double precision, but for unseen categories."""
        if self.scale[j] == 0:
            return np.full(column.size, np.nan)
        curve = self.curves[j] if self.curves else None
        cells = column.astype(np.float64)
        cells = cells if curve is None else curve.bend(cells)
        scaled: NDArray[np.float64] = (cells - self.center[j]) / self.scale[j]
        if (differs := self._differs(cells, j)) is not None:
            scaled[differs] = np.nan
        return scaled

    def without_unseen(self, values: Cells) -> Cells:
        """Return values with categories that the rows lack as missing cells."""
        cells = self._unseen_cells(values)
        if not cells:
            return values
        if isinstance(values, Compact):
            changed = {j: values[:, j] for _, columns in cells for j in np.flatnonzero(columns).tolist()}
            for rows, columns in cells:
                for j in np.flatnonzero(columns).tolist():
                    changed[j][rows] = np.nan
            return values.replaced(changed)
        values = values.copy()
        for rows, columns in cells:
            values[np.ix_(rows, columns)] = np.nan
        return values

    def _unseen_cells(self, values: Cells) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """Return rows with a category that the training rows lack, and the indicators of that column."""
        if self.groups is None:
            return []
        unseen = np.flatnonzero(self.unseen).tolist()
        return [(values[:, j] == 1, self.groups == self.groups[j]) for j in unseen]

    def undo(self, scaled: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return values in the original units, a new array; of a column without a scale the center."""
        values = scaled * self.scale
        values += self.center
        values[:, self.left_out] = self.center[self.left_out]
        for j, curve in enumerate(self.curves):
            if curve is not None and self.scale[j]:
                values[:, j] = curve.unbend(values[:, j])
        return values

    def differing(self, values: Cells) -> NDArray[np.bool_]:
        """Return constant columns with cells of other numbers, which count as missing, ``[columns]``."""
        differing = np.zeros(self.scale.size, bool)
        for j in [] if self.constant is None else np.flatnonzero(self.constant).tolist():
            cells = self._differs(values[:, j], j)
            differing[j] = cells is not None and cells.any()
        return differing

    def constant_limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return, of columns that are constant, the range of cells that are that number, ``[columns]`` each.

        Cells outside, and not 0, count as missing. Other columns have no limits; None where none has.
        """
        if self.constant is None or self.low is None or self.high is None:
            return None
        near = _rounding(self.low, self.high)
        low = np.where(self.constant, self.low - near, -np.inf)
        return low, np.where(self.constant, self.high + near, np.inf)

    def unseen_groups(self) -> list[tuple[NDArray[np.bool_], NDArray[np.int64]]]:
        """Return columns of each group of indicators with unseen ones, ``[columns]``, and their places.

        Where one of these is 1 all indicators of the group count as missing.
        """
        if self.groups is None:
            return []
        numbers = np.unique(self.groups[self.unseen]).tolist()
        return [
            (self.groups == number, np.flatnonzero(self.unseen & (self.groups == number)))
            for number in numbers
        ]

    def _differs(self, column: NDArray[np.floating], j: int) -> NDArray[np.bool_] | None:
        if self.constant is None or not self.constant[j]:
            return None
        assert self.low is not None
        assert self.high is not None
        near = _rounding(self.low[j], self.high[j])
        differs: NDArray[np.bool_] = (column < self.low[j] - near) | (column > self.high[j] + near)
        differs &= column != 0
        return differs

    def scaled_otherwise_before(self, n_rows: int) -> NDArray[np.bool_]:
        """Return columns that earlier versions gave a scale that is none, ``[columns]``.

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
    if kind == "standard":
        center, scale = (float(value[0]) for value in _standard(column[:, None]))
    else:
        center, scale = _MEASURES[kind](column[:, None])
    if scale <= tiny:
        center, scale = float(np.nanmedian(column)), 0.0
    return float(np.ldexp(center, exponent)), float(np.ldexp(scale, exponent))


def _standardized(
    values: Cells, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centers and scales of columns that are standardized, the same as one by one."""
    # Column by column in memory, so that sums are taken in the order of a column alone.
    block = np.asfortranarray(values[np.ix_(rows, columns)], np.float64)
    largest = np.fmax.reduce(np.abs(block), axis=0, initial=np.nan)
    is_observed = ~np.isnan(largest)
    center, scale = np.zeros(columns.size), np.zeros(columns.size)
    if not is_observed.any():
        return center, scale
    block, largest = block[:, is_observed], largest[is_observed]
    exponents = np.frexp(largest)[1]
    block = np.ldexp(block, -exponents)
    centers, scales = _standard(np.asfortranarray(block))
    is_flat = scales <= np.ldexp(largest, -exponents) * _ROUNDING
    if is_flat.any():
        centers[is_flat], scales[is_flat] = np.nanmedian(block[:, is_flat], axis=0), 0.0
    center[is_observed], scale[is_observed] = np.ldexp(centers, exponents), np.ldexp(scales, exponents)
    return center, scale


def _share(column: NDArray[np.float64]) -> tuple[float, float]:
    """Return the share of an indicator; no scale where all rows have its category or none has."""
    observed = column[~np.isnan(column)]
    share = float(observed.mean()) if observed.size else 0.0
    return share, float(np.sqrt(share)) if 0 < share < 1 else 0.0


def _rounding(low: Any, high: Any) -> Any:
    """Return how far apart cells of a range may be and be equal up to rounding."""
    return _ROUNDING * np.maximum(np.abs(low), np.abs(high))


def _minmax(column: NDArray[np.float64]) -> tuple[float, float]:
    low = float(np.nanmin(column))
    span = float(np.nanmax(column)) - low
    return low, 1 / (1 / span) if span else 0.0


def _standard(columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means and standard deviations of the observed cells, those of scikit-learn's StandardScaler.

    Source: Chan, Golub and LeVeque, The American Statistician 37 (1983), the corrected two-pass algorithm.
    """
    is_missing = np.isnan(columns)
    add = np.nansum if is_missing.any() else np.sum
    counts = len(columns) - add(is_missing.astype(np.float64), axis=0)
    means = add(columns, axis=0) / counts
    rest = columns - means
    left = add(rest, axis=0)  # nothing but rounding
    rest **= 2
    return means, np.sqrt((add(rest, axis=0) - left**2 / counts) / counts)


def _robust(column: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.nanpercentile(column[:, 0], (25.0, 75.0))
    return float(np.nanmedian(column)), float(high - low)


_MEASURES: dict[str, Callable[[NDArray[np.float64]], tuple[float, float]]] = {
    "maxabs": lambda column: (0.0, float(np.nanmax(np.abs(column)))), "minmax": _minmax, "robust": _robust,
}  # fmt: skip


def left_out_mark(splits: Mapping[str, tuple[Scaling, int]], tables: Sequence[Cells]) -> str:
    """Hash the columns that earlier versions scaled otherwise, for the identity of what is trained.

    Args:
        splits: By name, the scaling of each split and how many rows it was fitted on.
        tables: What is scaled, ``[rows, columns]`` each.

    Returns:
        16 hexadecimal digits; empty where there are no such columns, so that earlier results stay valid.
    """
    marked = {}
    for name, (scaling, n_rows) in splits.items():
        marked[name] = scaling.scaled_otherwise_before(n_rows)
        marked[f"{name}, one number"] = _any_differing(scaling, tables)
    columns = {
        name: np.flatnonzero(is_marked).tolist() for name, is_marked in marked.items() if is_marked.any()
    }
    return hashlib.sha256(repr(sorted(columns.items())).encode()).hexdigest()[:16] if columns else ""


def scaling_warnings(
    columns: Sequence[str],
    varying: NDArray[np.bool_],
    splits: Mapping[str, Scaling],
    tables: Sequence[Cells],
) -> list[str]:
    """Name columns of which scaling leaves nothing, or next to it, though they vary.

    Those that are left out of the loss have a sentence for each group of splits.

    Args:
        columns: The columns' names.
        varying: Which of them vary in the table as a whole; constant ones are named when it is read.
        splits: The scaling of each split, by name.
        tables: What is scaled, ``[rows, columns]`` each.

    Shape:
        varying: ``[columns]``.
    """
    kinds = {scaling.kind for scaling in splits.values()}
    why = "constant or unobserved in the training rows"
    if "robust" in kinds:
        why += ", or their quartiles coincide, where --scaling standard would keep the column"
    if "none" in kinds:
        why = "unobserved in the training rows"
    where: dict[tuple[str, str], list[str]] = {}
    for name, scaling in splits.items():
        columns_by_reason = {
            why: scaling.left_out & ~scaling.unseen & varying,
            "a category without training rows; where a row has it, the cell counts as missing": (
                scaling.unseen & varying
            ),
            "constant in the training rows; only cells of that number and zeros count": _any_differing(
                scaling, tables
            ),
        }
        for reason, is_affected in columns_by_reason.items():
            for j in np.flatnonzero(is_affected).tolist():
                where.setdefault((columns[j], reason), []).append(name)
    groups: dict[tuple[str, ...], list[str]] = {}
    for (column, reason), names in where.items():
        groups.setdefault((reason, *names), []).append(column)
    return [
        *(
            f"left out of the loss{'' if len(names) == len(splits) else ' of ' + listed(names)}: "
            f"{listed(affected)} ({reason})"
            for (reason, *names), affected in groups.items()
        ),
        *_flat_warnings(columns, splits),
        *_weight_warnings(splits),
    ]


def _weight_warnings(splits: Mapping[str, Scaling]) -> list[str]:
    scaling = next(iter(splits.values()))
    if scaling.kind not in ("maxabs", "none", "minmax", "robust"):
        return []
    if scaling.by_kind.all() or not scaling.by_kind.any():
        return []
    return [
        f"numbers scaled by --scaling {scaling.kind} weigh otherwise than categories, dates and truth "
        "values; --scaling standard gives all of them comparable weights"
    ]


def _flat_warnings(columns: Sequence[str], splits: Mapping[str, Scaling]) -> list[str]:
    flat = np.logical_or.reduce([scaling.flat for scaling in splits.values()])
    if not flat.any():
        return []
    names, kind = (
        listed([columns[j] for j in np.flatnonzero(flat).tolist()]),
        next(iter(splits.values())).kind,
    )
    return [
        f"varies by less than a ten-thousandth of its largest number: {names}; "
        f"--scaling {kind} leaves next to nothing of that to learn from, --scaling standard all of it"
    ]


def _any_differing(scaling: Scaling, tables: Sequence[Cells]) -> NDArray[np.bool_]:
    differing: NDArray[np.bool_] = np.logical_or.reduce([scaling.differing(values) for values in tables])
    return differing
