from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from autoenc.tuning.cmaes import _MEMORIES, ReplayedCmaEsSampler
from autoenc.tuning.resilient import ResilientOptions, ResilientSampler
from autoenc.tuning.sampling import PerTrialSampler, standard_sampler

N_TRIALS = 24
MAKE: dict[str, Callable[[int, int], BaseSampler]] = {
    **{
        name: lambda seed, number, name=name: standard_sampler(name, seed)
        for name in ("random", "tpe", "cmaes", "nsgaii")
    },
    "resilient": lambda seed, number: ResilientSampler(seed, ResilientOptions(excellent=8, startup_trials=4)),
}


def objective(trial: optuna.Trial) -> float:
    """Something of every kind: log, choices, and widths that only some trials have."""
    value = trial.suggest_float("x", -5, 5) ** 2 + trial.suggest_float("rate", 1e-4, 1, log=True)
    n_layers = trial.suggest_int("n_layers", 1, 3)
    widths = [trial.suggest_int(f"width_{i}", 1, 64, log=True) for i in range(n_layers)]
    return value + n_layers + abs(sum(widths) - 30) / 10 + (trial.suggest_categorical("kind", "abc") == "a")


def opened(storage: InMemoryStorage, make: Callable[[int, int], BaseSampler], **fixed: Any) -> optuna.Study:
    """The study as a new process finds it: with samplers that remember nothing."""
    sampler = PerTrialSampler(make, 7, lambda number: fixed)
    return optuna.create_study(study_name="study", storage=storage, sampler=sampler, load_if_exists=True)


def finish(study: optuna.Study, trial: optuna.Trial) -> None:
    """End a trial: every seventh fails and every fifth is pruned."""
    value = objective(trial)
    if trial.number % 7 == 6:
        study.tell(trial, state=TrialState.FAIL)
    elif trial.number % 5 == 4:
        trial.report(value, 0)
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, value)


def history(study: optuna.Study) -> list[tuple[dict[str, Any], float | None]]:
    assert len(study.trials) == N_TRIALS
    return [(trial.params, trial.value) for trial in study.trials]


@pytest.fixture(scope="module", params=MAKE)
def case(request) -> tuple[Callable[[int, int], BaseSampler], Any]:
    """A sampler, and what it comes to in one go."""
    make = MAKE[request.param]
    study = opened(InMemoryStorage(), make)
    for _ in range(N_TRIALS):
        finish(study, study.ask())
    return make, history(study)


def test_an_interruption_after_every_trial_is_invisible(case) -> None:
    make, in_one_go = case
    storage = InMemoryStorage()
    for _ in range(N_TRIALS):
        study = opened(storage, make)
        finish(study, study.ask())
    assert history(study) == in_one_go


def test_a_trial_left_with_some_parameters_drawn_is_drawn_to_the_same_end(case) -> None:
    make, in_one_go = case
    storage = InMemoryStorage()
    for number in range(N_TRIALS):
        study = opened(storage, make)
        trial = study.ask()
        first = (
            lambda trial: trial.suggest_float("x", -5, 5),
            lambda trial: trial.suggest_float("rate", 1e-4, 1, log=True),
            lambda trial: trial.suggest_int("n_layers", 1, 3),
        )
        for draw in first[: number % 4]:
            draw(trial)
        study = opened(storage, make)
        (left,) = study.get_trials(states=(TrialState.RUNNING,))
        assert len(left.params) == number % 4
        finish(study, optuna.Trial(study, left._trial_id))
    assert history(study) == in_one_go


def test_another_seed_draws_other_parameters() -> None:
    drawn = []
    for seed in (1, 2):
        study = optuna.create_study(sampler=PerTrialSampler(MAKE["random"], seed))
        study.optimize(objective, n_trials=2)
        drawn += [trial.params["x"] for trial in study.trials]
    assert len(set(drawn)) == 4


@pytest.mark.parametrize("name", MAKE)
def test_a_fixed_parameter_has_its_value_in_every_trial(name) -> None:
    study = opened(InMemoryStorage(), MAKE[name], kind="b", n_layers=2)
    for _ in range(10):
        finish(study, study.ask())
    assert {trial.params["kind"] for trial in study.trials} == {"b"}
    assert {trial.params["n_layers"] for trial in study.trials} == {2}
    assert len({trial.params["x"] for trial in study.trials}) == 10


def test_what_is_fixed_may_depend_on_the_trial() -> None:
    sampler = PerTrialSampler(MAKE["tpe"], 0, lambda number: {"kind": "abc"[number // 6]})
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=18)
    assert "".join(trial.params["kind"] for trial in study.trials) == 6 * "a" + 6 * "b" + 6 * "c"


def test_seeds_go_to_the_sampler_with_the_trials_number() -> None:
    seen = []

    def make(seed: int, number: int) -> BaseSampler:
        seen.append((number, seed))
        return RandomSampler(seed)

    study = optuna.create_study(sampler=PerTrialSampler(make, 3))
    study.optimize(objective, n_trials=3)
    assert {number for number, _ in seen} == {0, 1, 2}
    assert all(0 <= seed < 2**32 for _, seed in seen)
    # The relative draw, and one for each parameter that is drawn alone: no two share a seed.
    assert len({seed for _, seed in seen}) == len(set(seen)) > 9


def quadratic(trial: optuna.Trial) -> float:
    """With its lowest value near a corner."""
    return sum((trial.suggest_float(f"x{i}", 0, 1) - 0.9) ** 2 for i in range(6))


def searched(n_trials: int, storage: InMemoryStorage | None = None, **options: Any) -> optuna.Study:
    sampler = PerTrialSampler(MAKE["cmaes"], 5)
    study = optuna.create_study(storage=storage, sampler=sampler, **options)
    study.optimize(quadratic, n_trials=n_trials)
    return study


def test_cmaes_finds_what_random_search_does_not() -> None:
    study = searched(150)
    assert study.best_value < 0.02
    drawn = optuna.create_study(sampler=PerTrialSampler(MAKE["random"], 5))
    drawn.optimize(quadratic, n_trials=150)
    assert drawn.best_value > 0.1
    maximized = optuna.create_study(sampler=PerTrialSampler(MAKE["cmaes"], 5), direction="maximize")
    maximized.optimize(lambda trial: -quadratic(trial), n_trials=150)
    assert maximized.best_value == pytest.approx(-study.best_value)


def test_cmaes_remembers_nothing_that_the_trials_do_not_say() -> None:
    storage = InMemoryStorage()
    study = searched(40, storage)
    _MEMORIES.clear()
    assert [trial.params for trial in study.trials] == [trial.params for trial in searched(40).trials]
    attributes = [trial.system_attrs for trial in study.trials]
    assert attributes == [{}] * 40
    assert storage.get_study_system_attrs(study._study_id) == {}


def test_cmaes_takes_late_and_foreign_trials_into_account() -> None:
    """Trials that end out of order, and enqueued ones far away, as another family's best would be."""
    study = searched(60)
    late = study.ask()
    for name in (f"x{i}" for i in range(6)):
        late.suggest_float(name, 0, 1)
    study.optimize(quadratic, n_trials=30)
    study.tell(late, 7.0)
    for _ in range(5):
        study.enqueue_trial({f"x{i}": 0.0 for i in range(6)})
    study.optimize(quadratic, n_trials=45)
    values = [trial.value for trial in study.trials]
    assert min(values) < 0.05
    assert max(values[-10:]) < 0.5, "five trials far away have driven it off"
    drawn = study.ask()
    _MEMORIES.clear()
    again = optuna.Trial(study, drawn._trial_id)
    assert drawn.relative_params == again.relative_params


def test_cmaes_survives_values_that_are_all_the_same() -> None:
    study = optuna.create_study(sampler=PerTrialSampler(MAKE["cmaes"], 1))
    study.optimize(lambda trial: 0 * quadratic(trial), n_trials=400)
    last = study.trials[-50:]
    assert len({trial.params["x0"] for trial in last}) == 50


def test_cmaes_wants_one_objective() -> None:
    study = optuna.create_study(directions=["minimize"] * 2, sampler=ReplayedCmaEsSampler(0))
    with pytest.raises(ValueError, match="optimizes one value"):
        study.ask().suggest_float("x", 0, 1)
