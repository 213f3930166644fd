"""A training in full that ends worse than the trial it came from is shortened or slowed down, and says so."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from autoenc.engines import Fit, Outcome, Recipe, StopFlag
from autoenc.workflows.full_training import FullTraining

TRIAL = Fit((8,), 2, Recipe(epochs=2, initial_lr=1e-2))
LONG = replace(TRIAL, recipe=replace(TRIAL.recipe, epochs=4))


class Division:
    def split_of(self, fit: Fit) -> str:
        return fit.fold


class Engine:
    """Gives losses by learning rate and epochs; those of the holdout must not be asked for."""

    def __init__(self, curves) -> None:
        self.curves = curves

    def fit(self, split, fit, stop):
        assert split == fit.fold == "1/5"
        losses = self.curves[(fit.recipe.epochs, round(fit.recipe.initial_lr, 6))]
        failure = None if np.isfinite(losses[-1]) else "the loss stopped being finite"
        return Outcome(losses, losses, 1.0, 1.0, {}, failure=failure)


def decided(curves, **options):
    training = FullTraining(Engine({(2, 0.01): [0.5, 0.3], **curves}), None, Division(), LONG)
    return training.no_worse_than(TRIAL, StopFlag(), **options)


def test_a_longer_training_that_is_better_stays_as_it_is() -> None:
    training, changed = decided({(4, 0.01): [0.5, 0.3, 0.2, 0.1]})
    assert (training.fit, changed) == (LONG, None)


@pytest.mark.parametrize("end", [9.0, float("inf"), float("nan")])
def test_one_that_ends_worse_is_stopped_at_its_best_epoch(end) -> None:
    training, changed = decided({(4, 0.01): [0.5, 0.2, 0.4, end]})
    assert training.fit.recipe == LONG.recipe.stopped_after(2)
    assert changed.startswith("for 2 epochs, as after 4 epochs it is worse than its trial")


def test_where_no_epoch_is_as_good_the_learning_rate_is_lowered() -> None:
    training, changed = decided({(4, 0.01): [5, 6, 7, 8], (4, 0.003): [0.5, 0.4, 0.3, 0.25]})
    assert training.fit.recipe == replace(LONG.recipe, initial_lr=0.3 * 0.01)
    assert "learning rate of 0.003" in changed


def test_at_last_the_trials_own_recipe_is_taken() -> None:
    worse = [5.0, 6, 7, 8]
    training, changed = decided({(4, rate): worse for rate in (0.01, 0.003, 0.001)})
    assert training.fit.recipe == TRIAL.recipe
    assert changed.startswith("by the trial's own recipe")


def test_a_learning_rate_that_was_asked_for_is_not_lowered() -> None:
    training, _ = decided({(4, 0.01): [5.0, 6, 7, 8]}, may_lower_rate=False)
    assert training.fit.recipe == TRIAL.recipe


def test_the_command_says_what_it_changed(call, tmp_path) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 4))
    np.savetxt(tmp_path / "t.csv", rows, delimiter=",", header="a,b,c,d", comments="")
    found = tmp_path / "found"
    search = ("--hidden_dims_search", "64", "--max_layers", "1", "--epochs", "15", "--initial_lr", "0.01")
    common = ("--data_path", tmp_path / "t.csv", "--latent_dim", "2", "--output_dir", found)
    assert call("search", *search, "--dropout", "0", *common).code == 0
    answer = call("train-best", "--from", found, "--epochs", "400")
    assert answer.code == 0
    document = json.loads((found / "train_best.json").read_text())
    made_of = document["test_loss_is_made_of"]
    assert made_of["n_columns"] == 4
    assert list(made_of["explained_by_column"]) == ["a", "b", "c", "d"]
    n_worse = sum(share < 0 for share in made_of["explained_by_column"].values())
    assert f"below mean    {n_worse} of 4 columns " in answer.out
    assert "worst columns " in answer.out
    assert ("changed       trained" in answer.out) == (document["changed"] is not None)
    if document["changed"] is not None:
        assert document["changed"] in answer.out
