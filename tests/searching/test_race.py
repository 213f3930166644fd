"""What ``fit`` proposes follows from the outcomes alone, begins with PCA, and ends with fixed epochs."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoenc.engines import Fit, Outcome
from autoenc.engines.fit import BEFORE
from autoenc.searching.portfolio import portfolio, variations
from autoenc.searching.race import Race
from autoenc.settings.fit import FitSettings, RaceSettings, TableProfile, search_settings

SMALL = TableProfile(n_train=200, n_columns=10, zero_share=0.0, has_long_tails=True)
LARGE = TableProfile(n_train=50_000, n_columns=10, zero_share=0.5, has_long_tails=False)


def race(profile: TableProfile = SMALL, seed: int = 42) -> RaceSettings:
    return FitSettings(seed=seed).race(3, profile)


def outcome(fit: Fit) -> Outcome:
    """A made-up outcome, which depends on the fit alone."""
    digest = hashlib.sha256(repr((fit.architecture, fit.recipe.as_dict(), fit.fold)).encode()).digest()
    explained = 0.5 + digest[0] / 1000
    if digest[1] < 20:
        return Outcome([], [], 1.0, 0.1, {}, failure="it diverged")
    kept = digest[2] % 5 if fit.recipe.patience else -1
    return Outcome([1.0] * 5, [1.0] * 5, 1.0, 0.1, {}, kept, explained=explained)


def play(settings: RaceSettings, n_fits: int, order: int = 0) -> tuple[dict[Fit, Outcome], Race]:
    """Train what the race proposes, the last proposals first where ``order`` is odd."""
    strategy, outcomes = Race(settings), dict[Fit, Outcome]()
    while len(outcomes) < n_fits:
        wanted = [fit for fit in strategy.propose(outcomes) if fit not in outcomes]
        fit = wanted[-1 if order % 2 else 0]
        outcomes[fit] = outcome(fit)
    return outcomes, strategy


@pytest.mark.parametrize("profile", [SMALL, LARGE])
def test_it_begins_with_pca_on_all_folds(profile) -> None:
    settings = race(profile)
    first = Race(settings).propose({})
    assert [fit.fold for fit in first] == [f"{k}/{settings.folds}" for k in range(1, settings.folds + 1)]
    assert all(fit.recipe.is_pca and fit.recipe.last_epoch == 1 for fit in first)
    assert Race(settings).pca.name == "PCA"


@pytest.mark.parametrize("profile", [SMALL, LARGE])
def test_the_order_in_which_fits_end_changes_nothing(profile) -> None:
    one, first = play(race(profile), 300, order=0)
    other, second = play(race(profile), 300, order=1)
    n_brackets = min(len(first._brackets(one)), len(second._brackets(other))) - 1
    assert n_brackets > 3
    assert first._brackets(one)[:n_brackets] == second._brackets(other)[:n_brackets]


def test_each_fold_has_initial_weights_of_its_own_and_candidates_share_them() -> None:
    outcomes, strategy = play(race(seed=2**32 - 2), 200)
    trials = strategy.compared(outcomes)
    assert len(trials) > 5
    for trial in trials:
        seeds = [fit.seed for fit in trial.fits]
        assert seeds == [(2**32 - 2 + place) % 2**32 for place in range(len(trial.folds))]
        result = trial.result(outcomes)
        assert result is not None
        assert trial.refit(result).seed == 2**32 - 2


def test_a_search_that_goes_on_proposes_what_one_without_an_interruption_does() -> None:
    outcomes, strategy = play(race(), 200)
    for n in (3, 50, 117):
        half = dict(list(outcomes.items())[:n])
        again = Race(race())
        while len(half) < 200:
            fit = next(fit for fit in again.propose(half) if fit not in half)
            half[fit] = outcome(fit)
        assert list(half) == list(outcomes)
        assert again.compared(half) == strategy.compared(outcomes)


def test_candidates_are_compared_on_all_folds_for_fixed_epochs() -> None:
    outcomes, strategy = play(race(), 300)
    pca, *others = strategy.compared(outcomes)
    assert pca.recipe.is_pca
    assert len(others) > 10
    for trial in others:
        assert len(trial.folds) == 5
        assert trial.recipe.patience == trial.recipe.stop_after == 0
        assert trial.recipe.epochs <= 6  # half more than the 4 that a fold kept at most
        assert not trial.recipe.is_pca
    assert len(set(strategy.compared(outcomes))) == len(strategy.compared(outcomes))


def test_large_folds_may_say_when_to_stop() -> None:
    outcomes, strategy = play(race(LARGE), 100)
    assert all(trial.recipe.patience for trial in strategy.compared(outcomes)[1:])


def test_what_fails_is_proposed_no_further() -> None:
    outcomes, strategy = play(race(), 300)
    while len(strategy._brackets(outcomes)[-1].stages) == 1:
        fit = next(fit for fit in strategy.propose(outcomes) if fit not in outcomes)
        outcomes[fit] = outcome(fit)
    failed = {
        (f.architecture, f.recipe) for f, found in outcomes.items() if found.failure and f.fold == "1/5"
    }
    kept = {(t.architecture, t.recipe) for b in strategy._brackets(outcomes) for t in b.stages[1]}
    assert failed
    assert not failed & kept


def test_a_candidate_that_no_epoch_made_better_is_not_compared_as_another_pca() -> None:
    strategy, outcomes = Race(race()), dict[Fit, Outcome]()
    for _ in range(60):
        fit = next(fit for fit in strategy.propose(outcomes) if fit not in outcomes)
        explained, kept = (0.5, BEFORE) if fit.recipe.start == "pca" else (0.4, 0)
        outcomes[fit] = Outcome([1.0], [1.0], 1.0, 0.1, {}, kept, start_loss=1.0, explained=explained)
    assert [t.name for t in strategy.compared(outcomes) if t.recipe.start == "pca"] == ["PCA"]


@given(seed=st.integers(0, 2**32 - 1), zero_share=st.floats(0, 1), has_long_tails=st.booleans())
def test_variations_differ_from_what_they_vary(seed, zero_share, has_long_tails) -> None:
    profile = TableProfile(n_train=100, n_columns=5, zero_share=zero_share, has_long_tails=has_long_tails)
    best = portfolio(profile)[0]
    found = variations(best, 6, profile, (seed, 2))
    assert len(found) == len(set(found)) == 6
    assert best not in found
    assert found == variations(best, 6, profile, (seed, 2))


@pytest.mark.parametrize("n_train", [1, 60, 1000, 10**6])
def test_epochs_are_fewer_where_rows_are_many(n_train) -> None:
    profile = TableProfile(n_train=n_train, n_columns=5, zero_share=0, has_long_tails=False)
    epochs = {candidate.recipe.epochs for candidate in portfolio(profile)}
    assert epochs == {int(np.clip(300_000 // n_train, 20, 300))}


def test_zeros_that_are_common_may_be_weighted() -> None:
    losses = {candidate.recipe.loss for candidate in portfolio(LARGE)}
    assert losses == {"sparse", "mse"}
    assert {candidate.recipe.loss for candidate in portfolio(SMALL)} == {"mse"}


def test_a_record_gives_back_the_settings() -> None:
    settings = race()
    assert search_settings(settings.model_dump(mode="json")) == settings


def test_the_fewer_rows_the_surer_a_gain_over_pca_must_be() -> None:
    errors = [race(SMALL.model_copy(update={"n_train": n})).n_errors for n in (16, 40, 200, 5000)]
    assert errors == [6.0, 2.5, 0.5, 0.5]


@given(seed=st.integers(0, 2**32 - 1), n_fits=st.integers(10, 200))
def test_what_is_proposed_ahead_is_wanted_whatever_becomes_of_the_bracket_before_it(seed, n_fits) -> None:
    outcomes, strategy = play(race(seed=seed), n_fits)
    number = len(strategy._brackets(outcomes))
    stage = {fit for trial in strategy._brackets(outcomes)[-1].stages[-1] for fit in trial.fits}
    ahead = [fit for fit in strategy.propose(outcomes) if fit not in stage]
    while len(strategy._brackets(outcomes)) == number:
        fit = next(fit for fit in strategy.propose(outcomes) if fit not in outcomes)
        outcomes[fit] = outcome(fit)
    first = {fit for trial in strategy._brackets(outcomes)[number].stages[0] for fit in trial.fits}
    assert set(ahead) <= first


def test_nothing_is_proposed_ahead_of_a_large_table() -> None:
    outcomes, strategy = play(race(LARGE), 8)
    stage = [fit for trial in strategy._brackets(outcomes)[-1].stages[-1] for fit in trial.fits]
    assert sorted(map(repr, strategy.propose(outcomes))) == sorted(map(repr, stage))


def test_nothing_is_proposed_ahead_of_the_first_answer() -> None:
    strategy, outcomes = Race(race()), dict[Fit, Outcome]()
    while len(strategy.compared(outcomes)) < 2:
        fit = next(fit for fit in strategy.propose(outcomes) if fit not in outcomes)
        outcomes[fit] = Outcome([1.0], [1.0], 1.0, 0.1, {}, 0, explained=0.5)
    assert len(outcomes) == 3 * race().folds


@pytest.mark.parametrize(("kept", "is_longer"), [(0.5, False), (1.0, True)])
def test_on_a_large_table_the_best_has_more_epochs_where_it_got_better_to_its_end(kept, is_longer) -> None:
    strategy, outcomes = Race(race(LARGE)), dict[Fit, Outcome]()
    while len(strategy._brackets(outcomes)) < 4:
        fit = next(fit for fit in strategy.propose(outcomes) if fit not in outcomes)
        n_kept = round(kept * fit.recipe.epochs)
        losses = [1.0] * fit.recipe.epochs
        explained = 0.9 if fit.recipe.activation == "tanh" and fit.recipe.batch_size == 128 else 0.5
        outcomes[fit] = Outcome(losses, losses, 1.0, 0.1, {}, n_kept - 1, explained=explained)
    first = strategy._brackets(outcomes)[3].stages[0]
    best = next(t for t in strategy.compared(outcomes) if t.recipe.activation == "tanh")
    more = [t for t in first if t.architecture == best.architecture and t.recipe.epochs == 60]
    assert best.recipe.epochs == 20
    assert bool(more) == is_longer
    assert not is_longer or first[0] in more
