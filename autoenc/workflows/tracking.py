"""Metrics of the chosen trial in the file of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoenc.data.compact import Cells
from autoenc.engines import Engine
from autoenc.record.runs import convergence_epoch
from autoenc.report import SearchResults
from autoenc.searching.trials import TrialResult

__all__ = ["curves_of", "metrics_of", "search_metrics"]

_TIMED_ROWS = 65536


def metrics_of(
    chosen: TrialResult,
    values: Cells,
    engine: Engine,
    best: TrialResult | None = None,
    rule: str = "best",
    timed: float | None = None,
) -> dict[str, Any]:
    """Return loss, size and speed of the trial that is kept, and the lowest loss.

    Args:
        chosen: The trial that is kept; size, times and convergence are its own.
        values: ``[rows, columns]``, the table.
        engine: What trained it. Only the native engine measures the time of a row: it needs no model for that
            and no torch; of another engine the time is None, or what it is given.
        best: The trial with the lowest loss, where another may have been chosen.
        rule: How it was chosen.
        timed: The time of a row in microseconds where it was measured before.
    """
    fit = chosen.trial.fits[0]
    if engine.name == "native" and timed is None:
        from autoenc.engines.native import NativeEngine

        with np.errstate(over="ignore"):
            cells = values[:_TIMED_ROWS].astype(np.float32)
        timed = round(1e6 * NativeEngine().seconds_per_row(cells, fit), 4)
    lowest = best or chosen
    return {
        "best_loss": lowest.loss,
        "best_stack": lowest.trial.name,
        "chosen_loss": chosen.loss,
        "chosen_stack": chosen.trial.name,
        "rule": rule,
        "n_parameters": chosen.trial.n_parameters(values.shape[1]),
        "training_seconds": chosen.seconds,
        "convergence_epoch": convergence_epoch(chosen.test_losses),
        "inference_us_per_row": timed,
    }


def search_metrics(
    results: SearchResults, values: Cells, engine: Engine, timed: float | None = None
) -> dict[str, Any]:
    """Return the metrics of an exhaustive search, of which a trial succeeded.

    With folds also the loss on the test rows, and with an ensemble that of the ensemble, once they are known.

    Args:
        results: The search.
        values: ``[rows, columns]``, the table.
        engine: What trained it.
        timed: See :func:`metrics_of`.
    """
    selection, holdout, together = results.selection, results.holdout_outcome, results.ensemble
    metrics = metrics_of(selection.chosen, values, engine, selection.best, selection.rule, timed)
    if holdout is not None and holdout.failure is None:
        metrics["test_loss"] = holdout.final_test_loss
    if results.settings.ensemble and together and together["test_loss"] is not None:
        metrics |= {"ensemble_test_loss": together["test_loss"], "ensemble_size": len(together["members"])}
    return metrics


def curves_of(chosen: TrialResult) -> Mapping[str, Sequence[float]]:
    """Return training and test loss of the trial that is kept after each epoch."""
    return {"train_losses": chosen.train_losses, "test_losses": chosen.test_losses}
