"""Trials of torch modules: one training each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import optuna
from optuna.trial import FrozenTrial

from autoenc.engines import StopFlag, Stopped
from autoenc.record.record import Record
from autoenc.searching.executors import failure_of
from autoenc.searching.loop import End, Running, Watch
from autoenc.searching.studies import Prepared, StudyTrials
from autoenc.tuning.modules import ModuleSpace
from autoenc.tuning.training import TrainedModule

__all__ = ["ModuleObjective", "ModuleTrials"]


@dataclass(frozen=True, eq=False)
class ModuleUnit:
    """A training.

    Attributes:
        params: A trial's parameters, as Optuna has them.
    """

    params: Mapping[str, Any]


class ModuleOutcome(NamedTuple):
    """The result of a training; see :class:`~autoenc.searching.loop.Measured`."""

    val_loss: float | None
    failure: str | None = None
    seconds: float = 0.0


class _Train(Protocol):
    def __call__(self, params: Mapping[str, Any], *, watch: Watch) -> TrainedModule: ...


class ModuleObjective:
    """The validation loss of a module after its last epoch.

    Args:
        train: Trains what parameters mean; what it raises is the trial's failure.
    """

    ahead = 1

    def __init__(self, train: _Train) -> None:
        self._train = train

    def work(self, unit: ModuleUnit) -> float:
        """Return 1: nothing is known of it."""
        return 1.0

    def job(self, unit: ModuleUnit, watch: Watch | None) -> Callable[[StopFlag], ModuleOutcome]:
        """Return what trains a module."""
        return lambda stop: self._measured(unit, watch, stop)

    def _measured(self, unit: ModuleUnit, watch: Watch | None, stop: StopFlag) -> ModuleOutcome:
        def after_epoch(epoch: int, val_loss: float) -> None:
            if stop.is_set():
                raise Stopped
            if watch is not None:
                watch(epoch, val_loss)

        try:
            return ModuleOutcome(self._train(unit.params, watch=after_epoch).val_loss)
        except Exception as error:
            return ModuleOutcome(None, failure_of(error))

    def name(self, unit: ModuleUnit) -> str:
        """Return its parameters in words."""
        return f"parameters {dict(unit.params)}"

    def judge(self, trial: Running[ModuleUnit, ModuleOutcome]) -> End | None:
        """Return the loss of its one training."""
        outcomes = trial.first_outcomes()
        return End(outcomes[0].val_loss, outcomes[0].failure) if outcomes else None


class ModuleTrials(StudyTrials[ModuleUnit, ModuleOutcome]):
    """Trials of modules until there are enough.

    Args:
        record: Proposes trials and records their results.
        n_trials: Trials in all, those of earlier runs counted.
        space: What is open.
        on_trial: Called with each trial that ended.
    """

    def __init__(
        self,
        record: Record,
        n_trials: int,
        space: ModuleSpace,
        on_trial: Callable[[FrozenTrial], object],
    ) -> None:
        def prepare(trial: optuna.Trial) -> Prepared[ModuleUnit, ModuleOutcome]:
            return Prepared([ModuleUnit(space.suggest(trial))])

        def on_end(number: int) -> None:
            on_trial(record.study.get_trials(deepcopy=False)[number])

        super().__init__(record, n_trials, prepare, on_end)
