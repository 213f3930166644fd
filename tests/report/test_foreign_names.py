"""Names of other people in tables and pictures: nothing is computed, nothing is typeset, nothing breaks."""

from __future__ import annotations

import csv
import io

import numpy as np
import optuna
import pandas as pd
import pytest
from matplotlib.cbook import is_math_text
from matplotlib.text import Text
from optuna.trial import create_trial

from autoenc.report.cells import csv_lines, plain_cell, plain_frame
from autoenc.report.labels import picture_name
from autoenc.report.pivot import PivotPlot, draw_pivot
from autoenc.report.study_figures import (
    draw_importances,
    draw_parallel,
    draw_slices,
    importances_plot,
    parallel_plot,
    slices_plot,
)
from autoenc.report.study_tables import trials_csv
from autoenc.report.study_text import report_text

NAMES = [
    "$x^2$", "$\\frac{1}$", "a$b", "\\$5", "100 %", "{x}", "_hidden", "a_b^c", "two\nlines", "\x1b[31m", "$$",
    "=1+1", "w" * 300,
]  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"), ("+cmd|x", "'+cmd|x"), ("-a", "'-a"), ("@SUM(A1)", "'@SUM(A1)"), ("\tx", "'\tx"),
        ("\r=x", "'\r=x"), ("-", "'-"), ("-1-1", "'-1-1"), ("-1_0", "'-1_0"),
        (-1.5, -1.5), ("-1.5", "-1.5"), ("+3e-4", "+3e-4"), ("a=b", "a=b"), ("", ""), (None, None),
        (True, True),
    ],
)  # fmt: skip
def test_text_that_would_be_computed_begins_with_an_apostrophe(cell, written):
    assert plain_cell(cell) == written


def test_heads_and_cells_of_a_table_are_made_harmless():
    lines = [
        *csv.reader(io.StringIO(csv_lines(["=a", "b"], [["@x", -1], ["64-32", "two\nlines"]]), newline=""))
    ]
    assert lines == [["'=a", "b"], ["'@x", "-1"], ["64-32", "two\nlines"]]


def test_a_frame_is_made_harmless_and_its_numbers_stay():
    frame = pd.DataFrame({"=target": ["=a", "b", None], "-x": [-1.5, 2, float("nan")], "n": [-1, 2, 3]})
    frame["key"] = pd.array([9007199254740993, None, -1], "Int64")
    frame["class"] = pd.Categorical(["@a", "b", "@a"])
    text = plain_frame(frame).to_csv(index=False)
    assert "9007199254740993" in text
    written = pd.read_csv(io.StringIO(text))
    assert [*written.columns] == ["'=target", "'-x", "n", "key", "class"]
    assert written["class"].tolist() == ["'@a", "b", "'@a"]
    assert written["'=target"].tolist()[:2] == ["'=a", "b"]
    assert written["n"].tolist() == [-1, 2, 3]
    assert written["'-x"].isna().tolist() == [False, False, True]


@pytest.fixture(scope="module")
def study() -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(study_name="st$u$dy\n\x1b")
    space = {name: optuna.distributions.FloatDistribution(0, 1) for name in NAMES[:-3]}
    space["_choice$"] = optuna.distributions.CategoricalDistribution(["=x", "$a$", "_b"])
    for i in range(12):
        params = {name: ((7 * i + j) % 11) / 11 for j, name in enumerate(NAMES[:-3])}
        params["_choice$"] = ["=x", "$a$", "_b"][i % 3]
        study.add_trial(create_trial(value=float(i % 5), params=params, distributions=space))
    return study


def pictures(study):
    yield draw_importances(importances_plot(study))
    yield draw_parallel(parallel_plot(study))
    yield draw_slices(slices_plot(study))
    values = np.arange(float(len(NAMES) * 2)).reshape(-1, 2)
    yield draw_pivot(PivotPlot("na$me$\n", "mean of $m$", "$r$\n", "_c", NAMES, NAMES[:2], values, True))


def test_no_name_is_typeset_or_breaks_a_line(study):
    for figure in pictures(study):
        figure.draw_without_rendering()
        shown = [text.get_text() for text in figure.findobj(Text)]
        assert any("$" in text for text in shown)
        for text in shown:
            assert not is_math_text(text) or "mathdefault" in text
            assert len(text) < 120
            assert "\x1b" not in text


def test_a_name_is_drawn_as_it_is():
    assert Text(text=picture_name("$x^2$"))._preprocess_math(picture_name("$x^2$")) == ("$x^2$", False)
    assert picture_name("_hidden").strip() == "_hidden"
    assert not picture_name("_hidden").startswith("_")
    assert len(picture_name("w" * 300)) == 40


def test_tables_and_reports_of_a_study_with_such_names(study):
    head = trials_csv(study).splitlines()[0]
    assert "'=x" in trials_csv(study)
    assert "$x^2$" in head
    text = report_text(study, {"data_path": "a\nb\x1b"}, 1.0)
    assert r"st$u$dy\n\x1b" in text
    assert r"a\nb\x1b" in text
    assert r"two\nlines" in text
