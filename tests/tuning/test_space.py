from __future__ import annotations

import json
from itertools import pairwise, product

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial

from autoenc.errors import InputError
from autoenc.tuning.space import HyperparameterSearchSpace

NARROW = {
    "num_layers_range": (2, 3), "hidden_size_range": (16, 64), "learning_rate_range": (1e-3, 1e-2),
    "weight_decay_range": 1e-4, "dropout_range": 0.1, "batch_size_options": (32,),
    "activation_options": ("relu",), "norm_options": ("layer", "none"),
}  # fmt: skip


def pairs(low: float, high: float, whole: bool = False) -> st.SearchStrategy:
    each = st.integers(int(low), int(high)) if whole else st.floats(low, high)
    return st.tuples(each, each).map(lambda pair: tuple(sorted(pair)))


spaces = st.builds(
    HyperparameterSearchSpace,
    num_layers_range=pairs(1, 5, whole=True),
    hidden_size_range=pairs(1, 300, whole=True),
    learning_rate_range=pairs(1e-6, 1),
    weight_decay_range=pairs(1e-8, 1),
    dropout_range=pairs(0, 0.9),
    batch_size_options=st.lists(st.integers(1, 512), min_size=1, max_size=4, unique=True),
    activation_options=st.lists(st.sampled_from(["relu", "tanh", "gelu"]), min_size=1, unique=True),
    norm_options=st.sampled_from([("layer",), ("none", "layer")]),
)


@given(spaces, st.integers(0, 999))
def test_every_suggestion_lies_within_its_ranges(space, seed) -> None:
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed)).ask()
    stack, recipe = vars(space.suggest(trial)).values()
    assert space.num_layers_range[0] <= len(stack) <= space.num_layers_range[1]
    assert all(space.hidden_size_range[0] <= width <= space.hidden_size_range[1] for width in stack)
    assert all(outer >= inner for outer, inner in pairwise(stack))
    ranges = {
        "initial_lr": space.learning_rate_range,
        "weight_decay": space.weight_decay_range,
        "dropout": space.dropout_range,
    }
    for name, (low, high) in ranges.items():
        assert low <= recipe[name] <= high
    for name in ("batch_size", "activation", "norm"):
        assert recipe[name] in getattr(space, f"{name}_options")
    known = space.distributions()
    assert {name: known[name] for name in trial.params} == trial.distributions


def test_a_trial_has_as_many_widths_as_layers() -> None:
    trial = optuna.create_study().ask()
    HyperparameterSearchSpace(num_layers_range=2).suggest(trial)
    assert [name for name in trial.params if name.startswith("hidden_size")] == [
        "hidden_size_1", "hidden_size_2",
    ]  # fmt: skip


def test_a_width_above_the_one_before_it_counts_as_that_one() -> None:
    drawn = {
        "num_layers": 4, "hidden_size_1": 40, "hidden_size_2": 60, "hidden_size_3": 20, "hidden_size_4": 50,
        "learning_rate": 0.001, "weight_decay": 1e-4, "dropout": 0.1, "batch_size": 32, "activation": "relu",
        "norm": "none",
    }  # fmt: skip
    found = HyperparameterSearchSpace().suggest(FixedTrial(drawn))
    assert found.architecture == (40, 40, 20, 20)
    assert found.recipe == {
        "initial_lr": 0.001, "weight_decay": 1e-4, "dropout": 0.1, "batch_size": 32, "activation": "relu",
        "norm": "none",
    }  # fmt: skip


def test_widths_and_rates_are_on_a_log_scale() -> None:
    known = HyperparameterSearchSpace(num_layers_range=(1, 2), dropout_range=(0, 0.3)).distributions()
    assert known["num_layers"] == IntDistribution(1, 2)
    assert known["hidden_size_2"] == IntDistribution(8, 1024, log=True)
    assert known["learning_rate"] == FloatDistribution(1e-5, 1e-2, log=True)
    assert known["weight_decay"] == FloatDistribution(1e-6, 1e-2, log=True)
    assert known["dropout"] == FloatDistribution(0, 0.3)
    assert known["batch_size"] == CategoricalDistribution((16, 32, 64, 128))
    assert "hidden_size_3" not in known


def test_one_value_alone_fixes_an_option_in_python_and_as_text() -> None:
    space = HyperparameterSearchSpace(
        num_layers_range=2, hidden_size_range="64", learning_rate_range=1e-3, dropout_range="0",
        batch_size_options=64, activation_options="gelu", norm_options="none",
    )  # fmt: skip
    open_names = {name for name, each in space.distributions().items() if not each.single()}
    assert open_names == {"weight_decay"}
    found = space.suggest(optuna.create_study().ask())
    assert found.architecture == (64, 64)
    assert {**found.recipe, "weight_decay": 0} == {
        "initial_lr": 1e-3, "weight_decay": 0, "dropout": 0, "batch_size": 64, "activation": "gelu",
        "norm": "none",
    }  # fmt: skip


def test_a_space_is_written_as_plain_values_and_read_again() -> None:
    space = HyperparameterSearchSpace(**NARROW)
    written = space.model_dump(mode="json")
    assert written["weight_decay_range"] == 1e-4
    assert written["hidden_size_range"] == [16, 64]
    assert HyperparameterSearchSpace(**json.loads(json.dumps(written))) == space


def test_the_values_of_a_grid() -> None:
    grid = HyperparameterSearchSpace(**NARROW).grid()
    assert grid.pop("learning_rate") == pytest.approx([1e-3, 10**-2.5, 1e-2])
    widths = (64, 32, 16)
    assert grid.pop("hidden_dims") == [
        "-".join(map(str, stack))
        for depth in (2, 3)
        for stack in product(widths, repeat=depth)
        if list(stack) == sorted(stack, reverse=True)
    ]
    assert grid == {
        "weight_decay": [1e-4], "dropout": [0.1], "batch_size": [32], "activation": ["relu"],
        "norm": ["layer", "none"],
    }  # fmt: skip


@given(spaces)
def test_the_values_of_a_grid_lie_within_the_ranges(space) -> None:
    grid = space.model_copy(update={"num_layers_range": (1, 2)}).grid()
    assert {width for name in grid.pop("hidden_dims") for width in map(int, name.split("-"))} <= set(
        range(space.hidden_size_range[0], space.hidden_size_range[1] + 1)
    )
    for name, values in grid.items():
        each = space.distributions()[name]
        assert len(set(values)) == len(values) <= 6
        assert all(each._contains(each.to_internal_repr(value)) for value in values)


def test_a_grid_of_widths_without_a_power_of_two_has_the_smallest() -> None:
    space = HyperparameterSearchSpace(num_layers_range=1, hidden_size_range=(20, 30))
    assert space.grid()["hidden_dims"] == ["20"]


def test_a_grid_names_its_stacks_as_trials_know_them() -> None:
    space = HyperparameterSearchSpace(**NARROW)
    grid = space.grid()
    names = grid["hidden_dims"]
    sampler = optuna.samplers.GridSampler({**grid, "hidden_dims": names[3:4]}, seed=0)
    found = space.suggest(optuna.create_study(sampler=sampler).ask(), names)
    assert found.architecture == (32, 32)


def test_a_grid_too_large_is_refused() -> None:
    with pytest.raises(InputError, match=r"the space has [\d,]+ points, at most 100,000 make a grid; narrow"):
        HyperparameterSearchSpace().grid()
    huge = HyperparameterSearchSpace(num_layers_range=(1, 1024), hidden_size_range=(1, 65536))
    with pytest.raises(InputError, match="narrow --num_layers_range"):
        huge.grid()  # told at once, without listing its stacks


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (
            {"num_layers_range": (3, 1)},
            r"num_layers_range\n.* must be an ascending range, e\.g\. 1,3, got 3,1",
        ),
        ({"num_layers_range": (0, 2)}, r"num_layers_range\.0\n.*greater than or equal to 1"),
        ({"hidden_size_range": (8, 1.5)}, r"hidden_size_range\.1\n.*integer"),
        ({"hidden_size_range": (8, 16, 32)}, r"hidden_size_range\n.*at most 2 items"),
        ({"learning_rate_range": (0, 1)}, r"learning_rate_range\.0\n.*greater than 0"),
        ({"learning_rate_range": "1e-3,inf"}, r"learning_rate_range\.1\n.*finite"),
        ({"dropout_range": (0, 1)}, r"dropout_range\.1\n.*less than 1"),
        ({"batch_size_options": ()}, r"batch_size_options\n.*at least 1 item"),
        ({"batch_size_options": (16, 16)}, r"batch_size_options\n.* must not repeat a value, got 16 twice"),
        ({"activation_options": "relu,sine"}, r"activation_options\.1\n.*'relu'"),
        ({"norm_options": "batch"}, r"norm_options\.0\n.*'layer' or 'none'"),
        ({"num_epochs": 0}, r"num_epochs\n.*greater than or equal to 1"),
        ({"learning_rates": 1}, r"learning_rates\n.*not permitted"),
    ],
)
def test_a_wrong_space_is_a_value_error_that_names_the_option(wrong, text) -> None:
    with pytest.raises(ValueError, match=text):
        HyperparameterSearchSpace(**wrong)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ValueError, match=r"(?s)2 validation errors.*num_layers_range.*dropout_range"):
        HyperparameterSearchSpace(num_layers_range=(3, 1), dropout_range=(0, 2))
