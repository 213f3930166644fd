"""Baselines of an encoder: the same heads on the features themselves, and on their principal components."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.analysis.bootstrap import percentile_interval
from autoenc.settings import TransferSettings
from autoenc.two_stage.data import TransferData
from autoenc.two_stage.folds import Fold
from autoenc.two_stage.objective import Scores, score
from autoenc.two_stage.stages import Stages, TrainingFailed
from autoenc.two_stage.thawed import HeadRecipe

__all__ = ["Beside", "compare_with_baselines", "representations"]

_VARIANCE = 0.95  # that principal components keep

Points = NDArray[np.float32]
Outputs = Mapping[str, NDArray[np.float32]]


class Beside(NamedTuple):
    """The same heads on other points, judged by the same rows.

    Attributes:
        scores: Of these heads; there is no stage 1.
        above: How much higher the heads' part of the objective is than on the encoder.
        interval: The 95 % percentile interval of that, by resampling the rows; None of a single row.
    """

    scores: Scores
    above: float
    interval: tuple[float, float] | None


def representations(scaled: Points) -> dict[str, Callable[[Points], Points]]:
    """Return what turns scaled rows into points, by ``raw features`` and ``PCA``.

    Args:
        scaled: The rows that stage 1 learns from, ``[rows, columns]``, NaN where a cell is missing; as for an
            encoder, such a cell counts as 0. Without any variance there are no principal components.
    """
    from sklearn.decomposition import PCA

    def raw(rows: Points) -> Points:
        return np.nan_to_num(rows, nan=0.0)

    by_name: dict[str, Callable[[Points], Points]] = {"raw features": raw}
    filled = raw(scaled)
    if filled.var(axis=0).any():
        pca = PCA(_VARIANCE, random_state=0).fit(filled)
        by_name["PCA"] = lambda rows: pca.transform(raw(rows)).astype(np.float32)
    return by_name


def compare_with_baselines(
    stages: Stages,
    data: TransferData,
    fold: Fold,
    recipe: HeadRecipe,
    settings: TransferSettings,
    scores: Scores,
    outputs: Outputs,
) -> dict[str, Beside]:
    """Train the same heads on other points of the same rows.

    Args:
        stages: What trains heads.
        data: The tables and targets.
        fold: The rows.
        recipe: Of the heads, as it was chosen for the encoder.
        settings: The weights of the objective.
        scores: Of the heads on the encoder.
        outputs: What these say of the fold's validation rows.

    Returns:
        By name; heads that come to nothing are left out.
    """
    split, labelled = stages.split(fold), stages.scaled_labelled(fold)
    compared = {}
    for name, transform in representations(split.values[split.train]).items():
        try:
            heads, units = stages.fit_heads(fold, transform(labelled[fold.train]), recipe)
        except TrainingFailed:
            continue
        others = heads.outputs(transform(labelled[fold.validation]))
        beside = score(data, fold.validation, others, units)
        compared[name] = Beside(
            beside,
            beside.stage2(settings) - scores.stage2(settings),
            _interval(data, fold.validation, units, settings, (others, outputs)),
        )
    return compared


def _interval(
    data: TransferData,
    rows: NDArray[np.int64],
    units: tuple[float, float] | None,
    settings: TransferSettings,
    both: tuple[Outputs, Outputs],
) -> tuple[float, float] | None:
    """Return an interval of the first one's part of the objective less the second one's."""
    counts = [_counts(data, rows, units, outputs) for outputs in both]
    n = len(counts[0])

    def difference(*given: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        sums = [part.sum(axis) for part in given]
        return _stage2(sums[:n], settings) - _stage2(sums[n:], settings)

    return percentile_interval((*counts[0], *counts[1]), difference)


def _counts(
    data: TransferData, rows: NDArray[np.int64], units: tuple[float, float] | None, outputs: Outputs
) -> list[NDArray[np.float64]]:
    """Return what the scores are sums of, ``[rows]`` each: error, known; hits, false alarms, misses."""
    counts = [np.zeros(len(rows)) for _ in range(5)]
    if "regression" in outputs:
        assert units is not None
        target = (data.targets["regression"].values[rows] - units[0]) / units[1]
        counts[0] = np.nan_to_num(np.abs(outputs["regression"] - target), nan=0.0)
        counts[1] = (~np.isnan(target)).astype(float)
    if "classification" in outputs:
        target, predicted = data.targets["classification"].values[rows], outputs["classification"] >= 0
        positive, negative = target == 1, target == 0
        counts[2:] = [
            mask.astype(float) for mask in (positive & predicted, negative & predicted, positive & ~predicted)
        ]
    return counts


def _stage2(sums: list[NDArray[np.float64]], settings: TransferSettings) -> NDArray[np.float64]:
    """Return the heads' part of the objective out of such sums; as in the scores, 0 of nothing is 0."""
    error, known, hits, alarms, misses = sums
    total = np.zeros_like(error)
    if settings.regression_target:
        total = total + settings.mae_weight * error / np.maximum(known, 1)
    if settings.classification_target:
        f1 = 2 * hits / np.maximum(2 * hits + alarms + misses, 1)
        recall = hits / np.maximum(hits + misses, 1)
        total = total + settings.f1_weight * (1 - f1) + settings.recall_weight * (1 - recall)
    return total
