"""The strategy behind ``fit``: brackets of candidates, halved over folds, until the time limit.

The first bracket is one quick candidate, so that there is an answer soon on large tables, too. Every
candidate of a bracket is fitted on the first fold, the better third of them on all folds. Where folds are
small, those are fitted once more for as many epochs as that came to, and to the end of their schedule: the
epoch that suits a small fold best flatters, and a learning rate that has come down generalizes better. The
next bracket varies the best candidate so far. What is wanted next follows from the outcomes; time only says
when to stop, so that a search that goes on, or is given more time, adds to what it knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import NamedTuple

from autoenc.data.division import fold_names
from autoenc.engines import Fit, Outcome
from autoenc.searching.portfolio import (
    Candidate,
    fresh,
    pca_alone,
    portfolio,
    quick,
    usual_options,
    variations,
)
from autoenc.searching.trials import Trial, TrialResult
from autoenc.settings.fit import RaceSettings

__all__ = ["MOST_SETTLED", "Race"]

Outcomes = Mapping[Fit, Outcome]

_FACTORS = (
    "initial_lr", "activation", "start", "scaling", "loss", "dropout", "weight_decay", "norm", "batch_size",
    "epochs", "family",
)  # fmt: skip
_N_SOON, _N_VARIED, _N_FRESH = 3, 6, 3
_MOST_BRACKETS = 1000
_ANNEALED = 1.5
"""Epochs of a whole schedule that do as much as one epoch at its begin."""
MOST_SETTLED = 5000
"""Training rows up to which the best epoch of a fold is not taken at its word."""


class _Bracket(NamedTuple):
    """Candidates that are compared with each other, by stages: on one fold, on all, for fixed epochs."""

    stages: list[list[Trial]]
    is_done: bool


class Race:
    """Proposes stacks and recipes; see :class:`~autoenc.searching.strategies.Strategy`.

    Args:
        settings: The search.
    """

    def __init__(self, settings: RaceSettings) -> None:
        self._profile, self._seed, self._latent_dim = settings.profile, settings.seed, settings.latent_size
        self._folds = tuple(fold_names(settings.folds))
        self.pca = self._trial(pca_alone(self._profile), self._folds)
        self._done: list[_Bracket] = []  # whose outcomes are all known, and do not change any more
        self._lowest: float | None = None  # unexplained variance of the best so far
        self._best: Trial | None = None  # as it was before its epochs were fixed

    def _trial(self, candidate: Candidate, folds: tuple[str, ...]) -> Trial:
        stack, recipe = candidate
        usual = usual_options(self._profile)
        return Trial(
            stack, self._latent_dim, recipe, folds, (self._seed,), _FACTORS, "explained", usual, True
        )

    def propose(self, outcomes: Outcomes) -> list[Fit]:
        """The fits wanted now, recorded ones among them."""
        if any(fit not in outcomes for fit in self.pca.fits):
            return self.pca.fits
        last = self._brackets(outcomes)[-1]
        return [] if last.is_done else [fit for trial in last.stages[-1] for fit in trial.fits]

    def compared(self, outcomes: Outcomes) -> list[Trial]:
        """The trials that went through all stages, PCA first."""
        n_stages = 3 if self._profile.n_train <= MOST_SETTLED else 2
        last = [b.stages[-1] for b in self._brackets(outcomes) if len(b.stages) == n_stages]
        done = [t for stage in last for t in stage if all(fit in outcomes for fit in t.fits)]
        return [self.pca, *dict.fromkeys(done)]

    def trained(self, outcomes: Outcomes) -> list[Trial]:
        """All trials whose fits are done."""
        found = [t for bracket in self._brackets(outcomes) for stage in bracket.stages for t in stage]
        done = [trial for trial in found if all(fit in outcomes for fit in trial.fits)]
        return [self.pca, *dict.fromkeys(done)]

    def _brackets(self, outcomes: Outcomes) -> list[_Bracket]:
        """The brackets so far, the last of them open unless there are as many as can be."""
        while len(self._done) < _MOST_BRACKETS:
            bracket = self._bracket(len(self._done), outcomes)
            if not bracket.is_done:
                return [*self._done, bracket]
            self._done.append(bracket)
        return self._done

    def _bracket(self, number: int, outcomes: Outcomes) -> _Bracket:
        first = [self._trial(candidate, self._folds[:1]) for candidate in self._candidates(number)]
        stages, found = [first], self._results(first, outcomes)
        if found is None:
            return _Bracket(stages, False)
        n_kept = -(-len(first) // 3)
        stages.append([replace(result.trial, folds=self._folds) for result in found[:n_kept]])
        found = self._results(stages[-1], outcomes)
        if found is not None and self._profile.n_train <= MOST_SETTLED:
            before = {_settled(result): result.trial for result in found}
            # One that no epoch made better is PCA, which is compared already.
            stages.append([trial for trial in before if not trial.recipe.is_pca])
            found = self._results(stages[-1], outcomes)
        else:
            before = {}
        if found and (self._lowest is None or found[0].loss < self._lowest):
            self._lowest, self._best = found[0].loss, before.get(found[0].trial, found[0].trial)
        return _Bracket(stages, found is not None)

    def _results(self, trials: list[Trial], outcomes: Outcomes) -> list[TrialResult] | None:
        """Results of those that succeeded, best first; None while one is open."""
        results = [trial.result(outcomes) for trial in trials]
        known = [result for result in results if result is not None]
        if len(known) < len(trials):
            return None
        return sorted((r for r in known if r.failure is None), key=lambda result: result.loss)

    def _candidates(self, number: int) -> list[Candidate]:
        known = portfolio(self._profile)
        if number < 3:  # a few first, so that there is an answer soon
            return ([quick(self._profile)], known[:_N_SOON], known[_N_SOON:])[number]
        seen = {(t.architecture, t.recipe) for bracket in self._done[:number] for t in bracket.stages[0]}
        seed, proposed = (self._seed, number), list[Candidate]()
        if self._best is not None:
            best = Candidate(self._best.architecture, self._best.recipe)
            proposed = variations(best, 3 * _N_VARIED, self._profile, seed)
        new = [candidate for candidate in proposed if candidate not in seen][:_N_VARIED]
        drawn = [c for c in fresh(_N_FRESH, self._profile, seed) if c not in seen and c not in new]
        return list(dict.fromkeys([*new, *drawn]))


def _settled(result: TrialResult) -> Trial:
    """The same for as many epochs as suited the folds, whatever suits each of them.

    The learning rate then comes down within them, to half on average, so that they are more.
    """
    recipe, n_epochs = result.trial.recipe, result.median_epochs
    if not n_epochs:
        return replace(result.trial, recipe=recipe.stopped_after(0))
    n_epochs = ceil(_ANNEALED * n_epochs)
    return replace(result.trial, recipe=replace(recipe, epochs=n_epochs, patience=0, stop_after=0))
