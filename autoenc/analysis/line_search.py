"""A step along a line that lowers a function enough and leaves it flatter: the search of Moré and Thuente.

J. J. Moré and D. J. Thuente, Line search algorithms with guaranteed sufficient decrease, ACM Transactions on
Mathematical Software 20 (1994); with the constants that L-BFGS-B gives it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["Point", "wolfe_point"]

_DECREASE, _FLATTER = (
    1e-3,
    0.9,
)  # of the slope at the start: what a step must gain, and what may be left of it
_NARROW = 0.1  # an interval, relative to its end, in which there is no more to be gained
_MOST_POINTS = 20
_LONGEST = 1e10


class Point(NamedTuple):
    """The function at a step along the line, and its derivative."""

    step: float
    value: float
    slope: float

    def tilted(self, slope: float) -> Point:
        """Return the same of the function less a line of this slope."""
        return Point(self.step, self.value - self.step * slope, self.slope - slope)


def wolfe_point(at: Callable[[float], Point], start: Point, step: float) -> Point | None:
    """Return a point that is low and flat enough; it is the last one that was asked for.

    Args:
        at: Returns the point at a step.
        start: That of step 0; its slope is negative.
        step: The first to try.

    Returns:
        None where twenty points are not enough.
    """
    enough = _DECREASE * start.slope
    best = other = start  # the ends of an interval, the lower one first
    is_bracketed, is_below = False, False
    shortest, longest = 0.0, 5 * step
    widths = [2 * _LONGEST, _LONGEST]
    for _ in range(_MOST_POINTS):
        point = at(step)
        is_low = point.value <= start.value + step * enough
        is_below |= is_low and point.slope >= 0
        if is_low and abs(point.slope) <= -_FLATTER * start.slope:
            return point
        if is_bracketed and (not shortest < step < longest or longest - shortest <= _NARROW * longest):
            return point  # rounding lets it come no closer
        if step == _LONGEST and is_low and point.slope <= enough:
            return point
        tilt = enough if not is_below and point.value <= best.value and not is_low else 0.0
        ends = best.tilted(tilt), other.tilted(tilt), point.tilted(tilt)
        next_step, is_bracketed = _next_step(*ends, is_bracketed, shortest, longest)
        best, other = _interval(best, other, point, tilt)
        if is_bracketed:
            width = abs(other.step - best.step)
            if width >= 0.66 * widths[0]:
                next_step = best.step + 0.5 * (other.step - best.step)
            widths = [widths[1], width]
            shortest, longest = sorted((best.step, other.step))
        else:
            shortest = next_step + 1.1 * (next_step - best.step)
            longest = next_step + 4.0 * (next_step - best.step)
        step = min(max(next_step, 0.0), _LONGEST)
        if is_bracketed and (not shortest < step < longest or longest - shortest <= _NARROW * longest):
            if best is point:
                return point
            step = best.step
    return None


def _interval(best: Point, other: Point, point: Point, tilt: float) -> tuple[Point, Point]:
    """Return the ends of the next interval around a minimum."""
    if point.tilted(tilt).value > best.tilted(tilt).value:
        return best, point
    return point, best if _opposed(best.tilted(tilt), point.tilted(tilt)) else other


def _opposed(one: Point, two: Point) -> bool:
    return bool(np.sign(one.slope) * np.sign(two.slope) < 0)


def _next_step(
    best: Point, other: Point, point: Point, is_bracketed: bool, shortest: float, longest: float
) -> tuple[float, bool]:
    """Return where a cubic through two points is lowest, safeguarded, and whether a minimum is bracketed."""
    if point.value > best.value:
        cubic, secant = _cubic(best, point), _parabola(best, point)
        is_closer = abs(cubic - best.step) <= abs(secant - best.step)
        return cubic if is_closer else cubic + (secant - cubic) / 2, True
    secant = point.step + point.slope / (point.slope - best.slope) * (best.step - point.step)
    if _opposed(best, point):
        cubic = _cubic(point, best)
        return max(cubic, secant, key=lambda step: abs(step - point.step)), True
    is_beyond = point.step > best.step
    if abs(point.slope) < abs(best.slope):
        cubic = _cubic(point, best, longest if is_beyond else shortest)
        if not is_bracketed:
            farther = cubic if abs(cubic - point.step) > abs(secant - point.step) else secant
            return min(max(farther, shortest), longest), False
        nearer = cubic if abs(cubic - point.step) < abs(secant - point.step) else secant
        most = point.step + 0.66 * (other.step - point.step)
        return min(most, nearer) if is_beyond else max(most, nearer), True
    if is_bracketed:
        return _cubic(point, other), True
    return longest if is_beyond else shortest, False


def _cubic(near: Point, far: Point, otherwise: float | None = None) -> float:
    """Return the lowest step of the cubic through two points.

    Args:
        near: One of them, from which the step is counted.
        far: The other.
        otherwise: Taken where that would lie away from ``far``, or nowhere.
    """
    theta = 3 * (far.value - near.value) / (near.step - far.step) + near.slope + far.slope
    scale = max(abs(theta), abs(near.slope), abs(far.slope))
    square = (theta / scale) ** 2 - near.slope / scale * (far.slope / scale)
    gamma = scale * np.sqrt(square if otherwise is None else max(0.0, square))
    if near.step > far.step:
        gamma = -gamma
    ratio = (gamma - near.slope + theta) / (gamma - near.slope + gamma + far.slope)
    if otherwise is not None and not (ratio < 0 and gamma != 0):
        return otherwise
    return float(near.step + ratio * (far.step - near.step))


def _parabola(best: Point, point: Point) -> float:
    """Return the lowest step of the parabola through two points with the slope of the first."""
    length = point.step - best.step
    return best.step + best.slope / ((best.value - point.value) / length + best.slope) / 2 * length
