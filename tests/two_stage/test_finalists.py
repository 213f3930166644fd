from __future__ import annotations

import time
from math import inf

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, create_trial

from autoenc.data.division import repeat_seed
from autoenc.engines import StopFlag
from autoenc.report.transfer_reports import best_params
from autoenc.searching.executors import Here
from autoenc.searching.finalists import n_judgements, n_repeats
from autoenc.searching.loop import End
from autoenc.two_stage.finalists import (
    compare,
    fold_error,
    fold_objectives,
    judge_finalists,
    kept_trial,
)
from autoenc.two_stage.folds import divide
from autoenc.two_stage.objective import FoldOutcome, FoldsObjective
from autoenc.two_stage.stages import TrainingFailed


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


class MadeUp(FoldsObjective):
    """Finalists judged by made-up objectives; after ``n_most`` judgements the run is stopped."""

    def __init__(self, stop, objectives, n_most) -> None:
        super().__init__(None, None, None)
        self.asked: list[tuple[int, int]] = []
        self._stop, self._objectives, self._n_most = stop, objectives, n_most

    def units_of(self, trial, repeat):
        return [(repeat, trial.number, fold) for fold in range(2)]

    def job(self, unit, watch):
        def measured(stop):
            *judged, fold = unit
            if fold == 1:
                self.asked.append(tuple(judged))
                if len(self.asked) >= self._n_most:
                    self._stop.set()
            try:
                return FoldOutcome(None, self._objectives(*judged)[fold])
            except TrainingFailed as error:
                return FoldOutcome(None, failure=str(error))

        return measured

    def judge(self, trial):
        outcomes = trial.first_outcomes()
        failure = next((outcome.failure for outcome in outcomes if outcome.failure), None)
        return End(0.0, failure) if len(outcomes) == 2 else None


def judge_all(study, settings, objectives, n_most=99, deadline_s=inf) -> list[tuple[int, int]]:
    stop = StopFlag()
    made_up = MadeUp(stop, objectives, n_most)
    judge_finalists(study, settings, made_up, Here(made_up, stop), stop, deadline_s)
    return made_up.asked


def luck(repeat, number) -> list[float]:
    """Trial 0 was lucky in the search; 1 is better."""
    return [[3.0, 3.2], [2.0, 2.1], [2.5, 2.4]][number]


def lucky() -> list[FrozenTrial]:
    return [with_folds([1.8, 1.9]), with_folds([2.0, 2.0]), with_folds([2.4, 2.6]), with_folds([9.0, 9.0])]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 8, 13, 16])
def test_each_round_doubles_the_folds_and_halves_the_finalists(make_settings, n):
    study = study_of(*(with_folds([i, i + 1.0]) for i in range(n)))
    asked = judge_all(study, make_settings(finalists=n or 1), lambda repeat, number: [number, number + 1.0])
    left, done, expected = n, 0, []
    while left > 1:
        for repeat in range(done + 1, 2 * done + 2):
            expected += [(repeat, number) for number in range(left)]
        done, left = 2 * done + 1, (left + 1) // 2
    assert asked == expected
    assert n_judgements(n) == len(expected)
    assert n_repeats(n) == done
    found = compare(study)
    assert [finalist.number for finalist in found] == (list(range(n)) if n > 1 else [])
    assert [finalist.n_folds for finalist in found[:1]] == ([2 * (done + 1)] if n > 1 else [])


def test_what_was_only_lucky_does_not_win(make_settings):
    study, settings = study_of(*lucky()), make_settings(finalists=3)
    assert kept_trial(study).number == 0
    # After the first round trials 0 and 2 are level: the one that did better in the search goes on.
    assert judge_all(study, settings, luck)[:3] == [(1, 0), (1, 1), (1, 2)]
    found = compare(study)
    assert [finalist.number for finalist in found] == [1, 0, 2]
    assert [finalist.n_folds for finalist in found] == [8, 8, 4]
    means = [np.mean([2, 2, *3 * [2, 2.1]]), np.mean([1.8, 1.9, *3 * [3, 3.2]])]
    assert [finalist.mean for finalist in found[:2]] == pytest.approx(means)
    assert found[0].above == found[0].above_standard_error == 0
    assert found[1].above == pytest.approx(means[1] - means[0])
    differences = [-0.2, -0.1, *3 * [1.0, 1.1]]
    assert found[1].above_standard_error == pytest.approx((9 / 8 * np.var(differences, ddof=1)) ** 0.5)
    # One that went out is held against the winner's first folds.
    assert found[2].above == pytest.approx(np.mean([0.4, 0.6, 0.5, 0.3]))
    assert kept_trial(study).number == best_params(study)["best_trial_number"] == 1
    assert [each["number"] for each in best_params(study)["finalists"]] == [1, 0, 2]


def test_a_fold_counts_once_whatever_its_seeds(make_settings):
    class WithSeeds(MadeUp):
        def units_of(self, trial, repeat):
            return [(repeat, trial.number, fold, seed) for fold in range(2) for seed in range(2)]

        def job(self, unit, watch):
            repeat, number, fold, seed = unit
            return lambda stop: FoldOutcome(None, luck(repeat, number)[fold] + (seed - 0.5) / 8)

        def judge(self, trial):
            return End(0.0) if len(trial.first_outcomes()) == 4 else None

    found, stop = [], StopFlag()
    for made_up, seeds in ((MadeUp(stop, luck, 99), 1), (WithSeeds(stop, luck, 99), 2)):
        study, settings = study_of(*lucky()), make_settings(finalists=3, seeds=seeds)
        judge_finalists(study, settings, made_up, Here(made_up, stop), stop)
        found.append(compare(study))
    assert [each.n_folds for each in found[1]] == [8, 8, 4]
    for one, other in zip(*found, strict=True):
        assert other == pytest.approx(one)


def test_what_is_recorded_is_not_judged_again(make_settings):
    whole, settings = study_of(*lucky()), make_settings(finalists=3)
    asked = judge_all(whole, settings, luck)
    for n_most in range(1, len(asked)):
        halves = study_of(*lucky())
        first = judge_all(halves, settings, luck, n_most=n_most)
        assert len(first) == n_most
        assert compare(halves) == []
        assert kept_trial(halves).number == 0  # not judged to the end: the lowest value
        assert first + judge_all(halves, settings, luck) == asked
        assert compare(halves) == compare(whole)
        assert judge_all(halves, settings, luck) == []


def test_nothing_is_judged_after_the_time(make_settings):
    study = study_of(*lucky())
    assert judge_all(study, make_settings(), luck, deadline_s=time.monotonic()) == []
    assert compare(study) == []


@pytest.mark.parametrize(
    ("diverging", "compared", "best"),
    [({1}, [2, 0], 2), ({0, 1}, [], 2), ({1, 2}, [], 0), ({0, 1, 2}, [], 0)],
)
def test_a_finalist_that_diverges_is_out(make_settings, diverging, compared, best):
    def objectives(repeat, number):
        if number in diverging:
            raise TrainingFailed("it diverged")
        return luck(repeat, number)

    study = study_of(*lucky())
    asked = judge_all(study, make_settings(finalists=3), objectives)
    assert [finalist.number for finalist in compare(study)] == compared
    assert kept_trial(study).number == best
    assert len(asked) == (7 if compared else 3)  # one that is left alone need not be judged again


def test_a_mistake_is_raised(make_settings):
    with pytest.raises(ZeroDivisionError):
        judge_all(study_of(*lucky()), make_settings(finalists=2), lambda repeat, number: [1 / 0])


@pytest.mark.parametrize("trials", [[], lucky()[:1], lucky()])
def test_without_rivals_there_is_nothing_to_judge(make_settings, trials):
    study = study_of(*trials)
    assert judge_all(study, make_settings(finalists=1), luck) == []
    assert compare(study) == []
    assert (kept_trial(study) is None) == (not trials)


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


def test_a_value_has_the_error_of_its_own_folds():
    assert fold_error(with_folds([1.0, 4.0, 2.5])) == pytest.approx(((1 / 3 + 1 / 2) * 2.25) ** 0.5)
    assert fold_error(create_trial(value=1.0)) is None
