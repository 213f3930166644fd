"""The best trials of a search of fits are judged again, by folds and seeds that the repeat alone decides."""

from __future__ import annotations

import numpy as np
import pytest

from autoenc.data.division import Division, fold_names
from autoenc.data.table import load_table
from autoenc.engines import Fit, Outcome, Recipe
from autoenc.errors import InputError
from autoenc.searching.finalists import check_repeats, judge_again, n_judgements
from autoenc.searching.trials import Trial, TrialResult
from autoenc.settings import SearchSettings, TuneSettings, parse_settings


def trial(width: int) -> Trial:
    return Trial((width,), 2, Recipe(), ("1/2", "2/2"), (7, 8))


def outcome(loss: float, failure: str | None = None) -> Outcome:
    return Outcome([loss], [loss], loss, 0.1, {}, failure=failure)


def ranked(*losses: float) -> list[TrialResult]:
    """Trials of width 1, 2, ... with this loss in each fit."""
    trials = [trial(width) for width in range(1, len(losses) + 1)]
    return [
        TrialResult(t, tuple(outcome(loss) for _ in t.fits)) for t, loss in zip(trials, losses, strict=True)
    ]


def test_rounds_go_on_until_one_is_left_and_the_lowest_over_all_folds_wins() -> None:
    results, outcomes = ranked(1.0, 1.1, 1.2), dict[Fit, Outcome]()
    worth = {1: 3.0, 2: 1.3, 3: 1.4}  # the first was lucky in the search
    n_rounds = 0
    while (judged := judge_again(results, 3, outcomes)).standing.missing:
        n_rounds += 1
        assert judged.winner is None
        for repeated in judged.repeats:
            for fit in repeated.fits:
                outcomes[fit] = outcome(worth[fit.architecture[0]])
    assert n_rounds == 2
    assert len(outcomes) == n_judgements(3) * 4  # two folds by two seeds each
    assert judged.winner is results[1]
    order = judged.standing.finalists()
    assert [finalist.number for finalist in order] == [1, 2, 0]
    assert [finalist.n_folds for finalist in order] == [8, 8, 4]
    assert order[0].mean == pytest.approx((2 * 1.1 + 6 * 1.3) / 8)


def test_repeats_have_folds_and_seeds_of_their_own() -> None:
    judged = judge_again(ranked(1.0, 2.0), 2, {})
    assert [repeated.folds for repeated in judged.repeats] == [("1/2-repeat-1", "2/2-repeat-1")] * 2
    first, second = judged.repeats
    assert first.seeds == second.seeds  # luck in common takes nothing from the comparison
    assert first.seeds[1] == first.seeds[0] + 1
    assert not {*first.seeds} & {7, 8}


def test_a_finalist_that_fails_in_a_repeat_is_none_to_keep() -> None:
    results, outcomes = ranked(1.0, 1.1, 1.2, 1.3), dict[Fit, Outcome]()
    while (judged := judge_again(results, 4, outcomes)).standing.missing:
        for repeated in judged.repeats:
            for fit in repeated.fits:
                width = fit.architecture[0]
                outcomes[fit] = outcome(float(width), "it diverged" if width == 1 else None)
    assert judged.winner is results[1]


@pytest.mark.parametrize("n", [0, 1])
def test_one_trial_needs_no_judges(n) -> None:
    judged = judge_again(ranked(*[1.0] * n), 8, {})
    assert judged.winner is None
    assert judged.repeats == judged.standing.missing == []


def test_folds_of_a_repeat_divide_the_training_rows_anew(table_csv) -> None:
    division = Division(load_table(str(table_csv)), "maxabs", seed=3, folds=4)
    divisions = []
    for repeat in range(4):
        judging = [division.rows(name)[1] for name in fold_names(4, repeat)]
        assert sorted(np.concatenate(judging)) == sorted(division.train)
        for name, test in zip(fold_names(4, repeat), judging, strict=True):
            assert sorted([*division.rows(name)[0], *test]) == sorted(division.train)
        divisions.append([tuple(rows) for rows in judging])
    assert len({tuple(folds) for folds in divisions}) == 4


def test_rows_that_cannot_be_divided_are_told_before_anything_is_trained(table_csv) -> None:
    division = Division(load_table(str(table_csv)), "maxabs", seed=3, folds=2)
    check_repeats(division, 2, 8)
    with pytest.raises(InputError, match="folds"):
        check_repeats(division, 1000, 2)


@pytest.mark.parametrize("kind", [SearchSettings, TuneSettings])
def test_finalists_need_folds(kind) -> None:
    told = parse_settings(kind, {"finalists": 4})[1]
    assert told == ["--finalists 4 judges by further folds of the training rows; give --folds 5"]
    assert parse_settings(kind, {"finalists": 4, "folds": 3})[1] == []


@pytest.mark.parametrize("other", [{"select": "one_se"}, {"score": "0.8*loss+0.2*time"}])
def test_finalists_decide_by_themselves(other) -> None:
    told = parse_settings(SearchSettings, {"finalists": 4, "folds": 3, **other})[1]
    assert told == ["--finalists decides by itself; leave out --select and --score"]
