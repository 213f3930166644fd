"""What a configuration is worth: scores of both stages, and the one number that the search lowers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.engines import StopFlag
from autoenc.settings import TransferSettings
from autoenc.transfer.data import TransferData
from autoenc.transfer.folds import Fold
from autoenc.transfer.space import Configuration
from autoenc.transfer.stages import Stages, TrainingFailed

__all__ = ["Scores", "evaluate", "mean_scores", "score"]


class Scores(NamedTuple):
    """How both stages did on rows that they had not seen; None where there is no such target.

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
        """The part of the objective that comes from the heads."""
        total = 0.0
        if self.mae is not None:
            total += settings.mae_weight * self.mae
        if self.f1 is not None and self.recall is not None:
            total += settings.f1_weight * (1 - self.f1) + settings.recall_weight * (1 - self.recall)
        return total

    def objective(self, settings: TransferSettings) -> float:
        """The number that the search lowers."""
        return self.stage2(settings) + settings.stage1_weight * (self.stage1_loss or 0.0)

    def as_dict(self, settings: TransferSettings) -> dict[str, float | None]:
        """The scores and the part of the heads, as plain values."""
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
        found = outputs["classification"][known] >= 0
        found_of = precision_recall_fscore_support(true, found, average="binary", zero_division=0)
        recall, f1 = float(found_of[1]), float(found_of[2])
    return Scores(mae, f1, recall, stage1_loss)


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """The mean of each score over folds."""

    def mean(values: list[float | None]) -> Any:
        return None if values[0] is None else float(np.mean(np.array(values, float)))

    return Scores(*(mean(list(values)) for values in zip(*scores, strict=True)))


def evaluate(
    stages: Stages,
    data: TransferData,
    folds: Sequence[Fold],
    configuration: Configuration,
    settings: TransferSettings,
    after_fold: Callable[[int, float], None] = lambda fold, value: None,
    stop: StopFlag | None = None,
    n_threads: int = 1,
) -> list[Scores]:
    """Judge a configuration by cross-validation.

    Folds are fitted in threads and told of in their order, so that nothing depends on the number of threads.

    Args:
        stages: What fits.
        data: The tables and targets.
        folds: The folds; stage 1 is fitted once for all folds that share its rows.
        configuration: What is judged.
        settings: The weights of the objective.
        after_fold: Told the objective so far, the mean over folds; may raise to end the trial early.
        stop: Ends it early.
        n_threads: Folds at once.

    Returns:
        The scores of each fold.

    Raises:
        TrainingFailed: If a stage or the objective stops being finite.
        Stopped: If ``stop`` was set.
    """
    names = {fold.pretraining for fold in folds}
    shared = stages.pretrain(folds[0], configuration, stop) if len(names) == 1 else None

    def judged(fold: Fold) -> Scores:
        pretrained = shared or stages.pretrain(fold, configuration, stop)
        fitted = stages.fit(fold, configuration, pretrained, stop)
        outputs = stages.outputs(fold, fitted)
        return score(data, fold.validation, outputs, fitted.units, fitted.stage1_loss)

    scores: list[Scores] = []
    pool = ThreadPoolExecutor(n_threads)
    try:
        for i, each in enumerate(pool.map(judged, folds)):
            scores.append(each)
            value = mean_scores(scores).objective(settings)
            if not isfinite(value):
                raise TrainingFailed(f"the objective stopped being finite in fold {i + 1}")
            after_fold(i, value)
    finally:
        pool.shutdown(cancel_futures=True)  # where a fold ended the trial, the others need not be begun
    return scores
