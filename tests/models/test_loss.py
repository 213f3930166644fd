"""The loss, against its definition written in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autoenc import sparse_aware_loss

cells = st.one_of(st.just(0.0), st.just(-0.0), st.just(np.nan), st.floats(-10, 10))


def defined_loss(reconstruction, target, nonzero_weight=0.7, all_weight=0.3) -> float:
    """Cell by cell, as the definition says."""
    over_all, over_nonzero = [], []
    for found, true in zip(reconstruction.ravel().tolist(), target.ravel().tolist(), strict=True):
        if np.isnan(true):
            continue
        over_all.append((found - true) ** 2)
        if true != 0:
            over_nonzero.append((found - true) ** 2)
    loss = all_weight * np.mean(over_all) if over_all else 0.0
    return loss + nonzero_weight * np.mean(over_nonzero) if over_nonzero else loss


@st.composite
def tables(draw):
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    target = draw(hnp.arrays(np.float64, shape, elements=cells))
    return draw(hnp.arrays(np.float64, shape, elements=st.floats(-10, 10))), target


@given(tables())
def test_equals_its_definition(pair):
    reconstruction, target = pair
    loss = sparse_aware_loss(torch.from_numpy(reconstruction), torch.from_numpy(target))
    assert loss.shape == ()
    assert loss.item() == pytest.approx(defined_loss(reconstruction, target), rel=1e-12, abs=1e-300)


@given(tables(), st.floats(0, 2), st.floats(0, 2))
def test_weights_are_those_given(pair, nonzero_weight, all_weight):
    found = sparse_aware_loss(*map(torch.from_numpy, pair), nonzero_weight, all_weight).item()
    assert found == pytest.approx(defined_loss(*pair, nonzero_weight, all_weight), rel=1e-12, abs=1e-300)


def test_a_worked_example():
    target = torch.tensor([[2.0, 0.0], [float("nan"), 4.0]])
    reconstruction = torch.tensor([[1.0, 3.0], [100.0, 4.0]])
    # observed errors 1, 9, 0; among non-zero cells 1, 0
    assert sparse_aware_loss(reconstruction, target).item() == pytest.approx(0.7 * 0.5 + 0.3 * 10 / 3)


def test_without_a_nonzero_cell_only_the_second_term_stands():
    target = torch.tensor([[0.0, float("nan")], [0.0, 0.0]])
    reconstruction = torch.full((2, 2), 2.0)
    assert sparse_aware_loss(reconstruction, target).item() == pytest.approx(0.3 * 4)


def test_nothing_observed_gives_zero_loss_and_zero_gradient():
    reconstruction = torch.full((2, 3), 5.0, requires_grad=True)
    loss = sparse_aware_loss(reconstruction, torch.full((2, 3), float("nan")))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(reconstruction.grad, torch.zeros(2, 3))


@given(tables())
def test_gradient_is_the_definitions_and_zero_at_missing_cells(pair):
    reconstruction, target = (torch.from_numpy(array) for array in pair)
    reconstruction = reconstruction.clone().requires_grad_()
    sparse_aware_loss(reconstruction, target).backward()
    observed, nonzero = ~np.isnan(pair[1]), ~np.isnan(pair[1]) & (pair[1] != 0)
    weight = 0.3 * observed / max(observed.sum(), 1) + 0.7 * nonzero / max(nonzero.sum(), 1)
    expected = 2 * weight * (pair[0] - np.nan_to_num(pair[1]))
    np.testing.assert_allclose(reconstruction.grad.numpy(), expected, rtol=1e-12, atol=1e-300)
    assert not reconstruction.grad.numpy()[~observed].any()


def test_the_reconstruction_of_a_missing_cell_may_be_anything():
    target = torch.tensor([[1.0, float("nan")]])
    near, far = (sparse_aware_loss(torch.tensor([[0.5, x]]), target) for x in (0.0, 1e30))
    assert near == far


@pytest.mark.parametrize("shape", [(3, 2), (2,), (1, 3), (2, 1)])
def test_different_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"reconstruction must have the shape of target, got"):
        sparse_aware_loss(torch.zeros(shape), torch.zeros(2, 3))
