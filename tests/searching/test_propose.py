from __future__ import annotations

from autoenc.engines import Outcome
from autoenc.searching.strategies import Grid, Halving, make_strategy
from autoenc.settings import SearchSettings, require_settings


def outcome(loss: float, failure: str | None = None) -> Outcome:
    return Outcome([1.0], [loss], 1.0, 0.1, {}, 0, failure)


def test_the_grid_wants_everything_once() -> None:
    settings = require_settings(SearchSettings, {"folds": "3", "seeds": "2"})
    strategy = make_strategy(settings)
    assert isinstance(strategy, Grid)
    fits = strategy.propose({})
    assert len(fits) == len(set(fits)) == 34 * 3 * 2


def play(losses_at: dict[int, list[float]]) -> list[tuple[int, int]]:
    """Play halving through; a stack's loss at a rung is looked up by its place in the grid."""
    strategy = make_strategy(SearchSettings(strategy="halving"))
    assert isinstance(strategy, Halving)
    place = {trial.architecture: i for i, trial in enumerate(strategy.trials)}
    outcomes: dict = {}
    seen = []
    while wanted := [fit for fit in strategy.propose(outcomes) if fit not in outcomes]:
        epochs = wanted[0].recipe.last_epoch
        seen.append((epochs, len(wanted)))
        for fit in wanted:
            outcomes[fit] = outcome(losses_at[epochs][place[fit.architecture]])
    return seen


def test_the_better_third_goes_on() -> None:
    losses = [float(i) for i in range(34)]
    seen = play({2: losses, 6: losses[::-1], 20: losses})
    assert seen == [(2, 34), (6, 11), (20, 3)]
    assert sum(epochs * n for epochs, n in seen) <= 34 * 20 / 3


def test_a_cut_trial_has_the_learning_rates_of_the_full_one() -> None:
    strategy = make_strategy(SearchSettings(strategy="halving"))
    cut, full = strategy.propose({})[0].recipe, strategy.trials[0].recipe
    assert cut.last_epoch == 2
    assert [cut.learning_rate(epoch) for epoch in range(2)] == [
        full.learning_rate(epoch) for epoch in range(2)
    ]


def test_failed_trials_do_not_go_on() -> None:
    strategy = make_strategy(SearchSettings(strategy="halving", max_layers=1))
    first = strategy.propose({})
    outcomes = {
        fit: outcome(1.0 if i == 3 else 0.1, None if i == 3 else "bad") for i, fit in enumerate(first)
    }
    assert {fit.architecture for fit in strategy.propose(outcomes)} == {first[3].architecture}
