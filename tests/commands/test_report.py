"""The command that writes one page about the searches of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import autoenc

pytest.importorskip("plotly", reason="plotly is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")

TUNE = ["--n_trials", "3", "--strategy", "random", "--epochs", "2", "--hidden_size_range", "4,8", "--quiet"]
SEARCH = ["--hidden_dims_search", "4,8", "--max_layers", "1", "--epochs", "2", "--quiet"]


def test_every_latent_size_of_a_folder(call: Any, table_csv: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert (
        call("search", "--data_path", table_csv, "--latent_dim", "1,2", *SEARCH, "--output_dir", out).code
        == 0
    )
    answer = call("report", out)
    assert (answer.code, answer.err) == (0, "")
    text = (out / "report.html").read_text()
    assert text.count('<section id="search-') == 2
    assert "<h2>Latent sizes</h2>" in text
    assert text.count("plotly.js v") == 1
    assert text.count("<h3>Rows in the latent space</h3>") == 2
    assert "no rows" not in answer.err


def test_adaptive_and_two_stage_searches(
    call: Any, table_csv: Path, frame: pd.DataFrame, tmp_path: Path
) -> None:
    tuned = tmp_path / "tuned"
    assert call("tune", "--data_path", table_csv, "--latent_dim", "2", *TUNE, "--output_dir", tuned).code == 0
    assert call("report", tuned, "--output", tmp_path / "page.html").code == 0
    text = (tmp_path / "page.html").read_text()
    assert "<h3>Trials in their order</h3>" in text
    assert "<h3>How well each column is reconstructed</h3>" in text
    assert (
        "On average over the columns below: " in text
    )  # of which a category is one, and not all of a column
    options = {
        "n_trials": 2, "n_cv_folds": 2, "finalists": 1, "latent_dim_options": 2, "hidden_dims_options": "4",
        "epochs": 1, "stage2_epochs": 1, "quiet": True,
    }  # fmt: skip
    results = autoenc.transfer(frame.fillna(0), regression_target="up", **options)
    results.report(tmp_path / "transfer.html", frame)
    assert "encoder for up, 2 trials" in (tmp_path / "transfer.html").read_text()


def test_a_table_that_is_gone_is_told(call: Any, frame: pd.DataFrame, tmp_path: Path) -> None:
    out, table = tmp_path / "out", tmp_path / "table.csv"
    frame.to_csv(table, index=False)
    assert call("search", "--data_path", table, "--latent_dim", "2", *SEARCH, "--output_dir", out).code == 0
    moved = table.rename(tmp_path / "moved.csv")
    answer = call("report", out)
    assert answer.code == 0
    assert "no rows are shown" in answer.err
    assert "<h3>Original beside reconstructed</h3>" not in (out / "report.html").read_text()
    answer = call("report", out, "--data_path", moved)
    assert (answer.code, answer.err) == (0, "")
    assert "<h3>Original beside reconstructed</h3>" in (out / "report.html").read_text()


def test_wrong_words_are_told(call: Any, tmp_path: Path, table_csv: Path) -> None:
    for words, told in (
        ([tmp_path / "nowhere"], "there is no study.journal"),
        ([tmp_path, "--output", table_csv, "--data_path", table_csv], "is --data_path itself"),
    ):
        answer = call("report", *words)
        assert (answer.code, answer.out) == (2, "")
        assert told in answer.err
