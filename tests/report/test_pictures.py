"""A picture is drawn where what it shows has changed, and left alone where it has not."""

from __future__ import annotations

from typing import NamedTuple

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from autoenc.report.pictures import write_picture


class Plot(NamedTuple):
    title: str
    losses: list[float]


PLOT = Plot("losses", [0.1, 0.2, 0.30000000000000004])


@pytest.fixture
def draw():
    def drawing(plot: Plot) -> Figure:
        drawing.times += 1
        figure = Figure()
        figure.add_subplot().plot(plot.losses)
        return figure

    drawing.times = 0
    return drawing


def test_what_shows_the_same_is_not_drawn_again(draw, tmp_path):
    path = tmp_path / "losses.png"
    write_picture(path, draw, PLOT)
    first = path.read_bytes()
    write_picture(path, draw, Plot("losses", [0.1, 0.2, 0.30000000000000004]))
    assert draw.times == 1
    assert path.read_bytes() == first
    assert first.startswith(b"\x89PNG")


@pytest.mark.parametrize("plot", [Plot("loss", PLOT.losses), Plot("losses", [0.1, 0.2, 0.3])])
def test_what_shows_something_else_is_drawn(draw, tmp_path, plot):
    path = tmp_path / "losses.png"
    write_picture(path, draw, PLOT)
    write_picture(path, draw, plot)
    write_picture(path, draw, plot)
    assert draw.times == 2


def test_a_picture_is_drawn_where_the_file_is_not_a_whole_one(draw, tmp_path):
    path = tmp_path / "losses.png"
    write_picture(path, draw, PLOT)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:-20], whole[4096:]):
        path.write_bytes(content)
        write_picture(path, draw, PLOT)
        assert path.read_bytes() == whole
    path.unlink()
    write_picture(path, draw, PLOT)
    assert draw.times == 6


def test_a_link_is_replaced_by_a_picture(draw, tmp_path):
    path, other = tmp_path / "losses.png", tmp_path / "other.png"
    write_picture(other, draw, PLOT)
    path.symlink_to(other)
    write_picture(path, draw, PLOT)
    assert not path.is_symlink()
    assert draw.times == 2


def test_a_picture_is_drawn_anew_in_another_style(draw, tmp_path, monkeypatch):
    from autoenc.report import pictures

    path = tmp_path / "losses.png"
    write_picture(path, draw, PLOT)
    pictures._drawn_by.cache_clear()
    with mpl.rc_context({"lines.linewidth": 9.0}):
        write_picture(path, draw, PLOT)
    pictures._drawn_by.cache_clear()
    assert draw.times == 2
