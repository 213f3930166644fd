"""A search says what the test loss of its chosen stack is made of, and does not train for it again."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import autoenc
from autoenc.analysis.cells import cells_document

OPTIONS = {"hidden_dims_search": (4, 8), "max_layers": 1, "epochs": 3, "quiet": True, "latent_dim": 2}


@pytest.mark.parametrize("options", [{}, {"folds": 3}, {"engine": "torch", "device": "cpu"}])
def test_it_is_that_of_the_model(options) -> None:
    table = np.random.default_rng(0).random((60, 5))
    results = autoenc.search(table, **OPTIONS, **options)
    job, model = results.source, results.best_model()
    chosen = results.selection.chosen
    fit = chosen.trial.refit(chosen)
    split = job.division.split(fit.fold)
    expected = cells_document(split, model.reconstruct_scaled(table[split.test]), fit.recipe, results.columns)
    assert results.cells["n_worse_than_mean"] == expected["n_worse_than_mean"]
    assert results.cells["mean_ratio"] == pytest.approx(expected["mean_ratio"], rel=1e-4)
    for found, other in zip(results.cells["columns"], expected["columns"], strict=True):
        assert found["column"] == other["column"]
        assert found["share"] == pytest.approx(other["share"], rel=1e-3)


def test_it_is_in_the_files_and_stays_there(tmp_path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.random((60, 5)), columns=list("abcde"))
    first = autoenc.search(table, **OPTIONS, output_dir=str(tmp_path))
    document = json.loads((tmp_path / "hyperparam_results_latent2.json").read_text())
    assert document["test_loss_is_made_of"] == first.cells
    assert autoenc.load_results(tmp_path).cells == first.cells
    assert autoenc.search(table, **OPTIONS, output_dir=str(tmp_path)).cells == first.cells
