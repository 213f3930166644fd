from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoenc.tuning.resilient import Jump, Mode, ResilientOptions, ResilientSampler, replay, situation_of
from autoenc.tuning.space import HyperparameterSearchSpace

OPTIONS = ResilientOptions(excellent=0.5)
SPACE: dict[str, BaseDistribution] = {
    "num_layers": IntDistribution(1, 12),
    "hidden_size_1": IntDistribution(8, 1024, log=True),
    "hidden_size_2": IntDistribution(8, 1024, log=True),
    "learning_rate": FloatDistribution(1e-5, 1e-2, log=True),
    "dropout": FloatDistribution(0, 0.5),
    "batch_size": CategoricalDistribution((16, 32, 64)),
    "activation": CategoricalDistribution(("relu", "tanh")),
}
BEST = {
    "num_layers": 5, "hidden_size_1": 200, "hidden_size_2": 50, "learning_rate": 0.004, "dropout": 0.2,
    "batch_size": 32, "activation": "tanh",
}  # fmt: skip


def ended(value: float | None, state: TrialState = TrialState.COMPLETE, **params: Any) -> FrozenTrial:
    if state == TrialState.PRUNED:
        return create_trial(state=state, intermediate_values={0: value or 0.0})
    distributions = {name: SPACE[name] for name in params}
    return create_trial(state=state, value=value, params=params, distributions=distributions)


def modes(values: Sequence[float], options: ResilientOptions = OPTIONS) -> list[Mode]:
    """The mode of each trial and of the one after the last."""
    trials = [ended(value) for value in values]
    return [replay(trials[:n], options).mode for n in range(len(values) + 1)]


def test_a_search_begins_with_its_startup() -> None:
    assert modes([9.0 - n for n in range(8)]) == 8 * [Mode.STARTUP] + [Mode.NORMAL]
    shorter = ResilientOptions(startup_trials=3)
    assert modes([3.0, 2.0, 1.0, 0.9], shorter) == 3 * [Mode.STARTUP] + 2 * [Mode.NORMAL]


def test_startup_goes_on_until_something_succeeds() -> None:
    failed = [ended(None, TrialState.FAIL) for _ in range(9)]
    assert replay(failed, OPTIONS).mode is Mode.STARTUP
    assert replay([*failed, ended(1.0)], OPTIONS).mode is Mode.NORMAL


def test_a_best_below_the_threshold_opens_eight_trials_of_local_exploration() -> None:
    values = [*(9.0 - n for n in range(9)), 0.4, *(0.6 for _ in range(8))]
    assert modes(values)[9:] == [Mode.NORMAL, *8 * [Mode.LOCAL], Mode.JUMP]
    assert Mode.LOCAL not in modes([*(9.0 - n for n in range(9)), 0.5, 0.6, 0.6])  # below, not at


def test_local_exploration_interrupts_the_startup() -> None:
    assert modes([1.0, 0.4, 0.6]) == [Mode.STARTUP, Mode.STARTUP, Mode.LOCAL, Mode.LOCAL]


def test_a_new_best_within_local_exploration_does_not_prolong_it_and_one_after_it_opens_another() -> None:
    trials = [ended(value) for value in (0.4, 0.6, 0.3, *5 * [0.6])]
    now = replay(trials, OPTIONS)
    assert (now.mode, now.local_left, now.anchor, now.best) == (Mode.LOCAL, 1, trials[0], trials[2])
    now = replay([*trials, ended(0.6)], OPTIONS)
    assert (now.mode, now.local_left, now.anchor) == (Mode.NORMAL, 0, None)
    again = [*trials, ended(0.6), ended(0.2)]
    now = replay(again, OPTIONS)
    assert (now.mode, now.local_left, now.anchor) == (Mode.LOCAL, 8, again[-1])


def test_eight_trials_without_improvement_make_a_jump_due() -> None:
    values = [*(2.0 - n / 10 for n in range(8)), *(5.0 for _ in range(17))]
    found = modes(values)
    assert [number for number, mode in enumerate(found) if mode is Mode.JUMP] == [16, 24]
    assert replay([ended(value) for value in values], OPTIONS).stagnation == 17


def test_failed_pruned_and_endless_trials_are_no_improvement() -> None:
    trials = [
        ended(1.0), ended(float("inf")), ended(None, TrialState.FAIL), ended(0.1, TrialState.PRUNED),
    ]  # fmt: skip
    now = replay(trials, OPTIONS)
    assert (now.best, now.stagnation) == (trials[0], 3)


def test_only_trials_that_count_are_replayed_and_unfinished_ones_never_are() -> None:
    running = create_trial(state=TrialState.RUNNING)
    trials = [ended(0.1, dropout=0.1), ended(1.0), running]
    now = situation_of(trials, OPTIONS, lambda trial: "dropout" not in trial.params)
    assert now.best is trials[1]
    # While none of them has ended, the others are what there is to begin from.
    now = situation_of(trials, OPTIONS, lambda trial: False)
    assert now.best is trials[0]


def proposals(trials: Sequence[FrozenTrial], options: ResilientOptions, n: int = 40) -> list[dict[str, Any]]:
    """What samplers of different seeds propose after these trials."""
    study = optuna.create_study()
    study.add_trials(trials)
    frozen = study.ask()._cached_frozen_trial
    return [ResilientSampler(seed, options, SPACE).sample_relative(study, frozen, SPACE) for seed in range(n)]


def test_the_first_proposal_is_the_middle_and_the_next_ones_are_spread() -> None:
    (first,) = proposals([], OPTIONS, 1)
    assert first["hidden_size_1"] == round((8 * 1024) ** 0.5)
    assert first["dropout"] == 0.25
    rates = [each["learning_rate"] for each in proposals([ended(1.0, **first)], OPTIONS)]
    assert min(rates) < 1e-4 < 1e-3 < max(rates)


def test_normal_steps_change_few_parameters_a_little() -> None:
    trials = [ended(2.0 - n / 10) for n in range(8)] + [ended(1.0, **BEST)]
    found = proposals(trials, OPTIONS)
    changed = [sum(each[name] != BEST[name] for name in BEST) for each in found]
    assert min(changed) >= 1
    assert sum(changed) / len(changed) < 4
    assert all(abs(each["dropout"] - 0.2) < 0.2 for each in found)
    far = proposals([*trials, *7 * [ended(3.0)]], OPTIONS)
    spread = [sum(abs(each["dropout"] - 0.2) for each in some) for some in (found, far)]
    assert spread[0] < spread[1]  # steps grow with stagnation


def test_local_exploration_stays_close() -> None:
    found = proposals([ended(0.4, **BEST)], OPTIONS)
    for each in found:
        assert 4 <= each["num_layers"] <= 6
        assert 180 <= each["hidden_size_1"] <= 220
        assert 0.9 * 0.004 <= each["learning_rate"] <= 1.1 * 0.004
        assert 0.9 * 0.2 <= each["dropout"] <= 1.1 * 0.2
        assert each["activation"] == "tanh"
    assert {each["batch_size"] for each in found} == {16, 32, 64}


def test_local_exploration_goes_no_farther_from_where_it_began_by_improving() -> None:
    improved = [
        ended(0.4 - n / 100, **{**BEST, "hidden_size_1": 200 + 10 * n, "dropout": 0.2 + 0.01 * n})
        for n in range(5)
    ]
    for each in proposals(improved, OPTIONS):
        assert 160 <= each["hidden_size_1"] <= 240
        assert 0.16 <= each["dropout"] <= 0.24 + 1e-12


def test_a_conservative_jump_goes_to_a_less_demanding_point() -> None:
    options = ResilientOptions(excellent=0.5, startup_trials=1, jump_probability=1)
    found = proposals([ended(1.0, **BEST), *8 * [ended(2.0)]], options, 3)
    smaller = {"num_layers": 4, "hidden_size_1": 140, "hidden_size_2": 64, "learning_rate": 0.002}
    assert found == 3 * [{**BEST, **smaller}]
    extreme = {**BEST, "num_layers": 12, "hidden_size_1": 1024, "learning_rate": 1e-5}
    (jump,) = proposals([ended(1.0, **extreme), *8 * [ended(2.0)]], options, 1)
    assert (jump["num_layers"], jump["hidden_size_1"], jump["learning_rate"]) == (8, 256, 1e-5)


def test_jumps_have_their_probability_and_may_be_defined_otherwise() -> None:
    trials = [ended(1.0, **BEST), *8 * [ended(2.0)]]
    options = ResilientOptions(startup_trials=1, jumps={"drop*": Jump(0.5, 0.15, 0.4)}, jump_probability=0.7)
    found = proposals(trials, options, 200)
    share = sum(each == {**BEST, "dropout": 0.15} for each in found) / 200
    assert 0.6 < share < 0.8


def test_a_jump_to_a_point_that_was_tried_becomes_a_step() -> None:
    smaller = {"num_layers": 4, "hidden_size_1": 140, "hidden_size_2": 64, "learning_rate": 0.002}
    options = ResilientOptions(startup_trials=1, jump_probability=1)
    tried = [ended(1.0, **BEST), ended(2.0, **{**BEST, **smaller}), *7 * [ended(2.0)]]
    for each in proposals(tried, options, 20):
        assert each not in [trial.params for trial in tried]


def size_of(params: Any) -> float:
    return float(params["width"] * params["depth"])


def test_no_step_goes_to_more_than_twice_the_size_of_the_best() -> None:
    too_large = []

    def objective(trial: optuna.Trial) -> float:
        complete = [t for t in trial.study.trials if t.state == TrialState.COMPLETE]
        sizes = {t.number: size_of(t.params) for t in complete}
        best = min(complete, key=lambda t: t.value, default=None)
        params = {
            "width": trial.suggest_int("width", 1, 512, log=True),
            "depth": trial.suggest_int("depth", 1, 20),
        }
        if best is not None:
            too_large.append(size_of(params) > 2 * sizes[best.number])
        return 1 / size_of(params)  # larger is always better

    options = ResilientOptions(startup_trials=3)
    space = {"width": IntDistribution(1, 512, log=True), "depth": IntDistribution(1, 20)}
    for seed in range(3):
        sampler = ResilientSampler(seed, options, space, size_of)
        optuna.create_study(sampler=sampler).optimize(objective, n_trials=25)
    assert len(too_large) == 72
    assert not any(too_large)


def test_what_has_one_value_counts_for_the_size_too() -> None:
    space = {"width": IntDistribution(1, 512, log=True), "depth": IntDistribution(3, 3)}
    study = optuna.create_study(sampler=ResilientSampler(0, None, space, size_of))
    study.optimize(
        lambda trial: 1 / (trial.suggest_int("width", 1, 512, log=True) * trial.suggest_int("depth", 3, 3)),
        n_trials=12,
    )
    assert {trial.params["depth"] for trial in study.trials} == {3}


@pytest.mark.parametrize("seed", range(5))
def test_no_point_is_tried_twice_while_there_are_others(seed) -> None:
    study = optuna.create_study(sampler=ResilientSampler(seed, ResilientOptions(excellent=3)))
    study.optimize(
        lambda trial: (
            trial.suggest_int("n", 1, 6) + trial.suggest_categorical("kind", "abc").count("b")
            + trial.suggest_categorical("size", (1, 2, 4))
        ),
        n_trials=36,
    )  # fmt: skip
    # The first trial's parameters are drawn alone, one by one, as no trial has told what there is.
    points = [tuple(sorted(trial.params.items())) for trial in study.trials]
    assert len(set(points)) == len(points)


def test_once_all_points_are_tried_the_search_goes_on() -> None:
    study = optuna.create_study(sampler=ResilientSampler(0))
    study.optimize(lambda trial: trial.suggest_int("n", 1, 3), n_trials=8)
    assert {trial.params["n"] for trial in study.trials} == {1, 2, 3}


def test_a_space_without_anything_open_is_no_problem() -> None:
    study = optuna.create_study(sampler=ResilientSampler(0, search_space={"n": IntDistribution(2, 2)}))
    study.optimize(lambda trial: trial.suggest_int("n", 2, 2), n_trials=3)
    assert len(study.trials) == 3


def test_conditional_parameters_and_failures_are_searched_too() -> None:
    def objective(trial: optuna.Trial) -> float:
        if trial.number % 6 == 5:
            raise ArithmeticError
        if trial.suggest_categorical("kind", ("line", "curve")) == "line":
            return 1 + abs(trial.suggest_float("slope", -4, 4))
        bend = trial.suggest_float("bend", 0, 3, step=0.25)
        return abs(bend - 1.5) + trial.suggest_float("rate", 1e-5, 1, log=True)

    study = optuna.create_study(sampler=ResilientSampler(1))
    study.optimize(objective, n_trials=80, catch=ArithmeticError)
    assert study.best_params["kind"] == "curve"
    assert study.best_value < 0.1


@pytest.mark.parametrize("directions", [["maximize"], ["minimize", "minimize"]])
def test_what_is_not_minimized_is_refused(directions) -> None:
    study = optuna.create_study(directions=directions, sampler=ResilientSampler(0))
    with pytest.raises(ValueError, match="ResilientSampler minimizes one value; this study does not"):
        study.ask().suggest_float("x", 0, 1)


def test_seeds_repeat_and_reseeding_does_not() -> None:
    def points(sampler: ResilientSampler) -> list[float]:
        study = optuna.create_study(sampler=sampler)
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
        return [trial.params["x"] for trial in study.trials]

    reseeded = ResilientSampler(4)
    reseeded.reseed_rng()
    assert points(ResilientSampler(4)) == points(ResilientSampler(4)) != points(reseeded)


def test_it_beats_random_search_comfortably() -> None:
    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("learning_rate", 1e-5, 1, log=True)
        width = trial.suggest_int("width", 8, 1024, log=True)
        kind = trial.suggest_categorical("kind", ("relu", "gelu", "tanh"))
        dropout = trial.suggest_float("dropout", 0, 0.5)
        return (
            abs(rate / 1e-3 - 1) ** 0.5
            + abs(width / 120 - 1)
            + 4 * abs(dropout - 0.1)
            + 0.3 * (kind != "gelu")
        )

    best: dict[type, list[float]] = {RandomSampler: [], ResilientSampler: []}
    for sampler in best:
        for seed in range(10):
            study = optuna.create_study(sampler=sampler(seed))
            study.optimize(objective, n_trials=50)
            best[sampler].append(study.best_value)
    wins = sum(ours < theirs for ours, theirs in zip(*reversed(best.values()), strict=True))
    assert wins >= 9
    assert sum(best[ResilientSampler]) < 0.6 * sum(best[RandomSampler])


@pytest.mark.parametrize("seed", range(4))
def test_what_would_be_built_again_is_not_proposed(seed) -> None:
    """A width above the one before it is cut to that: 10 of the 16 pairs of widths are different stacks."""
    space = HyperparameterSearchSpace(
        num_layers_range=(2, 2), hidden_size_range=(1, 4), learning_rate_range=(1e-3, 1e-3),
        weight_decay_range=(1e-4, 1e-4), dropout_range=(0.1, 0.1), batch_size_options=(32,),
        activation_options=("relu",), norm_options=("layer",),
    )  # fmt: skip

    def stacks(built) -> list[tuple[int, ...]]:
        sampler = ResilientSampler(seed, ResilientOptions(), space.distributions(), built=built)
        study = optuna.create_study(sampler=sampler)
        found = []
        for _ in range(8):
            trial = study.ask()
            found.append(space.suggest(trial).architecture)
            study.tell(trial, sum(found[-1]))
        return found

    assert len(set(stacks(space.configuration))) == 8
    assert len(set(stacks(None))) < 8
