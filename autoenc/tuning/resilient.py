"""A sampler that stays near what works: small steps, local exploration, conservative jumps.

It is an Optuna sampler for any objective that is minimized. It keeps no state: which mode it is in follows
from the trials of the study, replayed in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatch
from math import inf, isfinite
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from autoenc.tuning.steps import Reach, clipped, drawn, near, shrunk, stepped

__all__ = [
    "JUMPS",
    "Jump",
    "Mode",
    "ResilientOptions",
    "ResilientSampler",
    "Situation",
    "replay",
    "situation_of",
]

Params = dict[str, Any]
_DRAWS = 60  # of a proposal that must be new and not too large, before the rules are relaxed


class Mode(StrEnum):
    """The way in which the next trial is proposed."""

    STARTUP = "startup"
    NORMAL = "normal"
    LOCAL = "local exploration"
    JUMP = "conservative jump"


@dataclass(frozen=True)
class Jump:
    """The effect of a conservative jump on a parameter: a factor, and bounds that it stays within."""

    factor: float
    low: float = -inf
    high: float = inf


JUMPS: Mapping[str, Jump] = {
    "hidden_size*": Jump(0.7, 64, 256),
    "num_layers": Jump(0.8, 2, 8),
    "learning_rate": Jump(0.5),
}
"""By name or pattern; parameters that none fits keep the best trial's value."""


@dataclass(frozen=True)
class ResilientOptions:
    """Numbers of the strategy.

    Attributes:
        excellent: A value below this opens the local exploration of its neighbourhood.
        startup_trials: Trials that are drawn at random first.
        local_trials: Trials of a local exploration; a new best within it does not prolong it.
        local_steps: Largest step of a whole number there.
        local_share: Largest relative step of another number there.
        local_limit: How far it may go from where it began, relative to that.
        stagnation_trials: Trials without improvement before a jump.
        jump_probability: Chance that a jump is made then; else it is a small step.
        jumps: What a jump does, by name or pattern of the parameter.
        most_growth: Limit of a proposal's size over the best trial's, where a size is known.
    """

    excellent: float = -inf
    startup_trials: int = 8
    local_trials: int = 8
    local_steps: int = 2
    local_share: float = 0.1
    local_limit: float = 0.2
    stagnation_trials: int = 8
    jump_probability: float = 0.7
    jumps: Mapping[str, Jump] = field(default_factory=lambda: JUMPS)
    most_growth: float = 2.0

    @property
    def reach(self) -> Reach:
        """How far local exploration goes."""
        return Reach(self.local_steps, self.local_share, self.local_limit)


@dataclass(frozen=True)
class Situation:
    """The state of a search.

    Attributes:
        mode: How the next trial is proposed.
        best: The trial with the lowest value; None while there is none.
        stagnation: Trials since then.
        anchor: The trial around which local exploration goes on; None outside of it.
        local_left: Trials that are left of it.
    """

    mode: Mode = Mode.STARTUP
    best: FrozenTrial | None = None
    stagnation: int = 0
    anchor: FrozenTrial | None = None
    local_left: int = 0


def replay(trials: Sequence[FrozenTrial], options: ResilientOptions) -> Situation:
    """Return the situation after these trials.

    An improvement below ``excellent`` opens a local exploration, unless one is going on already.

    Args:
        trials: Finished ones, in the order of their numbers; failed and pruned ones count as no improvement.
        options: The strategy's numbers.
    """
    now = Situation()
    for n_seen, trial in enumerate(trials, 1):
        local_left = max(now.local_left - 1, 0)
        if _value(trial) < (inf if now.best is None else _value(now.best)):
            now = replace(now, best=trial, stagnation=0, local_left=local_left)
            if not local_left and _value(trial) < options.excellent:
                now = replace(now, anchor=trial, local_left=options.local_trials)
        else:
            now = replace(now, stagnation=now.stagnation + 1, local_left=local_left)
        now = replace(now, mode=_mode(now, n_seen, options), anchor=now.anchor if now.local_left else None)
    return now


def situation_of(
    trials: Sequence[FrozenTrial], options: ResilientOptions, considered: Callable[[FrozenTrial], bool]
) -> Situation:
    """Return the situation after those trials that count; of all trials, while none of those has ended."""
    finished = [trial for trial in trials if trial.state.is_finished()]
    return replay([trial for trial in finished if considered(trial)] or finished, options)


def _mode(now: Situation, n_seen: int, options: ResilientOptions) -> Mode:
    if now.best is None or (n_seen < options.startup_trials and not now.local_left):
        return Mode.STARTUP
    if now.local_left:
        return Mode.LOCAL
    due = now.stagnation > 0 and now.stagnation % options.stagnation_trials == 0
    return Mode.JUMP if due else Mode.NORMAL


def _value(trial: FrozenTrial) -> float:
    done = trial.state == TrialState.COMPLETE and trial.value is not None and isfinite(trial.value)
    return float(trial.value) if done and trial.value is not None else inf


class ResilientSampler(BaseSampler):
    """Proposes near the best trial, and how near follows from how the search goes.

    Normal: small steps around the best, growing with stagnation. Local exploration, after a new best below
    ``excellent``: a few small steps around it. Conservative jump, after a stretch without improvement: to a
    less demanding point. No proposal is a point that was tried, and none has more than ``most_growth``
    times the size of the best so far.

    Args:
        seed: Of the proposals.
        options: The strategy's numbers.
        search_space: All parameters by name; by default those that earlier trials had.
        size_of: Size of a model with these parameters, None where it has none.
        considered: Which trials count; by default all.
        built: What parameters mean, e.g. with widths cut to those before them: parameters that mean the
            same are the same point. By default the parameters that they share.

    Raises:
        ValueError: If the study has several objectives or maximizes.

    Example:
        >>> sampler = ResilientSampler(seed=1)
        >>> study = optuna.create_study(sampler=sampler)
        >>> study.optimize(lambda trial: (trial.suggest_float("x", -1, 1) - 0.3) ** 2, n_trials=30)
        >>> study.best_value < 0.05
        True
    """

    def __init__(
        self,
        seed: int | None = None,
        options: ResilientOptions | None = None,
        search_space: Mapping[str, BaseDistribution] | None = None,
        size_of: Callable[[Mapping[str, Any]], float] | None = None,
        considered: Callable[[FrozenTrial], bool] = lambda trial: True,
        built: Callable[[Mapping[str, Any]], Any] | None = None,
    ) -> None:
        self.options = options or ResilientOptions()
        self._rng = np.random.default_rng(seed)
        self._independent = RandomSampler(seed)
        self._space, self._size_of, self._considered = search_space, size_of, considered
        self._built = built

    def reseed_rng(self) -> None:
        """Draw other numbers from here on, as Optuna asks of samplers that several processes copy."""
        self._rng = np.random.default_rng()
        self._independent.reseed_rng()

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return every parameter that is known: all are proposed together."""
        if len(study.directions) > 1 or study.direction != optuna.study.StudyDirection.MINIMIZE:
            raise ValueError("ResilientSampler minimizes one value; this study does not")
        if self._space is not None:
            return {
                name: distribution for name, distribution in self._space.items() if not distribution.single()
            }
        known: dict[str, BaseDistribution] = {}
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            known |= trial.distributions
        return {
            name: distribution for name, distribution in sorted(known.items()) if not distribution.single()
        }

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> Params:
        """Propose values for all parameters of ``search_space``."""
        trials = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        now = situation_of(trials, self.options, self._considered)
        trials = [t for t in trials if self._considered(t)]
        if not search_space:
            return {}
        limit = inf
        if now.best is not None and self._size_of is not None:
            limit = self.options.most_growth * self._size_of(now.best.params)
        base = _complete(now.best, search_space)
        # What has one value is not proposed, but it counts for the size.
        fixed = {
            name: drawn(distribution, 0)
            for name, distribution in (self._space or {}).items()
            if distribution.single()
        }
        is_known = self._known(fixed, trials)
        proposal = base
        for attempt in range(_DRAWS):
            # Where draws are refused again and again the steps become larger, so that a new point is found;
            # a close neighbourhood may hold none, and steps from the best need not reach every point.
            if attempt == _DRAWS // 2 and now.mode is Mode.LOCAL:
                now = replace(now, mode=Mode.NORMAL)
            if attempt == _DRAWS * 3 // 4:
                now = replace(now, mode=Mode.STARTUP)
            proposal = self._proposal(now, base, search_space, 1 + attempt / 10)
            fits = self._size_of is None or self._size_of({**fixed, **proposal}) <= limit
            if fits and not is_known(proposal):
                return proposal
        return base if now.best is not None else proposal

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a random value for a parameter that no earlier trial had."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def _known(self, fixed: Params, trials: Sequence[FrozenTrial]) -> Callable[[Params], bool]:
        """Return whether a proposal was tried, or what it means was built."""
        seen = []
        for trial in trials if self._built is not None else []:
            with suppress(KeyError):  # a trial of which not all is drawn yet
                seen.append(self._built(trial.params))  # type: ignore[misc]

        def is_known(proposal: Params) -> bool:
            if any(_same_point(proposal, trial.params) for trial in trials):
                return True
            return bool(seen) and self._built is not None and self._built({**fixed, **proposal}) in seen

        return is_known

    def _proposal(
        self, now: Situation, base: Params, space: Mapping[str, BaseDistribution], reach: float
    ) -> Params:
        options, rng = self.options, self._rng
        if now.mode is Mode.STARTUP:
            if now.best is None and reach == 1:  # the very first is no gamble
                return base
            return {name: drawn(distribution, rng.random()) for name, distribution in space.items()}
        if now.mode is Mode.LOCAL:
            around, reached = _complete(now.anchor, space), options.reach
            return {
                name: near(base[name], around[name], distribution, rng, reached)
                for name, distribution in space.items()
            }
        if now.mode is Mode.JUMP and reach == 1 and rng.random() < options.jump_probability:
            return {name: self._jump(name, base[name], distribution) for name, distribution in space.items()}
        growth = reach * (1 + now.stagnation / options.stagnation_trials)
        moved = self._some(list(space), 0.35)
        return {
            name: stepped(base[name], distribution, rng, growth) if name in moved else base[name]
            for name in space
            for distribution in [space[name]]
        }

    def _some(self, names: list[str], share: float) -> set[str]:
        """Return a random part of the parameters, never none: few at a time tell what helped."""
        chosen = {name for name in names if self._rng.random() < share}
        return chosen or {names[int(self._rng.integers(len(names)))]}

    def _jump(self, name: str, value: Any, distribution: BaseDistribution) -> Any:
        for pattern, jump in self.options.jumps.items():
            if fnmatch(name, pattern):
                return shrunk(value, distribution, jump.factor, jump.low, jump.high)
        return value


def _complete(trial: FrozenTrial | None, space: Mapping[str, BaseDistribution]) -> Params:
    """Return a trial's parameters; the middle of the range for those that it does not have."""
    known = {} if trial is None else trial.params
    return {
        name: clipped(known[name], distribution) if name in known else drawn(distribution, 0.5)
        for name, distribution in space.items()
    }


def _same_point(proposal: Params, params: Mapping[str, Any]) -> bool:
    """Return whether a trial tried this already; what it did not have made no difference to it."""
    shared = [name for name in params if name in proposal]
    return bool(shared) and all(proposal[name] == params[name] for name in shared)
