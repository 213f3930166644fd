"""Words around axes have room in the picture, as by Matplotlib's constrained layout."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from autoenc.report.labels import wrapped_name
from autoenc.report.plots import (
    UNIT,
    ComplexityPlot,
    Curve,
    CurvesPlot,
    draw_complexity,
    draw_curves,
    new_column,
)
from autoenc.report.progress import Minimum, ProgressPlot, draw_progress
from autoenc.report.study_figures import HistoryPlot, ImportancesPlot, draw_history, draw_importances
from autoenc.system.png import png_content

LONG = wrapped_name(
    "2048-1024-512-256-128-64, initial_lr 0.0003, activation leaky_relu, dropout 0.1, norm batch"
)
TITLE = "Test loss of the best 5 of 34 stacks, latent size 3, 2,008 x 24 table"


def curves(scale: float = 0.02, name: str = "128-64", n_epochs: int = 20) -> Figure:
    shape = scale * (1 + np.exp(-np.arange(n_epochs) / 5))
    lines = [Curve(f"{name}   {share:.5f}", (share * shape).tolist()) for share in (1.0, 1.1, 1.3)]
    return draw_curves(CurvesPlot(TITLE, lines, "test loss", UNIT))


def complexity(scale: float = 0.02, name: str = "128-64", most: int = 60_000) -> Figure:
    sizes = np.geomspace(300, most, 12).astype(int).tolist()
    losses = (scale * np.linspace(2, 1, 12)).tolist()
    label, front = f"best: {name}\nloss 0.01403\n57,675 parameters", list(range(12))
    beside = {"pca": 1.5 * scale, "mean": 3 * scale}
    return draw_complexity(
        ComplexityPlot(TITLE, sizes, losses, [1, 2, 3] * 4, 11, label, front, beside, "loss", UNIT)
    )


def progress(scale: float = 0.02, name: str = "128-64", n: int = 34) -> Figure:
    losses = (scale * np.linspace(2, 1, n)).tolist()
    minima = [Minimum(i + 1, losses[i], f"{name}  {losses[i]:.5f}") for i in range(max(0, n - 4), n)]
    limits = {"good (1 x PCA)": 1.5 * scale, "excellent (0.9 x PCA)": 1.35 * scale}
    return draw_progress(ProgressPlot("34 of 34 stacks", losses, [1000] * n, minima, limits, "test loss"))


def history(scale: float = 1.0) -> Figure:
    values = [(i, -scale * i) for i in range(30)]
    return draw_history(HistoryPlot("Value of 30 trials", values, values, [], {"failed": [30, 31]}, 31))


def importances(name: str = "learning_rate") -> Figure:
    return draw_importances(ImportancesPlot("Importance", {name: 0.7, "x": 0.3}, "from 12 trials only"))


PICTURES = {
    "curves": curves,
    "long curves": lambda: curves(name=LONG),
    "small curves": lambda: curves(3e-7),
    "large curves": lambda: curves(1.5e12),
    "one epoch": lambda: curves(n_epochs=1),
    "sizes": complexity,
    "long sizes": lambda: complexity(name=LONG),
    "small sizes": lambda: complexity(2e-7),
    "large sizes": lambda: complexity(98_765.0, most=2_000_000_000),
    "progress": progress,
    "long progress": lambda: progress(name=LONG),
    "small progress": lambda: progress(2e-7),
    "progress of one": lambda: progress(n=1),
    "progress of thousands": lambda: progress(n=3000),
    "history": history,
    "large history": lambda: history(1e9),
    "importances": importances,
    "long importances": lambda: importances("a_parameter_of_somebody_with_a_long_name"),
}


@pytest.fixture(params=PICTURES, ids=str)
def figure(request) -> Figure:
    return PICTURES[request.param]()


def written(figure: Figure) -> np.ndarray:
    file = io.BytesIO()
    png_content(figure)(file)
    assert file.getvalue().startswith(b"\x89PNG")
    return np.asarray(figure.canvas.buffer_rgba())


def test_nothing_touches_the_edge(figure) -> None:
    ink = (written(figure)[..., :3] < 250).any(axis=2)
    for edge in (ink[:3], ink[-3:], ink[:, :3], ink[:, -3:]):
        assert not edge.any()


@pytest.mark.parametrize("picture", PICTURES)
def test_axes_have_the_room_that_the_constrained_layout_gives_them(picture) -> None:
    figure, constrained = PICTURES[picture](), PICTURES[picture]()
    constrained.set_layout_engine("constrained")
    for each in (figure, constrained):
        written(each)
    for axes, others in zip(figure.axes, constrained.axes, strict=True):
        difference = axes.get_position().get_points() - others.get_position().get_points()
        assert np.abs(difference * figure.bbox.size).max() < 8, difference  # dots, of 825 or more


def test_the_title_stands_above_the_factor_of_the_numbers() -> None:
    for figure in (curves(3e-7), complexity(2e-7), progress(2e-7), history(1e9)):
        written(figure)
        axes = figure.axes[0]
        renderer = figure.canvas.get_renderer()
        factor = axes.yaxis.get_offset_text()
        assert factor.get_text()
        title = next(text for text in axes.findobj(Text) if text.get_text() == axes.get_title("left"))
        assert title.get_window_extent(renderer).y0 >= factor.get_window_extent(renderer).y1 - 1


def test_labels_stand_beside_the_numbers(figure) -> None:
    written(figure)
    renderer = figure.canvas.get_renderer()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if not axis.label.get_text():
                continue
            label = axis.label.get_window_extent(renderer)
            numbers = [tick.get_window_extent(renderer) for tick in axis.get_ticklabels() if tick.get_text()]
            assert not any(label.overlaps(box) for box in numbers)


def test_laying_out_again_changes_nothing(figure) -> None:
    places = []
    for _ in range(2):
        figure.get_layout_engine().execute(figure)
        places.append(np.array([axes.get_position().get_points() for axes in figure.axes]))
    np.testing.assert_allclose(*places, atol=8 / 825)


@pytest.mark.parametrize("kind", ["pdf", "svg", "png"])
def test_people_may_save_it_themselves(kind, tmp_path) -> None:
    path = tmp_path / f"picture.{kind}"
    complexity().savefig(path)
    assert path.stat().st_size > 1000


def test_words_that_are_too_long_leave_some_room_for_axes() -> None:
    figure = new_column()
    axes = figure.add_subplot()
    axes.plot([1, 2], label="long " * 100)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))
    written(figure)
    assert axes.get_position().width >= 0.19
