"""The hash on the device, against that of the other engines."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autoenc.engines.randomness import CORRUPTION, NOISE, dropout_mask, latent_noise, layer_key, row_hash
from autoenc.engines.stacks.hashes import (
    combine,
    keys_of_steps,
    normal_of,
    signed,
    sortable,
    threshold_of,
)

words = st.integers(0, 2**32 - 1)


@given(words, words)
def test_words_are_those_of_the_other_engines(key, number):
    found = combine(*(torch.tensor([signed(word)], dtype=torch.int32) for word in (key, number)))
    expected = row_hash(np.array([key], np.uint32), np.array([number], np.uint32))
    assert found.numpy().view(np.uint32) == expected


@given(words, words)
def test_sortable_words_have_the_order_of_unsigned_ones(first, second):
    pair = sortable(torch.tensor([signed(first), signed(second)], dtype=torch.int32))
    assert bool(pair[0] < pair[1]) == (first < second)


def test_keys_are_those_of_each_seed_epoch_step_and_layer():
    seeds, slots = np.array([0, 42, 2**32 - 1], np.uint32), [0, 3, CORRUPTION, NOISE]
    keys = keys_of_steps(seeds, 7, 5, slots).view(np.uint32)
    for step, of_step in enumerate(keys):
        for slot, of_slot in zip(slots, of_step, strict=True):
            assert of_slot.tolist() == [layer_key(seed, 7, step, slot) for seed in seeds.tolist()]


def unit_keys(seed, epoch, step, slot, n_units):
    key = torch.from_numpy(keys_of_steps(np.array([seed], np.uint32), epoch, step + 1, [slot])[step, 0])
    return combine(key, torch.arange(n_units, dtype=torch.int32))


@pytest.mark.parametrize("dropout", [0.0, 0.1, 0.5, 0.999])
def test_masks_are_those_of_the_other_engines(dropout):
    rows = torch.arange(9, dtype=torch.int32)[:, None]
    kept = sortable(combine(unit_keys(3, 2, 4, 1, 31), rows)) >= threshold_of(dropout)
    np.testing.assert_array_equal(kept.numpy(), dropout_mask(3, 2, 4, 1, 9, 31, dropout))


def test_noise_is_that_of_the_other_engines():
    rows = torch.arange(9, dtype=torch.int32)[:, None]
    noise = normal_of(unit_keys(3, 2, 4, NOISE, 5)[None], rows)
    np.testing.assert_allclose(noise.numpy(), latent_noise(3, 2, 4, 9, 5), rtol=1e-12)
