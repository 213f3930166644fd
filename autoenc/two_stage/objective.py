"""The objective of a configuration: scores of both stages, and the one number that the search lowers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import isfinite, nan
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from optuna import TrialPruned
from optuna.trial import FrozenTrial

from autoenc.engines import StopFlag
from autoenc.fitted.autoencoder import FittedAutoencoder
from autoenc.models.grid import format_architecture
from autoenc.searching.executors import Threads, failure_of
from autoenc.searching.loop import End, Running, Watch, run
from autoenc.settings import TransferSettings
from autoenc.two_stage.data import TransferData
from autoenc.two_stage.folds import Fold
from autoenc.two_stage.space import TwoStageConfiguration, configuration
from autoenc.two_stage.stages import Stages, TrainingFailed

__all__ = [
    "OBJECTIVES", "FoldOutcome", "FoldTrial", "FoldUnit", "FoldsObjective", "Scores", "evaluate",
    "mean_scores", "score",
]  # fmt: skip

OBJECTIVES = "objectives"
"""Attribute of a trial with several seeds: the objective of each fold by each seed, fold by fold."""

Pretrained = tuple[FittedAutoencoder, float]


class Scores(NamedTuple):
    """Scores of both stages on rows that they had not seen; None where there is no such target.

    Attributes:
        mae: Mean absolute error, in standard deviations of the target over the training rows.
        f1: F1 of the positive class at probability one half.
        recall: Share of the positive rows that were found.
        stage1_loss: Reconstruction loss; None without a stage 1.
    """

    mae: float | None
    f1: float | None
    recall: float | None
    stage1_loss: float | None

    def stage2(self, settings: TransferSettings) -> float:
        """Return the part of the objective that comes from the heads."""
        total = 0.0
        if self.mae is not None:
            total += settings.mae_weight * self.mae
        if self.f1 is not None and self.recall is not None:
            total += settings.f1_weight * (1 - self.f1) + settings.recall_weight * (1 - self.recall)
        return total

    def objective(self, settings: TransferSettings) -> float:
        """Return the number that the search lowers."""
        return self.stage2(settings) + settings.stage1_weight * (self.stage1_loss or 0.0)

    def as_dict(self, settings: TransferSettings) -> dict[str, float | None]:
        """Return the scores and the part of the heads, as plain values."""
        return {**self._asdict(), "stage2_objective": self.stage2(settings)}


def score(
    data: TransferData,
    rows: NDArray[np.int64],
    outputs: Mapping[str, NDArray[np.float32]],
    units: tuple[float, float] | None,
    stage1_loss: float | None = None,
) -> Scores:
    """Compare outputs with the known labels of the rows.

    Args:
        data: The targets.
        rows: Of the labelled table.
        outputs: Standardized numbers and log odds of the rows, by kind.
        units: What standardized the regression's target.
        stage1_loss: Of the encoder, if there is one.
    """
    from sklearn.metrics import precision_recall_fscore_support

    mae = f1 = recall = None
    if "regression" in outputs:
        assert units is not None
        target = (data.targets["regression"].values[rows] - units[0]) / units[1]
        mae = float(np.nanmean(np.abs(outputs["regression"].astype(np.float64) - target)))
    if "classification" in outputs:
        known = data.targets["classification"].known[rows]
        true = data.targets["classification"].values[rows][known] == 1
        predicted = outputs["classification"][known] >= 0
        found_of = precision_recall_fscore_support(true, predicted, average="binary", zero_division=0)
        recall, f1 = float(found_of[1]), float(found_of[2])
    return Scores(mae, f1, recall, stage1_loss)


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """Return the mean of each score over folds."""

    def mean(values: list[float | None]) -> Any:
        return None if values[0] is None else float(np.mean(np.array(values, float)))

    return Scores(*(mean(list(values)) for values in zip(*scores, strict=True)))


class FoldUnit(NamedTuple):
    """A fold in which a configuration is judged, by one seed.

    Attributes:
        configuration: What is judged.
        fold: Its place among the folds.
        repeat: 0 in the search; from 1 on, other folds and seeds.
        seed: Its place among the seeds of the search.
    """

    configuration: TwoStageConfiguration
    fold: int
    repeat: int = 0
    seed: int = 0


class FoldOutcome(NamedTuple):
    """The result of a fold.

    Attributes:
        scores: Of both stages; None if one failed.
        value: The objective; not finite if a stage failed.
        failure: Why it failed.
        seconds: Not measured.
    """

    scores: Scores | None
    value: float = nan
    failure: str | None = None
    seconds: float = 0.0


FoldTrial = Running[FoldUnit, FoldOutcome]


class FoldsObjective:
    """Trials that are judged by cross-validation: both stages in every fold, by every seed.

    Folds are fitted in threads and judged in their order, so that nothing depends on the number of threads.

    Args:
        parts: Says what fits in a repeat, and its folds; stage 1 is fitted once for all folds that share
            its rows.
        data: The tables and targets.
        settings: The weights of the objective.
        ahead: Folds of a trial that may be fitted at once.
        after_fold: Told of the trial, each fold of the search and the objective so far, the mean over
            folds; may raise ``optuna.TrialPruned`` to end the trial early.
        n_seeds: Seeds that each fold is fitted by.
    """

    def __init__(
        self,
        parts: Callable[[int], tuple[Stages, Sequence[Fold]]],
        data: TransferData,
        settings: TransferSettings,
        ahead: float = 1,
        after_fold: Callable[[Any, int, float], object] = lambda trial, fold, value: None,
        n_seeds: int = 1,
    ) -> None:
        self._n_seeds = n_seeds
        self._parts, self._data, self._settings = parts, data, settings
        self.ahead, self._after_fold = ahead, after_fold
        self._shared = _Shared(self._pretrained)

    def units(self, configuration: TwoStageConfiguration, repeat: int = 0) -> list[FoldUnit]:
        """Return what measures a configuration: every fold by every seed, fold by fold."""
        places = product(range(len(self._parts(repeat)[1])), range(self._n_seeds))
        return [FoldUnit(configuration, fold, repeat, seed) for fold, seed in places]

    def units_of(self, trial: FrozenTrial, repeat: int) -> list[FoldUnit]:
        """Return what measures a trial of the search once more."""
        return self.units(configuration(trial.params, self._settings), repeat)

    def loss_of(self, outcome: FoldOutcome) -> float:
        """Return the objective of a fold."""
        return outcome.value

    def work(self, unit: FoldUnit) -> float:
        """Return a cost that is the same for all folds: they take about the same time."""
        return 1.0

    def job(self, unit: FoldUnit, watch: Watch | None) -> Callable[[StopFlag], FoldOutcome]:
        """Return what fits and scores a fold."""
        return lambda stop: self._measured(unit, stop)

    def name(self, unit: FoldUnit) -> str:
        """Return its stack and fold."""
        stack = format_architecture(unit.configuration.hidden_dims)
        named = f"stack {stack}, fold {unit.fold}" + (f" of repeat {unit.repeat}" if unit.repeat else "")
        return named + (f", seed {unit.seed}" if unit.seed else "")

    def _fitting(self, unit: FoldUnit) -> tuple[Stages, Sequence[Fold]]:
        """Return what fits a unit, and the folds of which its is one."""
        stages, folds = self._parts(unit.repeat)
        return stages.with_seed(unit.seed), folds

    def _pretrained(self, unit: FoldUnit, stop: StopFlag) -> Pretrained:
        stages, folds = self._fitting(unit)
        return stages.pretrain(folds[unit.fold], unit.configuration, stop)

    def _measured(self, unit: FoldUnit, stop: StopFlag) -> FoldOutcome:
        try:
            scores = self._scored(unit, stop)
        except TrainingFailed as error:
            return FoldOutcome(None, failure=str(error))
        except Exception as error:
            return FoldOutcome(None, failure=failure_of(error))
        return FoldOutcome(scores, scores.objective(self._settings))

    def _scored(self, unit: FoldUnit, stop: StopFlag) -> Scores:
        stages, folds = self._fitting(unit)
        is_shared, fold = len({fold.pretraining for fold in folds}) == 1, folds[unit.fold]
        pretrained = self._shared.of(unit, stop) if is_shared else self._pretrained(unit, stop)
        fitted = stages.fit(fold, unit.configuration, pretrained, stop)
        outputs = stages.outputs(fold, fitted)
        return score(self._data, fold.validation, outputs, fitted.units, fitted.stage1_loss)

    def judge(self, trial: FoldTrial) -> End | None:
        """Return the objective of the mean scores; a trial fails with the first fold that does."""
        outcomes = trial.first_outcomes()
        for i in range(trial.n_judged, len(outcomes)):
            trial.n_judged = i + 1
            if outcomes[i].failure is not None:
                return End(failure=outcomes[i].failure)
            value = mean_scores(_scores(outcomes[: i + 1])).objective(self._settings)
            if not isfinite(value):
                return End(failure=f"the objective stopped being finite in fold {trial.units[i].fold + 1}")
            try:
                unit = trial.units[i]
                if not unit.repeat and unit.seed == self._n_seeds - 1:
                    self._after_fold(trial.handle, unit.fold, value)
            except TrialPruned:
                return End()
        if len(outcomes) < len(trial.units):
            return None
        scores = mean_scores(_scores(outcomes))
        attributes: dict[str, Any] = dict(scores.as_dict(self._settings))
        if self._n_seeds > 1:
            attributes[OBJECTIVES] = [outcome.value for outcome in outcomes]
        return End(scores.objective(self._settings), attributes=attributes)


def _scores(outcomes: Sequence[FoldOutcome]) -> list[Scores]:
    return [outcome.scores for outcome in outcomes if outcome.scores is not None]


class _Shared:
    """Stage 1 of the latest configurations, fitted by whichever fold comes first."""

    _N_KEPT = 64  # far more than are in training at once

    def __init__(self, pretrain: Callable[[FoldUnit, StopFlag], Pretrained]) -> None:
        self._pretrain = pretrain
        self._locks: dict[tuple[TwoStageConfiguration, int, int], Lock] = {}
        self._made: dict[tuple[TwoStageConfiguration, int, int], Pretrained | TrainingFailed] = {}
        self._lock = Lock()

    def of(self, unit: FoldUnit, stop: StopFlag) -> Pretrained:
        """Stage 1 of a unit; the others of its configuration and seed wait for the first one."""
        key = unit.configuration, unit.repeat, unit.seed
        with self._lock:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            made = self._made.get(key)
            if made is None:
                try:
                    made = self._pretrain(unit, stop)
                except TrainingFailed as error:
                    made = error
                with self._lock:
                    self._made[key] = made
                    while len(self._made) > self._N_KEPT:
                        oldest = next(iter(self._made))
                        del self._made[oldest]
                        self._locks.pop(oldest, None)
        if isinstance(made, TrainingFailed):
            raise made
        return made


class _Once:
    """A single configuration as all the trials there are."""

    def __init__(self, units: Sequence[FoldUnit]) -> None:
        self._trials = [FoldTrial(units)]
        self.ended: tuple[FoldTrial, End] | None = None

    def begin(self, n_running: int) -> FoldTrial | None:
        return self._trials.pop() if self._trials else None

    def add(self, trial: FoldTrial, unit: FoldUnit, outcome: FoldOutcome) -> None:
        """Nothing: the outcome is all there is."""

    def watch(self, trial: FoldTrial, unit: FoldUnit) -> Watch | None:
        return None

    def end(self, trial: FoldTrial, end: End) -> None:
        self.ended = trial, end


def evaluate(
    stages: Stages,
    data: TransferData,
    folds: Sequence[Fold],
    configuration: TwoStageConfiguration,
    settings: TransferSettings,
    after_fold: Callable[[int, float], object] = lambda fold, value: None,
    n_threads: int = 1,
) -> list[Scores]:
    """Judge a single configuration by cross-validation; see :class:`FoldsObjective`.

    Returns:
        The scores of each fold, by each seed.

    Raises:
        TrainingFailed: If a stage or the objective stops being finite.
    """
    objective = FoldsObjective(
        lambda repeat: (stages, folds), data, settings, n_threads,
        lambda trial, fold, value: after_fold(fold, value), settings.seeds,
    )  # fmt: skip
    once, stop = _Once(objective.units(configuration)), StopFlag()
    threads = Threads(objective, n_threads, stop)
    try:
        run(once, objective, threads, stop)
    finally:
        threads.close()
    assert once.ended is not None
    trial, end = once.ended
    if end.failure is not None:
        raise TrainingFailed(end.failure)
    return _scores(trial.first_outcomes())
