"""The answer of a search compares with the best of the baselines, and says first where none is beaten."""

from __future__ import annotations

import numpy as np

import autoenc
from autoenc.report.answer import answer_lines, compared_with_baseline
from autoenc.report.overview import overview

OPTIONS = {"hidden_dims_search": (4, 8), "max_layers": 1, "epochs": 1, "quiet": True, "latent_dim": 2}


def test_the_better_baseline_is_named() -> None:
    baselines = {"pca": 0.02, "linear": 0.01, "mean": 0.5}
    assert compared_with_baseline(0.015, baselines) == (
        "50 % ABOVE a linear autoencoder of the same latent size, fitted to the same loss (0.010000): "
        "that is better"
    )
    assert compared_with_baseline(0.01, {"pca": 0.02, "mean": 0.5}).startswith("50 % below PCA")
    assert "ABOVE the column mean" in compared_with_baseline(0.6, {"pca": 0.9, "mean": 0.5})


def test_before_ties_it_is_said_that_all_are_worse() -> None:
    table = np.random.default_rng(0).normal(size=(60, 5))
    results = autoenc.search(table, **OPTIONS, folds=3, seeds=2)
    lines = answer_lines(results)
    words = [line.split(" ")[0] for line in lines]
    assert words.index("worse") < words.index("ties")
    assert "every stack that was compared is worse than" in lines[words.index("worse")]
    told = overview(results)
    (worse,) = (i for i, line in enumerate(told) if line.startswith("worse"))
    (ties,) = (i for i, line in enumerate(told) if line.startswith("tied with the best"))
    assert worse < ties


def test_with_one_seed_it_is_said_why_nothing_is_tested() -> None:
    table = np.random.default_rng(0).normal(size=(60, 5))
    lines = answer_lines(autoenc.search(table, **OPTIONS, folds=3))
    assert any(line.startswith("ties          not tested: with one seed") for line in lines)
