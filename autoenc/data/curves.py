"""Curves that bend a column before it is standardized, for counts and heavy tails, and their inverses.

``log1p`` is ``sign(x) log(1 + |x| / unit)``; the unit is the median size of the cells that are not zero, so
that the result does not depend on the column's unit. ``quantile`` maps the quantiles of the training rows to
those of the normal distribution, as scikit-learn's ``QuantileTransformer`` with normal output does. ``auto``
takes ``log1p`` for columns with long tails and leaves the others as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["BENDING", "EDGE", "Curve", "fit_curve"]

BENDING = ("log1p", "quantile", "auto")
"""Kinds of scaling that bend columns."""

_N_KNOTS = 1000
EDGE = 1e-7  # of probability: where the normal quantiles end, as in scikit-learn
_LONG_TAIL = 2.0  # skewness beyond which a column has a long tail; an exponential distribution has 2
_FAT_TAILS = 9.0  # kurtosis beyond which it has two; a normal distribution has 3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A monotone map of one column and its inverse.

    Attributes:
        kind: ``log1p`` or ``quantile``.
        unit: Of ``log1p``, above 0.
        knots: Of ``quantile``, ``[knots]``, at least 2: quantiles of the training rows at equal distances.
    """

    kind: Literal["log1p", "quantile"]
    unit: float = 1.0
    knots: Floats | None = None

    def bend(self, column: Floats) -> Floats:
        """Return the bent cells of a column; NaN stays."""
        if self.kind == "log1p":
            return cast("Floats", np.sign(column) * np.log1p(np.abs(column) / self.unit))
        from scipy.special import ndtri

        knots, places = self._knots_and_places()
        # Where quantiles coincide both ends of the step are met halfway.
        up = np.interp(column, knots, places)
        down = np.interp(-column, -knots[::-1], -places[::-1])
        return cast("Floats", ndtri(np.clip((up - down) / 2, EDGE, 1 - EDGE)))

    def unbend(self, bent: Floats) -> Floats:
        """Return the cells of which :meth:`bend` makes these; beyond the last knots the last knots."""
        if self.kind == "log1p":
            with np.errstate(over="ignore"):
                return np.sign(bent) * np.expm1(np.abs(bent)) * self.unit
        from scipy.special import ndtr

        knots, places = self._knots_and_places()
        share = ndtr(bent)
        share = np.where(share <= EDGE, 0.0, np.where(share >= 1 - EDGE, 1.0, share))
        return cast("Floats", np.interp(share, places, knots))

    def _knots_and_places(self) -> tuple[Floats, Floats]:
        assert self.knots is not None
        return self.knots, np.linspace(0, 1, self.knots.size)


def fit_curve(kind: str, column: Floats) -> Curve | None:
    """Return the curve of one column.

    Args:
        kind: One of ``BENDING``.
        column: Its cells in the training rows, ``[rows]``; NaN is missing.

    Returns:
        None where the column stays as it is: it is constant or unobserved, or has no long tail.
    """
    observed = column[~np.isnan(column)]
    if observed.size < 2 or observed.min() == observed.max():
        return None
    if kind == "quantile":
        # Cells themselves, so that what equals one does so to the last bit: scikit-learn's transformer has
        # thresholds in the column's unit.
        shares = np.linspace(0, 1, min(_N_KNOTS, observed.size))
        return Curve("quantile", knots=np.quantile(observed, shares, method="nearest"))
    if kind == "auto" and not _has_long_tail(observed):
        return None
    return Curve("log1p", unit=float(np.median(np.abs(observed[observed != 0]))))


def _has_long_tail(observed: Floats) -> bool:
    centered = observed - observed.mean()
    centered /= np.abs(centered).max()  # so that no power leaves the range of the numbers
    deviation = np.sqrt(np.square(centered).mean())
    skewness = (centered**3).mean() / deviation**3
    kurtosis = (centered**4).mean() / deviation**4
    return bool(abs(skewness) > _LONG_TAIL or kurtosis > _FAT_TAILS)
