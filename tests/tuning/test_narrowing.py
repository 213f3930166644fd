"""Ranges around the best trials: narrowed, widened at the ends, and never past what is possible."""

from __future__ import annotations

import pytest

from autoenc.analysis.narrowing import best_of, narrow
from autoenc.analysis.observations import Observation, Observations
from autoenc.errors import InputError
from autoenc.settings import RefineSettings
from autoenc.settings.space import SpaceSettings

SPACE = {
    "num_layers_range": (1, 4), "hidden_size_range": (8, 512), "learning_rate_range": (1e-5, 1e-1),
    "weight_decay_range": (1e-6, 1e-2), "dropout_range": (0.0, 0.5), "batch_size_options": (16, 32, 64),
    "activation_options": ("relu", "gelu", "tanh"), "norm_options": ("layer",),
}  # fmt: skip


def trial(stack=(64,), rate=1e-3, decay=1e-4, dropout=0.2, batch=32, activation="relu", loss=1.0):
    widths = {f"hidden_size_{i}": width for i, width in enumerate(stack, 1)}
    parameters = {
        "num_layers": len(stack), **widths, "learning_rate": rate, "weight_decay": decay, "dropout": dropout,
        "batch_size": batch, "activation": activation, "norm": "layer",
    }  # fmt: skip
    return Observation("trial", "-".join(map(str, stack)), parameters, {"loss": loss})


def narrowed(trials, space=None, **options):
    seen = Observations("a search", trials, SPACE | (space or {}), {}, True, 1.0)
    settings = RefineSettings.model_validate({"from_": "x", "to": "y", **options})
    found = narrow(seen, settings)
    # Whatever comes out is a space that the settings accept.
    SpaceSettings.model_validate({each.option: each.value for each in found})
    return {each.option: each for each in found}


def test_a_range_is_what_the_best_span_on_its_own_scale():
    trials = [trial(rate=1e-3), trial(rate=1e-2), trial(rate=2e-3), trial(rate=2e-5)]
    found = narrowed(trials, margin=0.25)["learning_rate_range"]
    # The range has four decades, and a quarter of them is one on each side.
    assert found.value == pytest.approx((1e-4, 1e-1), rel=1e-9)
    assert found.winner == (1e-3,)
    assert found.reason.startswith("narrowed: what the best 3 span")


def test_what_the_best_span_stays_inside_though_it_is_rounded():
    rates = [0.00123456, 0.00234567, 0.00345678]
    low, high = narrowed([trial(rate=rate) for rate in rates], margin=0)["learning_rate_range"].value
    assert (low, high) == (0.00123, 0.00346)


def test_every_layer_counts_for_the_widths():
    found = narrowed([trial((100, 40)), trial((90,)), trial((60, 50))], margin=0)
    assert found["hidden_size_range"].value == (40, 100)
    assert found["hidden_size_range"].winner == (100, 40)
    assert found["num_layers_range"].value == (1, 2)


@pytest.mark.parametrize(
    ("options", "option", "value"),
    [
        ({"rate": 9e-2}, "learning_rate_range", (0.0358, 0.2)),
        ({"rate": 1.1e-5}, "learning_rate_range", (5e-6, 2.77e-5)),
        ({"stack": (512,)}, "hidden_size_range", (337, 1024)),
        ({"stack": (8,)}, "hidden_size_range", (4, 13)),
        ({"stack": (9, 9, 9, 9)}, "num_layers_range", (3, 8)),
        ({"dropout": 0.49}, "dropout_range", (0.44, 0.75)),  # half of the way to 1, which no dropout is
        ({"dropout": 0.01}, "dropout_range", (0, 0.06)),
    ],
)
def test_an_end_moves_where_the_winner_lies_at_it(options, option, value):
    found = narrowed([trial(**options)] * 3)[option]
    assert found.value == pytest.approx(value, rel=0.01)
    assert "the best lies at the" in found.reason
    assert ("widened" in found.reason) is (value[0] != 0)


def test_only_the_winner_widens_and_by_the_factor_asked_for():
    assert narrowed([trial(rate=1e-3), trial(rate=1e-1), trial()])["learning_rate_range"].value[1] == 0.1
    trials = [trial(rate=1e-1), trial(rate=1e-3), trial()]
    assert narrowed(trials, widen=5)["learning_rate_range"].value[1] == 0.5


def test_bounds_of_the_options_hold():
    space = {"hidden_size_range": (1, 65536), "num_layers_range": (1, 1024)}
    found = narrowed([trial((65536,) + (1,) * 1023)] * 3, space)
    assert found["hidden_size_range"].value == (1, 65536)
    assert found["num_layers_range"].value[1] == 1024
    assert found["hidden_size_range"].reason.count("cannot move") == 2


def test_choices_are_those_of_the_best_in_the_old_order():
    trials = [trial(activation="tanh"), trial(batch=16), trial(activation="relu"), trial(batch=64)]
    found = narrowed(trials)
    assert found["activation_options"].value == ("relu", "tanh")
    assert found["batch_size_options"].value == (16, 32)
    assert found["norm_options"].reason == "kept: there was one choice"


def test_a_fixed_option_stays_and_a_grid_s_zero_has_no_place_on_a_log_scale():
    space = {"learning_rate_range": (1e-3, 1e-3), "weight_decay_range": (0.0, 1e-4)}
    found = narrowed([trial(decay=0.0), trial(decay=1e-4), trial(decay=0.0)], space)
    assert found["learning_rate_range"].value == (1e-3, 1e-3)
    assert found["weight_decay_range"].value == (1e-6, 1e-4)
    assert "no place on a log scale" in found["weight_decay_range"].reason


def test_a_tenth_counts_and_three_at_least():
    def counted(n, top=None):
        return len(best_of(Observations("it", [trial()] * n, SPACE, {}, True, 1.0), top))

    assert [counted(3), counted(30), counted(31), counted(100)] == [3, 3, 4, 10]
    assert counted(100, 7) == 7
    with pytest.raises(InputError, match="it: has 2 finished trials; 3 are needed"):
        counted(2)
