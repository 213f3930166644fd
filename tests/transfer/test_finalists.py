from __future__ import annotations

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, create_trial

from autoenc.engines import StopFlag
from autoenc.transfer.finalists import best_trial, compare, judge_finalists, repeat_seed
from autoenc.transfer.folds import divide
from autoenc.transfer.reports import best_params
from autoenc.transfer.smoothing import MIN_TRIALS, Smoothing, fold_objectives
from autoenc.transfer.stages import TrainingFailed


def with_folds(folds, loss: float = 0.5) -> FrozenTrial:
    """A complete trial with these objectives of its folds."""
    means = np.cumsum(folds) / np.arange(1, len(folds) + 1)
    return create_trial(
        value=float(means[-1]),
        intermediate_values=dict(enumerate(means.tolist())),
        user_attrs={"stage1_loss": loss},
    )


def study_of(*trials: FrozenTrial) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    study.add_trials(list(trials))
    return study


def judge_all(study, settings, objectives, stop=None, n_most=99) -> list[tuple[int, int]]:
    """Judge the finalists by made-up objectives; after ``n_most`` of them the run is stopped."""
    asked: list[tuple[int, int]] = []
    stop = stop or StopFlag()

    def judge(repeat):
        def folds(trial):
            asked.append((repeat, trial.number))
            if len(asked) >= n_most:
                stop.set()
            return objectives(repeat, trial.number)

        return folds

    judge_finalists(study, settings, judge, stop)
    return asked


def luck(repeat, number) -> list[float]:
    """Trial 0 was lucky in the search; 1 is better."""
    return [[3.0, 3.2], [2.0, 2.1], [2.5, 2.4]][number]


def lucky() -> list[FrozenTrial]:
    return [with_folds([1.8, 1.9]), with_folds([2.0, 2.0]), with_folds([2.4, 2.6]), with_folds([9.0, 9.0])]


def test_what_was_only_lucky_does_not_win(make_settings):
    study, settings = study_of(*lucky()), make_settings(finalists=3, final_repeats=2)
    assert best_trial(study).number == 0
    assert judge_all(study, settings, luck) == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]
    found = compare(study)
    assert [finalist.number for finalist in found] == [1, 2, 0]
    means = [np.mean([2, 2, 2, 2.1, 2, 2.1]), np.mean([2.4, 2.6, 2.5, 2.4, 2.5, 2.4])]
    assert [finalist.mean for finalist in found[:2]] == pytest.approx(means)
    assert found[0].above == found[0].above_standard_error == 0
    assert found[1].above == pytest.approx(means[1] - means[0])
    differences = [0.4, 0.6, 0.5, 0.3, 0.5, 0.3]
    assert found[1].above_standard_error == pytest.approx((7 / 6 * np.var(differences, ddof=1)) ** 0.5)
    assert best_trial(study).number == best_params(study)["best_trial_number"] == 1
    assert [each["number"] for each in best_params(study)["finalists"]] == [1, 2, 0]


def test_what_is_recorded_is_not_judged_again(make_settings):
    whole, halves = study_of(*lucky()), study_of(*lucky())
    settings = make_settings(finalists=3, final_repeats=2)
    judge_all(whole, settings, luck)
    first = judge_all(halves, settings, luck, n_most=2)
    assert compare(halves) == []
    assert best_trial(halves).number == 0  # not judged to the end: the lowest value
    second = judge_all(halves, settings, luck)
    assert sorted(first + second) == [(repeat, number) for repeat in (1, 2) for number in (0, 1, 2)]
    assert compare(halves) == compare(whole)
    assert judge_all(halves, settings, luck) == []
    assert len(judge_all(halves, make_settings(finalists=3, final_repeats=3), luck)) == 3


def test_a_finalist_that_diverges_is_out(make_settings):
    def objectives(repeat, number):
        if number == 1:
            raise TrainingFailed("it diverged")
        return luck(repeat, number)

    study = study_of(*lucky())
    judge_all(study, make_settings(finalists=3, final_repeats=2), objectives)
    assert [finalist.number for finalist in compare(study)] == [2, 0]


def test_a_mistake_is_raised(make_settings):
    with pytest.raises(ZeroDivisionError):
        judge_all(study_of(*lucky()), make_settings(finalists=2), lambda repeat, number: [1 / 0])


@pytest.mark.parametrize("trials", [[], lucky()[:1], lucky()])
def test_without_rivals_there_is_nothing_to_judge(make_settings, trials):
    study = study_of(*trials)
    assert judge_all(study, make_settings(finalists=1), luck) == []
    assert compare(study) == []
    assert (best_trial(study) is None) == (not trials)


def test_a_repeat_has_other_folds_of_the_same_rows(data):
    seeds = [repeat_seed(5, repeat) for repeat in range(4)]
    assert seeds[0] == 5
    assert len(set(seeds)) == 4
    usual, other = divide(data, 3, 5), divide(data, 3, 5, seeds[1])
    np.testing.assert_array_equal(usual.final.validation, other.final.validation)
    for division in (usual, other):
        rows = np.sort(np.concatenate([fold.validation for fold in division.folds]))
        np.testing.assert_array_equal(rows, usual.final.train)
    assert not np.array_equal(usual.folds[0].validation, other.folds[0].validation)


def test_folds_come_out_of_the_means_so_far():
    np.testing.assert_allclose(fold_objectives(with_folds([1.0, 4.0, 2.5])), [1.0, 4.0, 2.5])


def made_up(n_trials: int, real: float, noise: float) -> tuple[list[FrozenTrial], np.ndarray]:
    """Trials whose worth follows from the loss of stage 1, up to ``real``; folds are noisy."""
    rng = np.random.default_rng(0)
    losses = np.exp(rng.normal(0, 1, n_trials))
    worth = 2 + 0.3 * np.log(losses) + rng.normal(0, real, n_trials)
    folds = worth[:, None] + rng.normal(0, noise, (n_trials, 5)) + rng.normal(0, 1, 5)
    study = study_of(*(with_folds(row, loss) for row, loss in zip(folds, losses, strict=True)))
    return study.trials, worth


@pytest.mark.parametrize(("real", "noise"), [(0.3, 0.6), (0.3, 0.05), (0.0, 0.5)])
def test_smoothing_finds_how_much_folds_tell(real, noise):
    trials, worth = made_up(400, real, noise)
    smoothing = Smoothing.of(trials)
    assert smoothing.noise == pytest.approx(noise**2, rel=0.1)
    assert smoothing.real == pytest.approx(real**2, abs=0.02)
    means = np.array([trial.value for trial in trials])
    found = np.array([smoothing.estimate(trial.number, trial.value, 5) for trial in trials])
    plain, smoothed = (np.var(each - worth) for each in (means, found))
    assert smoothed < plain
    assert smoothing.weight(20) >= smoothing.weight(5)


def test_few_trials_are_not_smoothed():
    trials, _ = made_up(MIN_TRIALS - 1, 0.3, 0.6)
    assert Smoothing.of(trials).estimate(3, 1.5, 5) == 1.5
