"""Ticks of log axes, without what takes a picture's time and is not seen.

Numbers are written out, as typesetting powers of ten takes a sixth of that time. Matplotlib makes small ticks
for two decades beyond what is shown.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import LogFormatterSciNotation, LogLocator

__all__ = ["small_ticks_in_view", "write_out_powers"]


class _WrittenOut(LogFormatterSciNotation):
    """Labels the ticks that Matplotlib would, with 20,000 in place of a typeset power."""

    def __call__(self, x: float, pos: Any = None) -> str:
        return f"{x:,.12g}" if super().__call__(x, pos) else ""


class _InView(LogLocator):
    """Places small ticks where Matplotlib would, as far as they are seen."""

    def __call__(self) -> Any:
        assert self.axis is not None
        low, high = sorted(self.axis.get_view_interval())
        places = np.asarray(super().__call__())
        return places[(low <= places) & (places <= high)]


def small_ticks_in_view(axis: Axis) -> None:
    """Leave out small ticks of a log axis that nobody sees."""
    axis.set_minor_locator(_InView(subs="auto"))


def write_out_powers(axis: Axis) -> None:
    """Write out the numbers of a log axis."""
    axis.set_major_formatter(_WrittenOut())
    axis.set_minor_formatter(_WrittenOut())
