"""How the agreement of the engines is measured."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoenc.engines import Fit, Recipe
from autoenc.engines.verify import TOLERANCES, Comparison, compare_engines, spread

FIT = Fit((4,), 2, Recipe(epochs=2))


def compared(loss: float, torch_loss: float, precision: str = "float64") -> Comparison:
    return Comparison(FIT, precision, loss, torch_loss, 1.0, 2.0)


@given(st.integers(1, 300), st.integers(1, 40))
def test_spread_picks_distinct_indices_from_first_to_last(n_all, n_wanted):
    chosen = spread(n_all, n_wanted)
    assert len(chosen) == min(n_all, n_wanted)
    assert chosen == sorted(set(chosen))
    assert chosen[0] == 0
    if len(chosen) > 1:
        assert chosen[-1] == n_all - 1
        gaps = [b - a for a, b in pairwise(chosen)]
        assert max(gaps) - min(gaps) <= 1


def test_the_tolerances_are_those_promised():
    assert TOLERANCES == {"float64": 1e-10, "float32": 1e-3}


@pytest.mark.parametrize(
    ("native", "reference", "precision", "agrees"),
    [
        (1.0, 1.0, "float64", True),
        (1 + 5e-11, 1.0, "float64", True),
        (1 + 5e-10, 1.0, "float64", False),
        (2e-5 * (1 + 5e-10), 2e-5, "float64", False),
        (1.0009, 1.0, "float32", True),
        (0.9989, 1.0, "float32", False),
        (float("nan"), 1.0, "float32", False),
        (1.0, float("nan"), "float32", False),
        (float("inf"), 1.0, "float32", False),
        (1.0, 0.0, "float32", False),
        (0.0, 0.0, "float64", True),
    ],
)
def test_agreement_is_relative_and_never_of_losses_that_are_not_finite(native, reference, precision, agrees):
    assert compared(native, reference, precision).agrees is agrees


def test_difference_is_relative_to_the_reference():
    assert compared(2.002, 2.0).difference == pytest.approx(1e-3)
    assert compared(1.998, 2.0).difference == pytest.approx(1e-3)
    assert compared(float("nan"), 2.0).difference == float("inf")


def test_every_fit_is_compared_in_both_precisions(make_split):
    fits = [FIT, Fit((5, 3), 2, Recipe(epochs=2))]
    split = make_split(n_rows=80)
    found = list(compare_engines(fits, lambda fold: split))
    assert [(one.fit, one.precision) for one in found] == [
        (fit, precision) for fit in fits for precision in ("float64", "float32")
    ]
    assert all(one.agrees and one.seconds > 0 and one.torch_s > 0 for one in found)
    assert found[0].loss != found[1].loss


def test_many_at_once_are_compared_as_the_stack_that_they_are(make_split):
    split = make_split(n_rows=80)
    recipes = (Recipe(epochs=2), Recipe(epochs=2, warm_start=True))
    fits = [FIT, *(Fit((6, 3), 2, recipe) for recipe in recipes)]
    found = list(compare_engines(fits, lambda fold: split, "stacked"))
    assert [one.fit for one in found] == [fit for fit in fits for _ in range(2)]
    assert all(one.agrees and one.engine == "stacked" and one.seconds > 0 for one in found)
