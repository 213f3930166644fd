"""The strategy behind ``fit``: brackets of candidates, halved over folds, until the time limit.

Every candidate of a bracket is fitted on the first fold, the better third of them on all folds. The next
bracket varies the best candidate so far. What is wanted next follows from the outcomes alone; time only says
when to stop, so that a search that goes on, or is given more time, adds to what it knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from autoenc.data.division import fold_names
from autoenc.engines import Fit, Outcome
from autoenc.searching.portfolio import Candidate, fresh, pca_alone, portfolio, variations
from autoenc.searching.trials import Trial
from autoenc.settings.fit import RaceSettings

__all__ = ["Race"]

Outcomes = Mapping[Fit, Outcome]

_FACTORS = (
    "start", "scaling", "loss", "initial_lr", "activation", "dropout", "weight_decay", "norm", "batch_size",
    "epochs",
)  # fmt: skip
_N_VARIED, _N_FRESH = 6, 3
_MOST_BRACKETS = 1000


class _Bracket(NamedTuple):
    """Candidates that are compared with each other: all on one fold, some on all."""

    all: list[Trial]
    kept: list[Trial]
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

    def _trial(self, candidate: Candidate, folds: tuple[str, ...]) -> Trial:
        return Trial(
            candidate.architecture,
            self._latent_dim,
            candidate.recipe,
            folds,
            (self._seed,),
            _FACTORS,
            "explained",
        )

    def propose(self, outcomes: Outcomes) -> list[Fit]:
        """The fits wanted now, recorded ones among them."""
        if any(fit not in outcomes for fit in self.pca.fits):
            return self.pca.fits
        brackets = self._brackets(outcomes)
        last = brackets[-1]
        if last.is_done:
            return []
        return [fit for trial in last.kept or last.all for fit in trial.fits]

    def compared(self, outcomes: Outcomes) -> list[Trial]:
        """The trials that were measured on all folds, PCA first."""
        kept = [trial for bracket in self._brackets(outcomes) for trial in bracket.kept]
        return [self.pca, *(trial for trial in kept if all(fit in outcomes for fit in trial.fits))]

    def trained(self, outcomes: Outcomes) -> list[Trial]:
        """All trials so far, each on the folds that it has reached."""
        trials = [self.pca]
        for bracket in self._brackets(outcomes):
            kept = {(trial.architecture, trial.recipe) for trial in bracket.kept}
            trials += [t for t in bracket.all if (t.architecture, t.recipe) not in kept]
            trials += bracket.kept
        return [trial for trial in trials if all(fit in outcomes for fit in trial.fits)]

    def _brackets(self, outcomes: Outcomes) -> list[_Bracket]:
        """The brackets so far, the last of them open unless there are as many as can be."""
        while len(self._done) < _MOST_BRACKETS:
            bracket = self._bracket(len(self._done), outcomes)
            if not bracket.is_done:
                return [*self._done, bracket]
            self._done.append(bracket)
        return self._done

    def _bracket(self, number: int, outcomes: Outcomes) -> _Bracket:
        first = [self._trial(candidate, self._folds[:1]) for candidate in self._candidates(number, outcomes)]
        results = [trial.result(outcomes) for trial in first]
        if any(result is None for result in results):
            return _Bracket(first, [], False)
        succeeded = [r for r in results if r is not None and r.failure is None]
        succeeded.sort(key=lambda result: result.loss)
        n_kept = -(-len(first) // 3)
        kept = [
            self._trial(Candidate(result.trial.architecture, result.trial.recipe), self._folds)
            for result in succeeded[:n_kept]
        ]
        return _Bracket(first, kept, all(fit in outcomes for trial in kept for fit in trial.fits))

    def _candidates(self, number: int, outcomes: Outcomes) -> list[Candidate]:
        if number == 0:
            return portfolio(self._profile)
        seen = {
            (trial.architecture, trial.recipe) for bracket in self._done[:number] for trial in bracket.all
        }
        seed = (self._seed, number)
        best = self._best_before(number, outcomes)
        proposed = fresh(_N_FRESH, self._profile, seed)
        if best is not None:
            proposed = [*variations(best, 3 * _N_VARIED, self._profile, seed), *proposed]
        new = list(dict.fromkeys(candidate for candidate in proposed if candidate not in seen))
        return [*new[:_N_VARIED], *new[max(_N_VARIED, len(new) - _N_FRESH) :]]

    def _best_before(self, number: int, outcomes: Outcomes) -> Candidate | None:
        """The best candidate of the brackets before one."""
        results = [t.result(outcomes) for bracket in self._done[:number] for t in bracket.kept]
        sound = [result for result in results if result is not None and result.failure is None]
        if not sound:
            return None
        best = min(sound, key=lambda result: result.loss).trial
        return Candidate(best.architecture, best.recipe)
