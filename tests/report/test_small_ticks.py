"""Small ticks of log axes are those of Matplotlib, as far as they are seen."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from autoenc.report.plots import plain_ticks


@pytest.mark.parametrize(
    "limits", [(300, 60_000), (0.02, 0.035), (0.9, 40), (1e-7, 1e3), (7, 1), (1e-20, 1.0)]
)
def test_small_ticks_are_where_they_were(limits) -> None:
    def axis_of():
        axes = Figure().add_subplot()
        axes.set_yscale("log")
        axes.set_ylim(*limits)
        return axes.yaxis

    plain, axis = axis_of(), axis_of()
    plain_ticks(axis)
    low, high = sorted(limits)
    expected = [place for place in plain.get_minor_locator()() if low <= place <= high]
    np.testing.assert_array_equal(axis.get_minor_locator()(), expected)
