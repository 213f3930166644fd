"""L-BFGS, as SciPy's ``L-BFGS-B`` without bounds, and without the import of ``scipy.optimize``.

That import takes longer than all other baselines together. The steps are the same up to rounding: R. H. Byrd,
P. Lu, J. Nocedal and C. Zhu, A limited memory algorithm for bound constrained optimization, SIAM Journal on
Scientific Computing 16 (1995).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.analysis.line_search import Point, wolfe_point

__all__ = ["minimized"]

_REMEMBERED = 10  # steps that tell the curvature
_FLAT = 1e-5  # the largest derivative at which there is nothing left to gain

Vector = NDArray[np.float64]


class _Step(NamedTuple):
    """A step, and how the gradient changed with it."""

    step: Vector
    change: Vector


def minimized(
    function: Callable[[Vector], tuple[float, Vector]], start: Vector, most_steps: int, enough: float
) -> Vector:
    """Return where a smooth function is lowest, near ``start``.

    Args:
        function: Returns value and gradient, in new arrays.
        start: ``[n]``.
        most_steps: Steps after which it ends wherever it is.
        enough: It ends with a step that gains no more than that, relative to the value where that is above 1.
    """
    steps: deque[_Step] = deque(maxlen=_REMEMBERED)
    place = start
    value, gradient = function(place)
    n_steps = 0
    while n_steps < most_steps and np.abs(gradient).max() > _FLAT:
        direction = -_times_inverse(gradient, steps)
        slope = np.float64(direction @ gradient)
        length = 1.0 if n_steps else 1 / float(np.linalg.norm(direction))
        line = _Line(function, place, direction)
        with np.errstate(all="ignore"):  # a step of no number is none that is low enough
            end = wolfe_point(line, Point(0.0, np.float64(value), slope), length) if slope < 0 else None
        if end is None:
            if not steps:
                break
            steps.clear()
            continue
        n_steps += 1
        curvature = end.step * (end.slope - slope)
        if curvature > np.finfo(float).eps * -slope * end.step:
            steps.append(_Step(line.place - place, line.gradient - gradient))
        before, place, value, gradient = value, line.place, end.value, line.gradient
        if before - value <= enough * max(abs(before), abs(value), 1.0):
            break
    return place


class _Line:
    """A function along a line; remembers the last point."""

    def __init__(
        self, function: Callable[[Vector], tuple[float, Vector]], start: Vector, direction: Vector
    ) -> None:
        self._function, self._start, self._direction = function, start, direction
        self.place = self.gradient = start

    def __call__(self, step: float) -> Point:
        self.place = self._start + step * self._direction
        value, self.gradient = self._function(self.place)
        return Point(step, np.float64(value), np.float64(self.gradient @ self._direction))


def _times_inverse(gradient: Vector, steps: deque[_Step]) -> Vector:
    """Return the gradient times the inverse of the curvature that the steps tell."""
    result, shares = gradient.copy(), []
    for step, change in reversed(steps):
        share = (step @ result) / (step @ change)
        result -= share * change
        shares.append(share)
    if steps:
        step, change = steps[-1]
        result *= (step @ change) / (change @ change)
    for (step, change), share in zip(steps, reversed(shares), strict=True):
        result += (share - (change @ result) / (step @ change)) * step
    return result
