"""Fits of adaptive searches are handed over as the engine asks for them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import autoenc
from autoenc.engines.stacked import StackedEngine

ROWS = np.random.default_rng(0).normal(size=(60, 4)).round(2)


@pytest.fixture
def n_together(monkeypatch) -> list[int]:
    """Sizes of what the stacked engine is asked for at once."""
    sizes: list[int] = []
    train = StackedEngine.fit_many

    def fit_many(self, requests, answer, stop=None):
        sizes.append(len(requests))
        train(self, requests, answer, stop)

    monkeypatch.setattr(StackedEngine, "fit_many", fit_many)
    return sizes


def test_an_engine_that_trains_many_gets_all_fits_of_a_trial_at_once(n_together) -> None:
    options = {"latent_dim": 2, "n_trials": 2, "epochs": 2, "folds": 3, "seeds": 2, "jobs": 1, "quiet": True}
    results = autoenc.tune(ROWS, engine="stacked", **options)
    assert max(n_together) == 6
    plain = autoenc.tune(ROWS, engine="native", **options)
    losses = [found.leaderboard["value"].to_numpy() for found in (results, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_so_it_does_of_a_search_that_chooses_for_a_second_stage(n_together) -> None:
    frame = {f"x{j}": ROWS[:, j] for j in range(4)} | {"label": np.arange(60) % 2}
    autoenc.transfer(
        pd.DataFrame(frame), engine="stacked", classification_target="label", n_trials=1, n_cv_folds=3,
        epochs=2, n_jobs=1, quiet=True,
    )  # fmt: skip
    assert max(n_together) == 3
