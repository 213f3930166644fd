"""Samplers whose state follows from the study's history and the seed alone."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from autoenc.tuning.cmaes import ReplayedCmaEsSampler

__all__ = ["PerTrialSampler", "standard_sampler"]


def standard_sampler(strategy: str, seed: int) -> BaseSampler:
    """Return the sampler of a strategy; all but that of ``cmaes`` are Optuna's own."""
    with warnings.catch_warnings():
        # Grouped and multivariate TPE are called experimental, and have been so for years.
        warnings.simplefilter("ignore", ExperimentalWarning)
        make: dict[str, Callable[[], BaseSampler]] = {
            "random": lambda: RandomSampler(seed),
            "tpe": lambda: TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
            "cmaes": lambda: ReplayedCmaEsSampler(seed),
            "gp": lambda: GPSampler(seed=seed),
            "nsgaii": lambda: NSGAIISampler(seed=seed),
        }
        return make[strategy]()


class PerTrialSampler(BaseSampler):
    """Makes a fresh sampler for every trial, seeded by the trial's number.

    Optuna's samplers draw from a generator whose state is lost with the process. Here a trial's parameters
    follow from the trials before it, its number and the seed, so a study goes on after an interruption as
    if there had been none: also a trial whose parameters were drawn only in part.

    Args:
        make: Makes the sampler for a seed below 2**32 and a trial's number.
        seed: Of the whole study.
        fixed: Parameters that are not sampled, given a trial's number.
    """

    def __init__(
        self,
        make: Callable[[int, int], BaseSampler],
        seed: int,
        fixed: Callable[[int], Mapping[str, Any]] = lambda number: {},
    ) -> None:
        self._make, self._seed, self._fixed = make, seed, fixed
        self._relative: dict[int, BaseSampler] = {}

    def _sampler(self, trial: FrozenTrial, what: str) -> BaseSampler:
        text = f"{self._seed}/{trial.number}/{what}"
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        return self._make(seed, trial.number)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """See Optuna's ``BaseSampler``."""
        self._sampler(trial, "").before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """See Optuna's ``BaseSampler``; what is fixed is left out."""
        sampler = self._relative[trial.number] = self._sampler(trial, "relative")
        fixed = self._fixed(trial.number)
        space = sampler.infer_relative_search_space(study, trial)
        return {name: space[name] for name in space if name not in fixed}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """See Optuna's ``BaseSampler``."""
        # The one that inferred the space: some keep what they learned on the way.
        return self._relative.pop(trial.number).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """See Optuna's ``BaseSampler``; a fixed parameter has its value."""
        fixed = self._fixed(trial.number)
        if param_name in fixed:
            return fixed[param_name]
        sampler = self._sampler(trial, param_name)
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Do nothing: no sampler lives longer than its trial."""
