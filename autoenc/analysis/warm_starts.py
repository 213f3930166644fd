"""Savings by warm starts: how much earlier a stack that extends a trained one reaches its cold loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from autoenc.engines import Fit, Outcome
from autoenc.models.grid import Architecture
from autoenc.searching.trials import Trial, TrialResult

__all__ = ["WarmStart", "compare_warm_starts", "warm_start_document"]


@dataclass(frozen=True)
class WarmStart:
    """A warm-started trial against its cold twin; over several fits by their mean curves.

    Attributes:
        architecture, parent: The stack, and the one it begins from.
        varied: Options of the recipe that vary in the search, but for the warm start itself.
        cold_epochs: Epochs after which the cold curve first is at the cold trial's final test loss; None
            where early stopping at different epochs keeps the mean of several fits above it.
        warm_epochs: Epochs after which the warm curve first is there; None if it never is.
        parent_epochs: Epochs for which the parent was trained before, at most.
    """

    architecture: Architecture
    parent: Architecture
    varied: dict[str, Any]
    cold_epochs: int | None
    warm_epochs: int | None
    parent_epochs: int

    @property
    def epochs_saved(self) -> int | None:
        """By how many epochs the warm start is there earlier, without those of the parent."""
        if self.cold_epochs is None or self.warm_epochs is None:
            return None
        return self.cold_epochs - self.warm_epochs


def compare_warm_starts(trials: Sequence[Trial], outcomes: Mapping[Fit, Outcome]) -> list[WarmStart]:
    """Hold warm-started trials against their cold twins.

    Args:
        trials: What is trained, cold twins and parents among it.
        outcomes: What is recorded; pairs that are not complete, or of which one failed, are left out.
    """
    done = {
        (result.trial.architecture, result.trial.fits[0].recipe): result
        for trial in trials
        if (result := trial.result(outcomes)) and result.failure is None
    }
    comparisons = []
    for result in done.values():
        trial = result.trial
        if not trial.recipe.warm_start:
            continue
        parent_fit = trial.fits[0].parent
        cold = done.get((trial.architecture, parent_fit.recipe))
        parent = done.get((parent_fit.architecture, parent_fit.recipe))
        if cold and parent:
            comparisons.append(_compare(result, cold, parent))
    return comparisons


def _compare(warm: TrialResult, cold: TrialResult, parent: TrialResult) -> WarmStart:
    trial = warm.trial
    varied = {name: value for name, value in trial.varied.items() if name != "warm_start"}
    epochs = [_first_at(result.test_losses, cold.loss) for result in (cold, warm)]
    return WarmStart(
        trial.architecture, parent.trial.architecture, varied, epochs[0], epochs[1], len(parent.test_losses)
    )


def _first_at(losses: Sequence[float], target: float) -> int | None:
    return next((epoch for epoch, loss in enumerate(losses, 1) if loss <= target), None)


def warm_start_document(comparisons: Sequence[WarmStart]) -> dict[str, Any]:
    """Return the comparison as plain values, for the JSON document."""
    saved = [one.epochs_saved for one in comparisons if one.epochs_saved is not None]
    return {
        "pairs": len(comparisons),
        "reached": len(saved),
        "median_epochs_saved": median(saved) if saved else None,
        "parent_epochs": median(one.parent_epochs for one in comparisons) if comparisons else None,
        "entries": [
            {
                "config": list(one.architecture),
                **({"recipe": one.varied} if one.varied else {}),
                "parent": list(one.parent),
                "cold_epochs": one.cold_epochs,
                "warm_epochs": one.warm_epochs,
                "epochs_saved": one.epochs_saved,
            }
            for one in comparisons
        ],
    }
