"""Figures as PNG, read back by Pillow."""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from autoenc.system.png import png_content


def read(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()  # checks all that is there
    return image


def figure(layout: str | None = "constrained") -> Figure:
    drawn = Figure(figsize=(4, 3), dpi=100, layout=layout)
    drawn.add_subplot().plot([1, 3, 2], label="line")
    return drawn


def written(picture: Figure, **words: str) -> Image.Image:
    file = io.BytesIO()
    png_content(picture, words)(file)
    return read(file.getvalue())


@pytest.mark.parametrize(
    "style", [{}, {"savefig.dpi": 60}, {"savefig.bbox": "tight"}, {"savefig.transparent": True}]
)
def test_a_figure_looks_as_matplotlib_writes_it(style) -> None:
    with mpl.rc_context(style):
        image = written(figure(None), autoenc="key")
        file = io.BytesIO()
        figure(None).savefig(file, format="png")
    theirs = read(file.getvalue())
    assert image.size == theirs.size
    np.testing.assert_array_equal(np.asarray(image), np.asarray(theirs.convert("RGBA")))
    assert image.info["dpi"] == pytest.approx(theirs.info["dpi"])
    assert image.text["autoenc"] == "key"


def test_labels_are_laid_out() -> None:
    plain, laid_out = written(figure(None)), written(figure())
    assert not np.array_equal(np.asarray(plain), np.asarray(laid_out))
    file = io.BytesIO()
    figure().savefig(file, format="png")
    np.testing.assert_array_equal(np.asarray(laid_out), np.asarray(read(file.getvalue()).convert("RGBA")))
