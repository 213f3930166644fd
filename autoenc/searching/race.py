"""The strategy behind ``fit``: brackets of candidates, halved over folds, until the time limit.

The first bracket is one quick candidate, so that there is an answer soon on large tables, too. Every
candidate of a bracket is fitted on the first fold, the better third of them on all folds. Where folds are
small, those are fitted once more for as many epochs as that came to, and to the end of their schedule: the
epoch that suits a small fold best flatters, and a learning rate that has come down generalizes better. The
next bracket varies the best candidate so far. Where folds are large its first candidate is the best one of
those that got better to their end, with more epochs. What is wanted next follows from the outcomes; time only
says when to stop, so that a search that goes on, or is given more time, adds to what it knows. Behind what a
bracket wants stand candidates of the next one that do not depend on it, so that no core waits for the last
fit of a stage.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from math import ceil
from typing import NamedTuple

from autoenc.data.division import fold_names
from autoenc.engines import Fit, Outcome
from autoenc.searching.portfolio import (
    Candidate,
    fresh,
    longer,
    pca_alone,
    portfolio,
    quick,
    usual_options,
    variations,
)
from autoenc.searching.trials import Trial, TrialResult
from autoenc.settings.fit import RaceSettings

__all__ = ["Race"]

Outcomes = Mapping[Fit, Outcome]

_FACTORS = (
    "initial_lr", "activation", "start", "scaling", "loss", "dropout", "weight_decay", "norm", "batch_size",
    "epochs", "family",
)  # fmt: skip
_N_SOON, _N_VARIED, _N_FRESH = 3, 6, 3
_N_KNOWN = 3
"""Brackets of the portfolio."""
_MOST_BRACKETS = 1000
_ANNEALED = 1.5
"""Epochs of a whole schedule that do as much as one epoch at its begin."""
_TO_THE_END = 0.9
"""Part of its epochs: what is best after so many of them may be better after more."""


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
        self._firsts: dict[int, list[Trial]] = {}  # the first stage of each bracket
        self._known_ahead: dict[int, list[Trial]] = {}  # what is known of it before the one before it is done
        self._done: list[_Bracket] = []  # whose outcomes are all known, and do not change any more
        self._open: tuple[Outcomes, int, list[_Bracket]] | None = None  # as of so many outcomes
        self._lowest: float | None = None  # unexplained variance of the best so far
        self._best: Trial | None = None  # as it was before its epochs were fixed
        self._growing: TrialResult | None = None  # the best of those that got better to their end

    def _trial(self, candidate: Candidate, folds: tuple[str, ...]) -> Trial:
        stack, recipe = candidate
        usual = usual_options(self._profile)
        return Trial(
            stack, self._latent_dim, recipe, folds, (self._seed,), _FACTORS, "explained", usual, True
        )

    @property
    def _is_settling(self) -> bool:
        """Whether candidates are fitted again for fixed epochs."""
        return not self._profile.is_large

    def propose(self, outcomes: Outcomes) -> list[Fit]:
        """Return the fits wanted now, recorded ones among them, in the order in which to begin them."""
        if any(fit not in outcomes for fit in self.pca.fits):
            return self.pca.fits
        brackets = self._brackets(outcomes)
        if brackets[-1].is_done:
            return []
        stage = brackets[-1].stages[-1]
        if len(brackets[-1].stages) == 1:
            stage = self._longest_first(stage)
        return [fit for trial in [*stage, *self._ahead(len(brackets))] for fit in trial.fits]

    def _longest_first(self, trials: list[Trial]) -> list[Trial]:
        def work(trial: Trial) -> int:
            per_row = trial.fits[0].network(self._profile.n_columns).count_multiply_adds()
            return per_row * trial.recipe.last_epoch

        return sorted(trials, key=work, reverse=True)

    def _ahead(self, number: int) -> list[Trial]:
        """Trials that the bracket before them does not change.

        None before the quick candidate has given an answer, and none of large tables, few fits of which use
        all cores.
        """
        if not 1 < number < _MOST_BRACKETS or not self._is_settling:
            return []
        if number not in self._known_ahead:
            known = self._known(number, self._candidates_before(number))
            self._known_ahead[number] = self._longest_first(self._first_stage(known))
        return self._known_ahead[number]

    def compared(self, outcomes: Outcomes) -> list[Trial]:
        """Return the trials that went through all stages, PCA first."""
        n_stages = 3 if self._is_settling else 2
        last = [b.stages[-1] for b in self._brackets(outcomes) if len(b.stages) == n_stages]
        done = [t for stage in last for t in stage if all(fit in outcomes for fit in t.fits)]
        return [self.pca, *dict.fromkeys(done)]

    def trained(self, outcomes: Outcomes) -> list[Trial]:
        """Return all trials whose fits are done."""
        found = [t for bracket in self._brackets(outcomes) for stage in bracket.stages for t in stage]
        done = [trial for trial in found if all(fit in outcomes for fit in trial.fits)]
        return [self.pca, *dict.fromkeys(done)]

    def _brackets(self, outcomes: Outcomes) -> list[_Bracket]:
        """The brackets so far, the last of them open unless there are as many as can be."""
        if self._open is None or self._open[0] is not outcomes or self._open[1] != len(outcomes):
            self._open = (outcomes, len(outcomes), self._up_to_open(outcomes))
        return self._open[2]

    def _up_to_open(self, outcomes: Outcomes) -> list[_Bracket]:
        while len(self._done) < _MOST_BRACKETS:
            bracket = self._bracket(len(self._done), outcomes)
            if not bracket.is_done:
                return [*self._done, bracket]
            self._done.append(bracket)
        return self._done

    def _first_stage(self, candidates: list[Candidate]) -> list[Trial]:
        return [self._trial(candidate, self._folds[:1]) for candidate in candidates]

    def _bracket(self, number: int, outcomes: Outcomes) -> _Bracket:
        if number not in self._firsts:
            self._firsts[number] = self._first_stage(self._candidates(number))
        first = self._firsts[number]
        stages, found = [first], self._results(first, outcomes)
        if found is None:
            return _Bracket(stages, False)
        n_kept = -(-len(first) // 3)
        stages.append([replace(result.trial, folds=self._folds) for result in found[:n_kept]])
        found = self._results(stages[-1], outcomes)
        if found is not None and self._is_settling:
            before = {_settled(result): result.trial for result in found}
            # One that no epoch made better is PCA, which is compared already.
            stages.append([trial for trial in before if not trial.recipe.is_pca])
            found = self._results(stages[-1], outcomes)
        else:
            before = {}
        if found and (self._lowest is None or found[0].loss < self._lowest):
            self._lowest, self._best = found[0].loss, before.get(found[0].trial, found[0].trial)
        for result in [] if self._is_settling else found or []:
            is_growing = result.median_epochs > _TO_THE_END * result.trial.recipe.epochs
            if is_growing and (self._growing is None or result.loss < self._growing.loss):
                self._growing = result
        return _Bracket(stages, found is not None)

    def _results(self, trials: list[Trial], outcomes: Outcomes) -> list[TrialResult] | None:
        """Results of those that succeeded, best first; None while one is open."""
        results = [trial.result(outcomes) for trial in trials]
        known = [result for result in results if result is not None]
        if len(known) < len(trials):
            return None
        return sorted((r for r in known if r.failure is None), key=lambda result: result.loss)

    def _candidates(self, number: int) -> list[Candidate]:
        seen, proposed = self._candidates_before(number), list[Candidate]()
        if number >= _N_KNOWN and self._best is not None:
            best = Candidate(self._best.architecture, self._best.recipe)
            proposed = variations(best, 3 * _N_VARIED, self._profile, (self._seed, number))
        if number >= _N_KNOWN and self._growing is not None:
            growing = self._growing.trial
            proposed.insert(0, longer(Candidate(growing.architecture, growing.recipe)))
        new = [candidate for candidate in proposed if candidate not in seen][:_N_VARIED]
        return list(dict.fromkeys([*new, *self._known(number, seen)]))

    def _known(self, number: int, seen: Collection[Candidate]) -> list[Candidate]:
        """Candidates of a bracket that do not depend on those before it."""
        known = portfolio(self._profile)
        if number < _N_KNOWN:  # a few first, so that there is an answer soon
            return ([quick(self._profile)], known[:_N_SOON], known[_N_SOON:])[number]
        return [c for c in fresh(_N_FRESH, self._profile, (self._seed, number)) if c not in seen]

    def _candidates_before(self, number: int) -> set[Candidate]:
        firsts = [trial for before in range(number) for trial in self._firsts[before]]
        return {Candidate(trial.architecture, trial.recipe) for trial in firsts}


def _settled(result: TrialResult) -> Trial:
    """The same for as many epochs as suited the folds, whatever suits each of them.

    The learning rate then comes down within them, to half on average, so that they are more.
    """
    recipe, n_epochs = result.trial.recipe, result.median_epochs
    if not n_epochs:
        return replace(result.trial, recipe=recipe.stopped_after(0))
    n_epochs = ceil(_ANNEALED * n_epochs)
    return replace(result.trial, recipe=replace(recipe, epochs=n_epochs, patience=0, stop_after=0))
