"""The native engine: it trains what the reference trains, whatever the shapes, and repeats bit for bit."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from autoenc.data.division import split_table
from autoenc.data.table import load_table
from autoenc.engines import ACTIVATIONS, Fit, Outcome, Recipe, Split, StopFlag, Stopped, pca_start
from autoenc.engines.native import NativeEngine
from autoenc.engines.randomness import initial_state
from autoenc.engines.torch_loop import TorchEngine
from autoenc.models.loss import sparse_aware_loss
from autoenc.models.network import DynamicAutoencoder

FLOAT64 = 1e-10  # largest relative difference of losses and parameters after a whole training
FLOAT32 = 1e-3  # largest relative difference of final test losses


class Difference(NamedTuple):
    """Largest relative differences, of a loss and of a parameter in its array."""

    of_losses: float
    of_parameters: float


def difference(one: Outcome, other: Outcome) -> Difference:
    assert one.failure is other.failure is None
    assert one.kept_epoch == other.kept_epoch
    assert len(one.train_losses) == len(other.train_losses)
    losses, expected = (
        np.array([*outcome.train_losses, *outcome.test_losses, outcome.final_train_loss])
        for outcome in (one, other)
    )
    assert {name: value.shape for name, value in one.state.items()} == {
        name: value.shape for name, value in other.state.items()
    }
    apart = [  # beside 1 where all are 0: rounding may make next to nothing of that
        np.abs(one.state[name] - value).max() / (np.abs(value).max() or 1.0)
        for name, value in other.state.items()
    ]
    np.testing.assert_array_equal(losses == 0, expected == 0)
    relative = np.abs(losses - expected)[expected != 0] / expected[expected != 0]
    return Difference(max(relative, default=0.0), max(apart))


def both_engines(split: Split, fit: Fit) -> Difference:
    return difference(NativeEngine(np.float64).fit(split, fit), TorchEngine(np.float64).fit(split, fit))


def assert_same_trajectory(split: Split, fit: Fit) -> None:
    found = both_engines(split, fit)
    assert found.of_losses <= FLOAT64
    assert found.of_parameters <= FLOAT64


def changed_by_rounding(split: Split, fit: Fit) -> Difference:
    """How far the reference moves when its initial weights move by a rounding error."""
    reference = TorchEngine(np.float64).fit(split, fit)
    moved = []
    for seed in range(4):
        rng = np.random.default_rng(seed)

        def nearly(network, seed, rng=rng):
            epsilon = np.finfo(np.float64).eps
            return {
                name: value * (1 + epsilon * rng.uniform(-1, 1, value.shape))
                for name, value in initial_state(network, seed).items()
            }

        with patch.object(pca_start, "initial_state", nearly):
            moved.append(difference(TorchEngine(np.float64).fit(split, fit), reference))
    return Difference(max(each.of_losses for each in moved), max(each.of_parameters for each in moved))


@pytest.mark.parametrize("dropout", [0.0, 0.35])
@pytest.mark.parametrize("norm", ["layer", "none"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_same_trajectory_for_every_activation_norm_and_dropout(make_split, activation, norm, dropout):
    recipe = Recipe(epochs=5, batch_size=8, dropout=dropout, activation=activation, norm=norm)
    assert_same_trajectory(make_split(), Fit((13, 9), 2, recipe))


CASES = {
    "widths of whole vectors": ({}, (32, 16), 8, {}),
    "odd widths": ({}, (17, 13, 9), 3, {}),
    "equal widths": ({}, (11, 11, 11), 11, {}),
    "width 1": ({}, (1,), 2, {}),
    "widths 1, deep": ({}, (3, 1, 1), 1, {}),
    "latent 1": ({}, (5,), 1, {}),
    "latent wider than the table": ({"n_columns": 2}, (3,), 9, {}),
    "hidden wider than the table": ({"n_columns": 3}, (33,), 2, {}),
    "five layers": ({}, (13, 12, 11, 10, 9), 2, {}),
    "one column": ({"n_columns": 1}, (4,), 1, {}),
    "one column, width 1": ({"n_columns": 1}, (1,), 1, {}),
    "column counts past a vector": ({"n_columns": 17}, (6,), 2, {}),
    "batch of one row": ({}, (5,), 2, {"batch_size": 1}),
    "batch of a whole vector": ({}, (5,), 2, {"batch_size": 16}),
    "batch that does not divide the rows": ({}, (5,), 2, {"batch_size": 13}),
    "batch larger than the table": ({}, (5,), 2, {"batch_size": 1000}),
    "two rows": ({"n_rows": 2, "missing": 0}, (5,), 2, {}),
    "more rows to test than to train": ({"n_rows": 61, "train_share": 0.1}, (5,), 2, {}),
    "many missing": ({"missing": 0.6}, (5,), 2, {}),
    "no zeros": ({"zeros": 0, "missing": 0}, (5,), 2, {}),
    "no non-zero": ({"zeros": 1, "missing": 0.2}, (5,), 2, {"norm": "none"}),
    "no weight decay": ({}, (5,), 2, {"weight_decay": 0.0}),
    "much weight decay": ({}, (5,), 2, {"weight_decay": 0.5}),
    "one epoch": ({}, (5,), 2, {"epochs": 1}),
    "rate down to 0": ({}, (5,), 2, {"eta_min": 0.0, "epochs": 9}),
    "constant rate": ({}, (5,), 2, {"eta_min": 0.01}),
    "dropout": ({}, (5,), 2, {"dropout": 0.5}),
    "most units dropped": ({}, (50,), 2, {"dropout": 0.9}),
    "early stopping": ({}, (9,), 2, {"epochs": 30, "initial_lr": 0.05, "patience": 2, "min_epochs": 1}),
    "stopped on the way": ({}, (9,), 2, {"epochs": 9, "stop_after": 4}),
    "weights in blocks": ({"n_columns": 200}, (350,), 3, {"epochs": 2}),
    "weights in blocks, several batches": (
        {"n_columns": 130},
        (600, 515),
        3,
        {"epochs": 1, "batch_size": 20},
    ),
    "rows of an odd number of vectors": (
        {"n_rows": 330, "n_columns": 9},
        (140, 70),
        3,
        {"epochs": 2, "batch_size": 128},
    ),
    "weights in blocks, linear": ({"n_columns": 400}, (170,), 3, {"epochs": 2, "start": "pca"}),
    "other loss weights": ({}, (5,), 2, {"nonzero_weight": 0.2, "all_weight": 1.5}),
}


@pytest.mark.parametrize(("table", "architecture", "latent_dim", "changes"), CASES.values(), ids=CASES)
def test_same_trajectory_at_the_edges(make_split, table, architecture, latent_dim, changes):
    recipe = Recipe(**{"epochs": 4, "batch_size": 8, "dropout": 0.2, **changes})
    assert_same_trajectory(make_split(**table), Fit(architecture, latent_dim, recipe))


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_same_trajectory_with_rows_that_are_all_missing(make_split, batch_size):
    split = make_split(missing=0.2)
    split.values[split.train[:7]] = np.nan
    split.values[split.test[:2]] = np.nan
    assert_same_trajectory(split, Fit((5,), 2, Recipe(epochs=4, batch_size=batch_size)))


def test_same_trajectory_with_a_column_that_is_all_missing(make_split):
    split = make_split()
    split.values[:, 2] = np.nan
    assert_same_trajectory(split, Fit((9,), 2, Recipe(epochs=4)))


def test_a_table_of_zeros_is_learned_at_no_loss(make_split):
    split = make_split(zeros=1, missing=0)
    for engine in (NativeEngine(np.float64), TorchEngine(np.float64)):
        outcome = engine.fit(split, Fit((5,), 2, Recipe(epochs=2)))
        assert outcome.test_losses == outcome.train_losses == [0, 0]


@settings(max_examples=60, phases=[Phase.explicit, Phase.generate])
@given(st.data())
def test_same_trajectory_for_whatever_comes_up_to_rounding(make_split, data):
    widths = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=4))
    split = make_split(
        n_rows=data.draw(st.integers(3, 60)),
        n_columns=data.draw(st.integers(1, 30)),
        missing=data.draw(st.sampled_from([0, 0.1])),
        seed=data.draw(st.integers(0, 1000)),
    )
    recipe = Recipe(
        epochs=data.draw(st.integers(1, 4)),
        batch_size=data.draw(st.integers(1, 40)),
        initial_lr=data.draw(st.sampled_from([1e-4, 1e-3, 1e-2])),
        dropout=data.draw(st.sampled_from([0.0, 0.1, 0.5])),
        activation=data.draw(st.sampled_from(ACTIVATIONS)),
        norm=data.draw(st.sampled_from(["layer", "none"])),
        family=data.draw(st.sampled_from(["ae", "dae", "vae"])),
        corruption=0.25,
        kl_weight=0.01,
    )
    seed = data.draw(st.integers(0, 2**32 - 1))
    fit = Fit(tuple(sorted(widths, reverse=True)), data.draw(st.integers(1, 20)), recipe, seed)
    found = both_engines(split, fit)
    if max(found) > FLOAT64:
        # LayerNorm over a few units that hardly differ multiplies a rounding error by up to 1,000, in
        # each layer. No two orders of summation agree then, but they differ no more than rounding does.
        rounding = changed_by_rounding(split, fit)
        assert found.of_losses <= max(FLOAT64, 10 * rounding.of_losses)
        assert found.of_parameters <= max(FLOAT64, 10 * rounding.of_parameters)


@pytest.fixture(scope="module")
def shipped_split(root):
    return split_table(load_table(root / "data" / "stains.csv"), "maxabs", 42)[0]


@pytest.mark.parametrize("architecture", [(16,), (32, 16)])
def test_agree_after_a_whole_training_on_the_shipped_table(shipped_split, architecture):
    fit = Fit(architecture, 3, Recipe())
    assert_same_trajectory(shipped_split, fit)
    single = NativeEngine(np.float32).fit(shipped_split, fit)
    reference = TorchEngine(np.float32).fit(shipped_split, fit)
    assert single.final_test_loss == pytest.approx(reference.final_test_loss, rel=FLOAT32)
    assert single.final_train_loss == pytest.approx(reference.final_train_loss, rel=FLOAT32)
    assert all(value.dtype == np.float32 for value in single.state.values())


@pytest.mark.parametrize("architecture", [(16,), (24, 16), (13, 12, 11)])
def test_float32_losses_are_near_those_of_the_reference(make_split, architecture):
    split, fit = make_split(n_rows=200, n_columns=12), Fit(architecture, 2, Recipe(epochs=10))
    native, reference = NativeEngine().fit(split, fit), TorchEngine().fit(split, fit)
    assert native.final_test_loss == pytest.approx(reference.final_test_loss, rel=FLOAT32)


def test_training_lowers_the_loss(shipped_split):
    outcome = NativeEngine().fit(shipped_split, Fit((32,), 3, Recipe()))
    assert outcome.final_test_loss < 0.5 * outcome.test_losses[0]
    assert outcome.final_train_loss < 0.5 * outcome.train_losses[0]


FITS = [
    Fit(architecture, 2, Recipe(epochs=3, batch_size=11, activation=activation), seed)
    for seed, (architecture, activation) in enumerate(
        [
            ((17, 5), "relu"),
            ((8,), "gelu"),
            ((33,), "relu"),
            ((4, 4, 4), "tanh"),
            ((1,), "relu"),
            ((24, 9), "elu"),
        ]
        * 2
    )
]


def assert_same_bits(one, other) -> None:
    assert one.train_losses == other.train_losses
    assert one.test_losses == other.test_losses
    assert one.final_train_loss == other.final_train_loss
    for name, value in one.state.items():
        np.testing.assert_array_equal(value, other.state[name], strict=True)


def test_a_repeated_fit_has_the_same_bits(make_split):
    split = make_split()
    for fit in FITS:
        assert_same_bits(NativeEngine().fit(split, fit), NativeEngine().fit(split, fit))


@pytest.mark.parametrize("n_workers", [1, 2, 4])
def test_bits_do_not_depend_on_what_trains_beside(make_split, n_workers):
    split, engine = make_split(n_rows=300), NativeEngine()
    alone = [engine.fit(split, fit) for fit in FITS]
    with ThreadPoolExecutor(n_workers) as pool:
        together = list(pool.map(lambda fit: engine.fit(split, fit), reversed(FITS)))
    for one, other in zip(alone, reversed(together), strict=True):
        assert_same_bits(one, other)


def test_bits_do_not_depend_on_where_the_table_lies_in_memory(make_split):
    split = make_split()
    room = np.empty(split.values.size + 1, np.float32)
    elsewhere = room[1:].reshape(split.values.shape)
    elsewhere[...] = split.values
    for fit in FITS[:3]:
        moved = NativeEngine().fit(Split(elsewhere, split.train, split.test), fit)
        assert_same_bits(NativeEngine().fit(split, fit), moved)


@pytest.mark.parametrize(
    "engine", [NativeEngine(np.float64), TorchEngine(np.float64)], ids=["native", "torch"]
)
def test_early_stopping_keeps_the_parameters_of_the_best_epoch(make_split, engine):
    split = make_split()
    recipe = Recipe(epochs=40, batch_size=8, initial_lr=0.05, patience=2, min_epochs=1)
    outcome = engine.fit(split, Fit((9,), 2, recipe))
    n_epochs = len(outcome.test_losses)
    assert n_epochs < 40
    assert outcome.kept_epoch == int(np.argmin(outcome.test_losses)) == n_epochs - 3
    assert outcome.final_test_loss == min(outcome.test_losses)
    model = DynamicAutoencoder(6, 2, (9,)).double().eval()
    model.load_state_dict({name: torch.from_numpy(value) for name, value in outcome.state.items()})
    for rows, expected in ((split.test, outcome.final_test_loss), (split.train, outcome.final_train_loss)):
        target = torch.from_numpy(split.values[rows]).double()
        with torch.no_grad():
            loss = sparse_aware_loss(model(torch.nan_to_num(target, nan=0.0))[0], target).item()
        assert loss == pytest.approx(expected, rel=1e-10)


def test_the_data_are_left_alone(make_split):
    split = make_split()
    values, train, test = split.values.copy(), split.train.copy(), split.test.copy()
    NativeEngine().fit(split, FITS[0])
    np.testing.assert_array_equal(split.values, values)
    np.testing.assert_array_equal(split.train, train)
    np.testing.assert_array_equal(split.test, test)


def test_the_test_rows_have_no_say_in_the_training(make_split):
    split = make_split(missing=0)
    before = NativeEngine().fit(split, FITS[0])
    split.values[split.test] += 3
    after = NativeEngine().fit(split, FITS[0])
    assert after.train_losses == before.train_losses
    assert after.test_losses != before.test_losses
    for name, value in before.state.items():
        np.testing.assert_array_equal(value, after.state[name])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("norm", ["layer", "none"])
def test_divergence_ends_the_fit_with_a_reason(make_split, norm, dtype):
    recipe = Recipe(epochs=9, initial_lr=1e30 if dtype == np.float32 else 1e300, norm=norm)
    outcome = NativeEngine(dtype).fit(make_split(), Fit((4, 4), 1, recipe))
    assert outcome.failure is not None
    assert "finite" in outcome.failure
    assert len(outcome.train_losses) == len(outcome.test_losses) < 9


def test_a_fit_that_is_told_to_stop_raises(make_split):
    stop = StopFlag()
    stop.set()
    with pytest.raises(Stopped):
        NativeEngine().fit(make_split(), Fit((4,), 1, Recipe(epochs=9)), stop)


def test_a_long_epoch_stops_soon_after_it_is_told_to(make_split):
    stop = StopFlag()
    split, fit = make_split(n_rows=1_000_000), Fit((512, 512), 2, Recipe(epochs=1))
    NativeEngine().prepare()
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    started = time.perf_counter()
    with pytest.raises(Stopped):
        NativeEngine().fit(split, fit, stop)
    timer.join()
    assert time.perf_counter() - started < 5  # the whole epoch takes longer


def test_a_flag_that_is_not_set_changes_nothing(make_split):
    split = make_split()
    assert_same_bits(NativeEngine().fit(split, FITS[0]), NativeEngine().fit(split, FITS[0], StopFlag()))


@pytest.mark.parametrize("start", ["random", "pca"])
def test_the_time_of_a_row_asks_nothing_of_its_cells(start):
    cells = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    cells[:, 1], cells[::2, 2] = np.inf, np.nan
    cells[1::2, 1] = -np.inf
    assert NativeEngine().seconds_per_row(cells, Fit((4,), 2, Recipe(epochs=1, start=start))) > 0
