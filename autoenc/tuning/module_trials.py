"""Trials of torch modules: a training each, or one in each fold by each seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from statistics import fmean
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

__all__ = ["LOSSES", "SIZE", "ModuleObjective", "ModuleTrials", "module_units"]

LOSSES = "losses"
"""Attribute of a trial: the loss of each training so far, fold by fold, where there are several."""
SIZE = "model_params"
"""Attribute of a trial: parameters of its modules."""


@dataclass(frozen=True, eq=False)
class ModuleUnit:
    """A training.

    Attributes:
        params: A trial's parameters, as Optuna has them.
        fold: Which fold of the training rows judges; None where other rows do.
        seed: Its place among the seeds.
        repeat: 0 in the search; from 1 on, other folds and seeds, for the finalists.
    """

    params: Mapping[str, Any]
    fold: int | None = None
    seed: int = 0
    repeat: int = 0


class ModuleOutcome(NamedTuple):
    """The result of a training; see :class:`~autoenc.searching.loop.Measured`."""

    val_loss: float | None
    failure: str | None = None
    seconds: float = 0.0
    n_parameters: int | None = None


class _Train(Protocol):
    def __call__(
        self, params: Mapping[str, Any], *, fold: int | None, n_seed: int, repeat: int, watch: Watch
    ) -> TrainedModule: ...


def module_units(params: Mapping[str, Any], folds: int, seeds: int, repeat: int = 0) -> list[ModuleUnit]:
    """Return the trainings of a trial: fold by fold, seeds varying fastest.

    Args:
        params: Its parameters, as Optuna has them.
        folds: Folds of the training rows that judge; 0 where other rows do.
        seeds: Seeds that each training is made by.
        repeat: Which repeat of the cross-validation; 0 is the search.
    """
    places = product(range(folds) if folds else [None], range(seeds))
    return [ModuleUnit(params, fold, seed, repeat) for fold, seed in places]


class ModuleObjective:
    """The validation loss of a module after its last epoch, the mean over folds and seeds.

    Args:
        train: Trains what parameters mean, on all folds but one; what it raises is the trial's failure.
        folds, seeds: Of the search; see :func:`module_units`.
    """

    ahead = 1

    def __init__(self, train: _Train, folds: int = 0, seeds: int = 1) -> None:
        self._train, self._folds, self._seeds = train, folds, seeds

    def units_of(self, trial: FrozenTrial, repeat: int) -> list[ModuleUnit]:
        """Return the trainings of a trial of the search in a repeat."""
        return module_units(trial.params, self._folds, self._seeds, repeat)

    def loss_of(self, outcome: ModuleOutcome) -> float | None:
        """Return the loss of a training."""
        return outcome.val_loss

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
            trained = self._train(
                unit.params, fold=unit.fold, n_seed=unit.seed, repeat=unit.repeat, watch=after_epoch
            )
            n_parameters = sum(parameter.numel() for parameter in trained.model.parameters())
            return ModuleOutcome(trained.val_loss, n_parameters=n_parameters)
        except Exception as error:
            return ModuleOutcome(None, failure_of(error))

    def name(self, unit: ModuleUnit) -> str:
        """Return its parameters in words, and which of several trainings it is."""
        fold = "" if unit.fold is None else f", fold {unit.fold + 1}"
        repeat = f" of repeat {unit.repeat}" if unit.repeat else ""
        return f"parameters {dict(unit.params)}{fold}{repeat}{f', seed {unit.seed}' if unit.seed else ''}"

    def judge(self, trial: Running[ModuleUnit, ModuleOutcome]) -> End | None:
        """Return the mean loss of its trainings; a trial fails with the first that does."""
        outcomes = trial.first_outcomes()
        failure = next((outcome.failure for outcome in outcomes if outcome.failure is not None), None)
        if failure is not None:
            return End(failure=failure)
        if len(outcomes) < len(trial.units):
            return None
        losses = [outcome.val_loss for outcome in outcomes if outcome.val_loss is not None]
        attributes: dict[str, Any] = {LOSSES: losses} if len(losses) > 1 else {}
        if outcomes[0].n_parameters is not None:
            attributes[SIZE] = outcomes[0].n_parameters
        return End(fmean(losses), attributes=attributes)


class ModuleTrials(StudyTrials[ModuleUnit, ModuleOutcome]):
    """Trials of modules until there are enough.

    Args:
        record: Proposes trials and records their results.
        n_trials: Trials in all, those of earlier runs counted.
        space: What is open.
        on_trial: Called with each trial that ended.
        folds, seeds: See :func:`module_units`.
    """

    def __init__(
        self,
        record: Record,
        n_trials: int,
        space: ModuleSpace,
        on_trial: Callable[[FrozenTrial], object],
        folds: int = 0,
        seeds: int = 1,
    ) -> None:
        def prepare(trial: optuna.Trial) -> Prepared[ModuleUnit, ModuleOutcome]:
            units = module_units(space.suggest(trial), folds, seeds)
            losses, size = record.measured(trial) or ([], None)
            known = {
                unit: ModuleOutcome(loss, n_parameters=size)
                for unit, loss in zip(units, losses, strict=False)
            }
            return Prepared(units, known=known)

        def on_end(number: int) -> None:
            on_trial(record.study.get_trials(deepcopy=False)[number])

        super().__init__(record, n_trials, prepare, on_end)

    def add(
        self, trial: Running[ModuleUnit, ModuleOutcome], unit: ModuleUnit, outcome: ModuleOutcome
    ) -> None:
        """Keep the loss of each of several trainings, so that an interruption repeats none that ended."""
        if len(trial.units) == 1 or outcome.failure is not None:
            return
        # They come in their order, as one of a trial is in training at a time.
        losses = [known.val_loss for known in (*trial.first_outcomes(), outcome)]
        self.record.note_measured(trial.handle, [losses, outcome.n_parameters])
