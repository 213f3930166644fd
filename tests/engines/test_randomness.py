"""Chance as a pure function of coordinates."""

from __future__ import annotations

from itertools import combinations
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoenc.engines.randomness import (
    batch_order,
    dropout_mask,
    initial_state,
    keep_threshold,
    layer_key,
    row_hash,
)
from autoenc.models.grid import NetworkShape
from autoenc.models.network import DynamicAutoencoder

words = st.integers(0, 2**32 - 1)
WORD = 2**32 - 1


def hashed(key: int, number: int) -> int:
    """The finalizer of MurmurHash3 on the key and a spread-out number, in Python's own integers."""
    word = key ^ (number * 0x9E3779B1 & WORD)
    word ^= word >> 16
    word = word * 0x85EBCA6B & WORD
    word ^= word >> 13
    word = word * 0xC2B2AE35 & WORD
    return word ^ word >> 16


@given(words, words)
def test_row_hash_is_the_published_finalizer(key, row):
    assert int(row_hash(np.array([key], np.uint32), np.array([row], np.uint32))[0]) == hashed(key, row)


@given(words, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 20))
def test_layer_key_hashes_its_coordinates_in_order(seed, epoch, step, layer):
    assert int(layer_key(seed, epoch, step, layer)) == hashed(hashed(hashed(seed, epoch), step), layer)


@given(
    words, st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 9), st.integers(1, 5), st.integers(1, 5)
)
def test_dropout_mask_is_the_hash_of_its_coordinates(seed, epoch, step, layer, n_rows, n_units):
    key = hashed(hashed(hashed(seed, epoch), step), layer)
    expected = [
        [hashed(hashed(key, unit), row) >= round(0.3 * 2**32) for unit in range(n_units)]
        for row in range(n_rows)
    ]
    assert dropout_mask(seed, epoch, step, layer, n_rows, n_units, 0.3).tolist() == expected


PINNED_KEYS = [3150898711, 3428005768]
PINNED_MASK = ["x.xxx.xxx..xxx..", ".......x.......x", "..xx..x.........", ".x.x.xxxx......x"]
PINNED_ORDER = [3, 4, 2, 7, 6, 1, 5, 0]
PINNED_WEIGHTS = [
    [-0.07106110278059496, 0.3348630565928852],
    [0.1716869257399649, 0.7976517935026148],
]


def test_a_few_values_stay_what_they_are():
    # Results of the past can be repeated only while these hold.
    assert int(layer_key(42, 0, 0, 0)) == PINNED_KEYS[0]
    assert int(layer_key(42, 19, 50, 3)) == PINNED_KEYS[1]
    rows = [
        "".join("x" if dropped else "." for dropped in row) for row in ~dropout_mask(42, 1, 2, 0, 4, 16, 0.3)
    ]
    assert rows == PINNED_MASK
    assert batch_order(42, 0, 8).tolist() == PINNED_ORDER
    weights = initial_state(NetworkShape(2, (2,), 1), 42)["encoder.0.weight"]
    np.testing.assert_allclose(weights, PINNED_WEIGHTS, rtol=1e-12)


@pytest.mark.parametrize("dropout", [0.01, 0.1, 0.5, 0.9])
def test_the_share_of_dropped_units_is_the_dropout(dropout):
    mask = dropout_mask(7, 3, 11, 2, 512, 512, dropout)
    five_sigma = 5 * sqrt(dropout * (1 - dropout) / mask.size)
    assert abs((~mask).mean() - dropout) < five_sigma
    # No row and no unit is dropped more than another.
    for axis in (0, 1):
        shares = (~mask).mean(axis=axis)
        assert np.abs(shares - dropout).max() < 6 * sqrt(dropout * (1 - dropout) / 512)


def test_no_dropout_keeps_everything():
    assert keep_threshold(0.0) == 0
    assert dropout_mask(42, 0, 0, 0, 50, 50, 0.0).all()


@pytest.mark.parametrize("dropout", [0.999999, 1 - 2**-33])
def test_dropout_just_below_one_drops_nearly_everything(dropout):
    assert not dropout_mask(42, 0, 0, 0, 20, 20, dropout).any()


def test_masks_of_different_coordinates_are_independent():
    masks = [
        dropout_mask(seed, epoch, step, layer, 256, 256, 0.5)
        for seed, epoch, step, layer in [
            (42, 0, 0, 0), (43, 0, 0, 0), (42, 1, 0, 0), (42, 0, 1, 0), (42, 0, 0, 1), (42, 1, 1, 0),
            (0, 42, 0, 0),
        ]
    ]  # fmt: skip
    for one, other in combinations(masks, 2):
        assert abs((one == other).mean() - 0.5) < 5 * 0.5 / sqrt(one.size)


def test_rows_and_units_of_one_mask_are_independent():
    mask = dropout_mask(42, 0, 0, 0, 400, 400, 0.5)
    for one, other in (
        (mask[1:], mask[:-1]),
        (mask[:, 1:], mask[:, :-1]),
        (mask, mask.T),
        (mask[1:, 1:], mask[:-1, :-1]),
    ):
        off_diagonal = ~np.eye(*one.shape, dtype=bool)
        assert abs((one == other)[off_diagonal].mean() - 0.5) < 5 * 0.5 / sqrt(one.size / 2)


@given(
    words, st.integers(0, 50), st.integers(0, 50), st.integers(0, 5), st.integers(1, 20), st.integers(1, 20)
)
def test_a_mask_does_not_depend_on_the_size_of_batch_and_layer(seed, epoch, step, layer, n_rows, n_units):
    mask = dropout_mask(seed, epoch, step, layer, n_rows, n_units, 0.3)
    larger = dropout_mask(seed, epoch, step, layer, n_rows + 5, n_units + 9, 0.3)
    np.testing.assert_array_equal(mask, larger[:n_rows, :n_units])


@given(words, st.integers(0, 1000), st.integers(1, 500))
def test_batch_order_is_a_permutation_that_repeats(seed, epoch, n_rows):
    order = batch_order(seed, epoch, n_rows)
    assert sorted(order.tolist()) == list(range(n_rows))
    np.testing.assert_array_equal(order, batch_order(seed, epoch, n_rows))


def test_batch_order_depends_on_seed_and_epoch():
    orders = [
        batch_order(seed, epoch, 50).tolist() for seed, epoch in [(1, 0), (1, 1), (2, 0), (0, 1), (2, 1)]
    ]
    assert all(one != other for one, other in combinations(orders, 2))


shapes = st.builds(
    NetworkShape,
    input_dim=st.integers(1, 30),
    hidden_dims=st.lists(st.integers(1, 30), max_size=3).map(tuple),
    latent_dim=st.integers(1, 30),
    norm=st.sampled_from(["layer", "none"]),
)


@given(shapes, words)
def test_initial_state_fits_the_model_and_is_xavier_uniform(shape, seed):
    state = initial_state(shape, seed)
    model = DynamicAutoencoder(shape.input_dim, shape.latent_dim, shape.hidden_dims, norm=shape.norm)
    assert {name: value.shape for name, value in state.items()} == {
        name: tuple(value.shape) for name, value in model.state_dict().items()
    }
    for layer in shape.layers():
        weight = state[f"{layer.linear}.weight"]
        assert np.abs(weight).max() <= sqrt(6 / (layer.n_in + layer.n_out))
        assert not state[f"{layer.linear}.bias"].any()
        if layer.norm:
            assert (state[f"{layer.norm}.weight"] == 1).all()
            assert not state[f"{layer.norm}.bias"].any()
    assert all(value.dtype == np.float64 for value in state.values())


def test_initial_weights_fill_their_range_evenly():
    weight = initial_state(NetworkShape(100, (200,), 3), 42)["encoder.0.weight"]
    bound = sqrt(6 / 300)
    counts, _ = np.histogram(weight, bins=10, range=(-bound, bound))
    assert counts.sum() == weight.size
    assert np.abs(counts - 2000).max() < 5 * sqrt(2000)


def test_initial_state_does_not_depend_on_what_was_drawn_before():
    shape, other = NetworkShape(5, (4, 3), 2), NetworkShape(5, (9,), 2)
    first = initial_state(shape, 42)
    initial_state(other, 42), batch_order(42, 0, 10), np.random.default_rng(42).random(3)
    for name, value in initial_state(shape, 42).items():
        np.testing.assert_array_equal(value, first[name])


def test_initial_state_depends_on_seed_and_architecture():
    base = initial_state(NetworkShape(5, (4, 3), 2), 42)["encoder.0.weight"]
    for shape, seed in [
        (NetworkShape(5, (4, 3), 2), 43),
        (NetworkShape(5, (4, 4), 2), 42),
        (NetworkShape(5, (4, 3), 3), 42),
        (NetworkShape(5, (4,), 3), 42),
    ]:
        assert not np.array_equal(initial_state(shape, seed)["encoder.0.weight"], base)


def test_the_norm_does_not_change_the_weights():
    with_norm, without = (initial_state(NetworkShape(5, (4, 3), 2, norm), 42) for norm in ("layer", "none"))
    np.testing.assert_array_equal(with_norm["encoder.8.weight"], without["encoder.6.weight"])
    np.testing.assert_array_equal(with_norm["decoder.0.weight"], without["decoder.0.weight"])
