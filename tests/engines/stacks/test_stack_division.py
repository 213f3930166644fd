"""Which fits share a stack."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoenc.engines import Fit, Recipe, Split
from autoenc.engines.stacks import division
from autoenc.engines.stacks.division import Candidate, divided, kind_of, stack_bytes
from autoenc.engines.stacks.shapes import padded_shapes
from autoenc.models.grid import ArchitectureGrid

GRID = list(ArchitectureGrid((16, 32, 64, 128), 3))
PLENTY = 2**40


def candidate(widths, batch_size=32, n_train=200):
    split = Split(np.zeros((n_train + 1, 24), np.float32), np.arange(n_train), np.array([n_train]))
    return Candidate.of(Fit(widths, 3, Recipe(batch_size=batch_size)), split)


def work(widths):
    """Multiply-adds of a row, from the definition."""
    dims = [24, *widths, 3]
    return 2 * sum(a * b for a, b in pairwise(dims))


@given(st.lists(st.sampled_from([widths for widths in GRID if len(widths) == 3]), min_size=1, max_size=30))
def test_padding_at_most_doubles_the_work_and_every_fit_has_its_stack(stacks):
    found = divided([candidate(widths) for widths in stacks], 4, PLENTY, 100)
    assert sorted(i for members in found for i in members) == [*range(len(stacks))]
    for members in found:
        widest = [max(stacks[i][k] for i in members) for k in range(3)]
        assert len(members) * work(widest) <= 2 * sum(work(stacks[i]) for i in members)


MIXED = [
    Fit(widths, latent_dim, Recipe(family=family, start=start, missing=missing))
    for widths in ((64, 32, 16), (128, 16, 16))
    for latent_dim, family, start, missing in ((3, "ae", "pca", "zero"), (2, "vae", "random", "mask"))
]


@given(st.lists(st.sampled_from(MIXED), min_size=1, max_size=4))
def test_what_fits_are_padded_to_has_the_parameters_of_their_stack(fits):
    split = Split(np.zeros((51, 24), np.float32), np.arange(50), np.array([50]))
    members = [Candidate.of(fit, split) for fit in fits]
    together = reduce(Candidate.with_room_for, members)
    assert padded_shapes([together.network]) == padded_shapes([one.network for one in members])


def test_many_fits_are_divided_soon():
    split = Split(np.zeros((51, 24), np.float32), np.arange(50), np.array([50]))
    fits = [Fit(widths, 3, Recipe(), seed) for seed in range(60) for widths in GRID if len(widths) == 3]
    candidates = [Candidate.of(fit, split) for fit in fits]
    n_before = division._sizes.cache_info().misses
    assert len(divided(candidates, 4, PLENTY, 512)) < 20
    assert division._sizes.cache_info().misses - n_before < len(GRID) ** 2


def test_the_default_grid_takes_few_stacks():
    n_stacks = sum(
        len(divided([candidate(widths) for widths in GRID if len(widths) == depth], 4, PLENTY, 100))
        for depth in (1, 2, 3)
    )
    assert len(GRID) == 34
    assert n_stacks <= 12


def test_batches_of_very_different_sizes_are_apart():
    found = divided([candidate((16,), 8), candidate((16,), 8), candidate((16,), 200)], 4, PLENTY, 100)
    assert sorted(map(sorted, found)) in ([[0, 1], [2]], [[0, 1, 2]])
    alike = divided([candidate((16,), 32), candidate((16,), 30)], 4, PLENTY, 100)
    assert len(alike) == 1


def test_a_stack_takes_no_more_than_there_is_room_for():
    candidates = [candidate((64, 32))] * 10
    one = stack_bytes(candidates[0], 1, 4)
    assert stack_bytes(candidates[0], 10, 8) == 2 * stack_bytes(candidates[0], 10, 4) == 20 * one
    assert sorted(map(len, divided(candidates, 4, 4 * one, 100))) == [2, 4, 4]
    assert sorted(map(len, divided(candidates, 4, PLENTY, 3))) == [1, 3, 3, 3]
    assert [len(members) for members in divided(candidates, 4, 0, 100)] == [1] * 10


def test_depth_activation_and_norms_keep_fits_apart_and_nothing_else():
    fit = Fit((8, 4), 2, Recipe())
    kind = kind_of(fit, 6)

    def other(**options):
        return kind_of(replace(fit, recipe=replace(fit.recipe, **options)), 6)

    assert other(activation="gelu") != kind != other(norm="none")
    assert other(input_norm="none") != kind != kind_of(fit, 7)
    assert kind_of(replace(fit, architecture=(8,)), 6) != kind
    assert kind == other(family="vae", start="pca", dropout=0.5, batch_size=7, initial_lr=1.0, patience=3)
    assert kind == kind_of(replace(fit, architecture=(99, 1), latent_dim=3, seed=1, fold="1/2"), 6)
