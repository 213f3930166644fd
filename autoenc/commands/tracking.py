"""What the file of a run says about the best of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoenc.engines import Engine
from autoenc.runs import convergence_epoch
from autoenc.trials import TrialResult

__all__ = ["curves_of", "metrics_of"]

_TIMED_ROWS = 65536


def metrics_of(best: TrialResult, values: NDArray[np.float64], engine: Engine) -> dict[str, Any]:
    """Loss, size and speed of the best trial.

    Args:
        best: The trial with the lowest loss.
        values: ``[rows, columns]``, the table.
        engine: What trained it. Only the native engine measures the time of a row: it needs no model for that
            and no torch; of another engine the time is None.
    """
    fit, timed = best.trial.fits[0], None
    if engine.name == "native":
        from autoenc.engines.native import NativeEngine

        with np.errstate(over="ignore"):
            cells = values[:_TIMED_ROWS].astype(np.float32)
        timed = round(1e6 * NativeEngine().seconds_per_row(cells, fit), 4)
    return {
        "best_loss": best.loss,
        "best_stack": best.trial.name,
        "n_parameters": best.trial.n_parameters(values.shape[1]),
        "training_seconds": best.seconds,
        "convergence_epoch": convergence_epoch(best.test_losses),
        "inference_us_per_row": timed,
    }


def curves_of(best: TrialResult) -> Mapping[str, Sequence[float]]:
    """Training and test loss of the best trial after each epoch."""
    return {"train_losses": best.train_losses, "test_losses": best.test_losses}
