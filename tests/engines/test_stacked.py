"""Many fits at once, against each of them alone by the reference engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autoenc.engines import Fit, Recipe, Request
from autoenc.engines.stacked import StackedEngine
from autoenc.engines.stacks import chance
from autoenc.engines.torch_loop import TorchEngine
from autoenc.models.grid import ArchitectureGrid

SHORT = Recipe(epochs=3, batch_size=8)


@pytest.fixture(scope="module")
def split(make_split):
    return make_split()


@pytest.fixture(scope="module")
def reference():
    return TorchEngine(np.float64)


def trained(requests, engine=None, stop=None):
    """The answers, in the order of the requests."""
    answers = {}
    (engine or StackedEngine(np.float64)).fit_many(requests, answers.__setitem__, stop)
    return [answers[i] for i in range(len(requests))]


def check_equal(found, expected):
    """See that two outcomes are the same but for rounding."""
    assert found.failure == expected.failure
    assert found.kept_epoch == expected.kept_epoch
    for losses in ("train_losses", "test_losses"):
        assert getattr(found, losses) == pytest.approx(getattr(expected, losses), rel=1e-10)
    assert [found.start_loss or 0.0] == pytest.approx([expected.start_loss or 0.0], rel=1e-10)
    assert found.final_train_loss == pytest.approx(expected.final_train_loss, rel=1e-10)
    assert found.explained == pytest.approx(expected.explained, rel=1e-9, abs=1e-9)
    assert found.state.keys() == expected.state.keys()
    for name, value in expected.state.items():
        assert found.state[name].dtype == value.dtype
        np.testing.assert_allclose(found.state[name], value, rtol=1e-7, atol=1e-9)


def check_as_alone(requests, reference):
    for request, found in zip(requests, trained(requests), strict=True):
        check_equal(found, reference.fit(request.split, request.fit, initial=request.initial))


RECIPES = {
    "defaults": SHORT,
    "no norm": replace(SHORT, norm="none"),
    "no input norm": replace(SHORT, input_norm="none"),
    "input norm alone": replace(SHORT, norm="none", input_norm="layer"),
    "one loss": replace(SHORT, nonzero_weight=0.0, all_weight=1.0),
    "decay": replace(SHORT, weight_decay=0.1, initial_lr=0.01, eta_min=1e-3),
    "large batches": replace(SHORT, batch_size=1000),
    "single rows": replace(SHORT, batch_size=1, epochs=1),
    "no dropout": replace(SHORT, dropout=0.0),
    "denoising": replace(SHORT, family="dae", corruption=0.3),
    "variational": replace(SHORT, family="vae", kl_weight=0.1, kl_warmup=2),
    "variational without norm": replace(SHORT, family="vae", kl_weight=0.1, norm="none"),
    "from PCA": replace(SHORT, start="pca"),
    "variational from PCA": replace(SHORT, start="pca", family="vae", kl_weight=0.01),
    "mask": replace(SHORT, missing="mask"),
    "mask and line, denoising": replace(
        SHORT, missing="mask", start="pca", family="dae", corruption=0.3, norm="none"
    ),
    "untrained PCA": SHORT.stopped_after(0),
    "cut": replace(SHORT, stop_after=1),
    **{name: replace(SHORT, activation=name) for name in ("leaky_relu", "elu", "gelu", "silu", "tanh")},
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_stack_of_mixed_widths_and_seeds_trains_each_as_if_alone(split, reference, recipe):
    stacks = [((9, 5), 1), ((7, 3), 2), ((5, 5), 1)]
    check_as_alone([Request(split, Fit(widths, 2, recipe, seed)) for widths, seed in stacks], reference)


def test_all_recipes_folds_latent_sizes_and_depths_mix(make_split, reference):
    splits = [make_split(), make_split(n_rows=31, seed=3), make_split(n_rows=12, missing=0.4, seed=4)]
    depths = [(9, 5), (6,), (4, 4)]
    requests = [
        Request(splits[i % 3], Fit(depths[i % len(depths)], 2 + i % 2, recipe, seed=i % 2))
        for i, recipe in enumerate(RECIPES.values())
    ]
    check_as_alone(requests, reference)


def test_masks_are_the_same_for_as_many_steps_as_memory_holds(split, monkeypatch):
    requests = [Request(split, Fit((9, 5), 2, SHORT, seed)) for seed in (1, 2)]
    expected = [outcome.test_losses for outcome in trained(requests)]
    for cells in (1, 2 * 8 * 28 * 2):  # one step at once, and two of five
        monkeypatch.setattr(chance, "_CELLS", cells)
        assert [outcome.test_losses for outcome in trained(requests)] == expected


@pytest.mark.slow
def test_the_default_grid_agrees_after_a_whole_training(make_split, reference):
    split = make_split(n_rows=160, n_columns=24)
    grid = ArchitectureGrid((16, 32, 64, 128), 3)
    assert len(grid) == 34
    check_as_alone([Request(split, Fit(widths, 3, Recipe())) for widths in grid], reference)


def test_a_sample_of_the_default_grid_agrees_after_a_whole_training(make_split, reference):
    split = make_split(n_rows=80, n_columns=24)
    grid = ArchitectureGrid((16, 32, 64, 128), 3)
    check_as_alone([Request(split, Fit(widths, 3, Recipe())) for widths in grid[::6]], reference)


def test_fits_that_stop_early_or_diverge_leave_the_others_as_they_are(split, reference):
    patient = Recipe(epochs=20, batch_size=8, initial_lr=0.02, patience=2, min_epochs=1)
    recipes = [
        replace(SHORT, epochs=12),
        patient,
        replace(SHORT, initial_lr=1e30),
        replace(patient, initial_lr=0.01),
        replace(patient, start="pca"),
        replace(SHORT, initial_lr=1e300, start="pca", norm="none"),
    ]
    requests = [Request(split, Fit((8, 5), 2, recipe, seed)) for seed in (1, 3) for recipe in recipes]
    found = trained(requests)
    assert len({len(outcome.test_losses) for outcome in found}) > 3, "this shows nothing"
    for request, outcome in zip(requests, found, strict=True):
        expected = reference.fit(request.split, request.fit)
        if expected.failure is None:
            check_equal(outcome, expected)
        else:
            assert outcome.failure == expected.failure
