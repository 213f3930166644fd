"""Searches of the same rows in other units, and of columns without a scale, by the command line."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autoenc import load_model
from autoenc.analysis.baselines import baseline_losses
from autoenc.data.division import HOLDOUT, Division, fold_names, split_table
from autoenc.data.table import Table
from autoenc.engines import Fit, Recipe
from autoenc.searching.inputs import context_of
from autoenc.settings import SearchSettings, require_settings

GRID = ("--hidden_dims_search", 4, "--max_layers", 1, "--latent_dim", 3, "--epochs", 3, "--jobs", 1)
KINDS = ("maxabs", "minmax", "standard", "robust")


def plain_rows() -> pd.DataFrame:
    """Numbers of few binary digits, so that no offset rounds them; some are missing."""
    rng = np.random.default_rng(3)
    cells = np.round(rng.normal(size=(80, 4)) * 256) / 256
    cells[rng.random(cells.shape) < 0.05] = np.nan
    return pd.DataFrame(cells, columns=list("abcd"))


@pytest.fixture
def search(call, tmp_path: Path) -> Callable[..., tuple[dict, str]]:
    """Searches a frame; gives the results and what was said as an error."""

    def searched(frame: pd.DataFrame, *options: object) -> tuple[dict, str]:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        frame.to_csv(folder / "t.csv", index=False)
        place = ("--data_path", folder / "t.csv", "--output_dir", folder)
        answer = call("search", *place, *GRID, "--quiet", *options)
        assert answer.code == 0, answer.err
        results = json.loads((folder / "hyperparam_results_latent3.json").read_text())
        return {**results, "folder": folder}, answer.err

    return searched


def loss(found: tuple[dict, str]) -> float:
    return found[0]["all_results"][0]["final_test_loss"]


def loss_of(engine, frame: pd.DataFrame, kind: str) -> float:
    table = Table(frame.to_numpy(), list(frame), "memory")
    outcome = engine.fit(split_table(table, kind, 42)[0], Fit((4,), 2, Recipe(epochs=3), 1))
    return outcome.final_test_loss


@pytest.mark.parametrize("kind", KINDS)
def test_losses_do_not_depend_on_unit_and_offset(compiled_engine, kind: str) -> None:
    usual = loss_of(compiled_engine, plain_rows(), kind)
    changed = plain_rows()
    changed["a"] *= 1000
    changed["d"] *= 1e-30
    if kind != "maxabs":
        changed["b"] += 1e6
        changed["c"] = changed["c"] * 30 + 1.7e9  # Unix seconds: one number in single precision
    assert loss_of(compiled_engine, changed, kind) == pytest.approx(usual, rel=1e-5)
    assert 0.01 < usual < 10


def without_a_scale(kind: str, learned: float) -> pd.DataFrame:
    """A column ``e`` that varies in the test rows only."""
    frame = plain_rows()
    split, _ = split_table(Table(frame.to_numpy(), list("abcd"), "memory"), "none", 42)
    column = np.full(80, learned)
    column[split.test] = np.linspace(1, 66308, split.test.size)
    return frame.assign(e=column)


@pytest.mark.parametrize(
    ("kind", "learned"),
    [*itertools.product(KINDS, [0.0, np.nan, 5.0, -0.3])],
)
def test_a_column_without_a_scale_swamps_no_loss(compiled_engine, kind: str, learned: float) -> None:
    frame = without_a_scale(kind, learned)
    # Another number than 0 is a scale of the largest cell, but of cells like it alone.
    known = learned if kind == "maxabs" and learned else np.nan
    expected = frame.assign(e=frame.e.where(frame.e == known))
    assert loss_of(compiled_engine, frame, kind) == loss_of(compiled_engine, expected, kind) < 1
    split, _ = split_table(Table(frame.to_numpy(), list(frame), "memory"), kind, 42)
    assert all(loss < 10 for loss in baseline_losses(split, 2, Recipe()).values())


@pytest.mark.parametrize(
    ("kind", "learned"), [("maxabs", 0.0), ("maxabs", 5.0), ("robust", 5.0), ("standard", np.nan)]
)
def test_a_column_without_a_scale_is_named_and_given_back(search, kind: str, learned: float) -> None:
    found = search(without_a_scale(kind, learned), "--scaling", kind, "--save_models")
    assert "left out of the loss: 'e' (" in found[1]
    assert ("--scaling standard" in found[1]) == (kind == "robust")
    assert loss(found) < 10
    model = load_model(found[0]["folder"] / "best_model_latent3.pth")
    rows = without_a_scale(kind, learned)
    assert np.isfinite(model.encode(rows)).all(axis=None)
    is_learned = kind == "maxabs" and learned != 0
    if not is_learned:
        np.testing.assert_array_equal(model.reconstruct(rows)["e"], np.nan_to_num(learned))
    # What else stands in it changes no latent point.
    other = rows.assign(e=rows.e.where(rows.e == learned, 7.0) if is_learned else 1e30)
    np.testing.assert_array_equal(model.encode(other), model.encode(rows))


def test_folds_leave_out_what_their_own_rows_do_not_tell(search) -> None:
    frame = plain_rows().assign(e=0.0)
    frame.loc[[0, 1], "e"] = [3e6, -2e6]
    _, err = search(frame, "--folds", 4)
    assert "left out of the loss of '" in err or "left out of the loss: 'e'" in err


@pytest.mark.parametrize("n_folds", [0, 4])
def test_what_is_known_by_its_context_is_marked_where_a_column_has_no_scale(n_folds: int) -> None:
    """Small whole numbers: the fingerprint is what it always was, but the losses are not."""

    def division_of(frame: pd.DataFrame) -> str:
        table = Table(frame.to_numpy(), list(frame), "memory")
        division = Division(table, "maxabs", 42)
        settings = require_settings(SearchSettings, {"data_path": "t.csv"})
        return context_of(
            settings, settings.scaling_kind, table, 2, division, [HOLDOUT, *fold_names(n_folds)]
        ).division

    assert division_of(plain_rows()) == "{}"
    assert set(json.loads(division_of(without_a_scale("maxabs", 0.0).round()))) == {"left_out"}
