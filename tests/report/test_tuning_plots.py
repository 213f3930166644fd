"""Pictures of an adaptive search: every trial is drawn, however it was proposed."""

from __future__ import annotations

import pytest

from autoenc.report.tuning_plots import AnalysisPlot, draw_analysis
from autoenc.tuning.resilient import Mode

MODES = (*Mode, "best of the families before", "enqueued", "of another version", "")


@pytest.fixture
def loss_axis():
    n = len(MODES)
    losses, modes = [1.0 - 0.1 * i for i in range(n)], [str(mode) for mode in MODES]
    plot = AnalysisPlot(list(range(n)), losses, modes, [10] * n, [1e-3] * n, losses, [0] * n, {"ae": 0})
    return draw_analysis(plot).axes[0]


def test_every_trial_is_drawn_whatever_its_mode(loss_axis):
    drawn = [tuple(point) for points in loss_axis.collections for point in points.get_offsets()]
    assert sorted(number for number, _ in drawn) == list(range(len(MODES)))


def test_every_mode_is_named_and_looks_its_own(loss_axis):
    named = [text.get_text() for text in loss_axis.get_legend().get_texts()]
    assert named == [*MODES[:-1], "unknown", "best so far"]
    looks = {
        (tuple(points.get_facecolor()[0]), len(points.get_paths()[0].vertices))
        for points in loss_axis.collections[: len(Mode) + 2]
    }
    assert len(looks) == len(Mode) + 2
