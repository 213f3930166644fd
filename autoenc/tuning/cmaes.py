"""CMA-ES as an Optuna sampler whose state follows from the recorded trials.

Optuna's own sampler keeps its state as a pickle in the trials' attributes, and loading a pickle runs whatever
code its writer put there. Here the optimizer learns the recorded trials again, in the order of their
numbers, and nothing but parameters and values is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, sqrt
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from autoenc.record.private import SearchSpaceTransform, spread_of

if TYPE_CHECKING:
    from cmaes import CMA

__all__ = ["ReplayedCmaEsSampler"]

Space = dict[str, BaseDistribution]
# Of the unit cube's edges, at the start. Optuna has 1/6, with which the best of 30 trials are worse in
# benchmarks/strategies.py: it takes longer to leave the middle.
_SIGMA = 0.3


class ReplayedCmaEsSampler(BaseSampler):
    """Proposes by CMA-ES all numbers that every complete trial has; anything else is drawn at random.

    The distribution is that after the complete trials, in generations of the library's usual size and in the
    order of the trials' numbers. Failed and pruned trials have no value and take no part, so where they
    were nothing is learned, as with points outside of the bounds. Trials of somebody else's making
    (enqueued, of an earlier family, drawn before the first one had ended) take part like all others; as they
    may lie far away, each moves the distribution by no more than a likely draw of its own would.

    Args:
        seed: Of this trial's draws; results of earlier trials do not depend on it.

    Raises:
        ValueError: If the study has several objectives.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._independent = RandomSampler(seed)

    def reseed_rng(self) -> None:
        """Draw other numbers from here on, as Optuna asks of samplers that several processes copy."""
        self._seed = int(np.random.default_rng().integers(2**32))
        self._independent.reseed_rng()

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> Space:
        """Return the numbers that every complete trial has, with the same range."""
        if len(study.directions) > 1:
            raise ValueError("CMA-ES optimizes one value; this study has several")
        with _LOCK:
            shared = _memory(study).shared.calculate(study)
        return {
            name: distribution
            for name, distribution in shared.items()
            if isinstance(distribution, FloatDistribution | IntDistribution) and not distribution.single()
        }

    def sample_relative(self, study: optuna.Study, trial: FrozenTrial, search_space: Space) -> dict[str, Any]:
        """Draw all parameters of ``search_space`` together."""
        if not search_space:
            return {}
        with _LOCK:
            memory, trials = _memory(study), _complete(study)
            if memory.replay is None or not memory.replay.is_before(search_space, trials):
                memory.replay = _Replay(search_space, study.direction)
            memory.replay.go_on(trials)
            return memory.replay.draw(self._seed)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a random value."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)


class _Replay:
    """CMA-ES after some trials; a study only grows, so that it seldom has to begin again."""

    def __init__(self, space: Space, direction: StudyDirection) -> None:
        self._space, self._sign = space, -1 if direction == StudyDirection.MAXIMIZE else 1
        self._transform = SearchSpaceTransform(space, transform_0_1=True)
        self._seen_numbers: list[int] = []  # numbers of trials
        self._optimizer = self._fresh()

    def _fresh(self) -> CMA:
        from cmaes import CMA  # and with it much of SciPy

        n = len(self._space)
        bounds = np.array([[0.0, 1.0]] * n)
        return CMA(np.full(n, 0.5), _SIGMA, bounds=bounds, n_max_resampling=10 * n)

    def is_before(self, space: Mapping[str, BaseDistribution], trials: Sequence[FrozenTrial]) -> bool:
        """Return whether the state after these trials can be had from this one."""
        return space == self._space and self._seen_numbers == [
            trial.number for trial in trials[: len(self._seen_numbers)]
        ]

    def go_on(self, trials: Sequence[FrozenTrial]) -> None:
        """Take in all whole generations of these trials."""
        size = self._optimizer.population_size
        for start in range(len(self._seen_numbers), len(trials) - size + 1, size):
            generation = trials[start : start + size]
            self._optimizer.tell([self._solution(trial) for trial in generation])
            self._seen_numbers += [trial.number for trial in generation]
            # Where it has come to rest, nothing new is proposed any more: it begins again.
            if self._optimizer.should_stop() or not np.isfinite(self._optimizer.mean).all():
                self._optimizer = self._fresh()

    def draw(self, seed: int) -> dict[str, Any]:
        """Return a draw from the distribution."""
        self._optimizer.reseed_rng(seed)
        return self._transform.untransform(self._optimizer.ask())

    def _solution(self, trial: FrozenTrial) -> tuple[NDArray[np.float64], float]:
        assert trial.value is not None
        at = np.clip(self._transform.transform({name: trial.params[name] for name in self._space}), 0, 1)
        return self._within_reach(at), self._sign * trial.value

    def _within_reach(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the point on the way from the mean that is as far as a draw is likely to come.

        Source: N. Hansen, Injecting external solutions into CMA-ES (2011), equation 4.
        """
        mean, n = self._optimizer.mean, len(self._space)
        vectors, lengths = spread_of(self._optimizer)
        step = at - mean
        distance = float(np.linalg.norm((vectors.T @ step) / lengths))
        most = sqrt(n) + 2 * n / (n + 2)
        return mean + step * (most / distance) if distance > most else at


@dataclass
class _Memory:
    """State that was worked out of a study's trials, so that each new trial adds to it.

    It follows from the trials alone: without it every draw would be the same, but would take longer.
    """

    shared: IntersectionSearchSpace = field(default_factory=IntersectionSearchSpace)
    replay: _Replay | None = None


_MEMORIES: WeakKeyDictionary[optuna.Study, _Memory] = WeakKeyDictionary()
_LOCK = Lock()


def _memory(study: optuna.Study) -> _Memory:
    return _MEMORIES.setdefault(study, _Memory())


def _complete(study: optuna.Study) -> list[FrozenTrial]:
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [trial for trial in trials if trial.value is not None and isfinite(trial.value)]
