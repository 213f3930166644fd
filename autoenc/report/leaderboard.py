"""The stacks of a search as a table, best first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoenc.report.finalists import insert_finalists
from autoenc.report.results import SearchResults
from autoenc.searching.trials import TrialResult

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["leaderboard"]


def leaderboard(results: SearchResults) -> pd.DataFrame:
    """Return a row for each stack that is trained, best first; failed ones last.

    Columns:
        ``stack`` (hidden widths, e.g. ``64-32``, or ``PCA``); a column for each option of the recipe that
        varies; ``loss`` (mean over folds and seeds) and its ``standard_error``; with finalists
        ``finalist_mean`` and ``finalist_standard_error`` over these and all further folds; ``tied`` (whether
        no stack is shown to be better; missing where that was not tested); ``explained`` variance;
        ``train_loss``; ``parameters``; ``n_layers``; ``n_fits``; ``seconds`` of training; ``failure`` (why it
        failed, else missing).

    Args:
        results: The search.
    """
    import pandas as pd

    tied: list[TrialResult] | None = results.selection.tied if results.finished else None
    rows = [_row(results, result, tied) for result in [*results.ranked, *results.failed]]
    factors = [_column(name) for name in results.trials[0].factors] if results.trials else []
    names = [
        "stack", *factors, "loss", "standard_error", "tied", "explained", "train_loss", "parameters",
        "n_layers", "n_fits", "seconds", "failure",
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=names)
    table.index = pd.RangeIndex(1, len(table) + 1, name="rank")
    numbers = dict.fromkeys(("loss", "standard_error", "explained", "train_loss"), float)
    table = table.astype({"tied": "boolean", **numbers})
    if results.judged_again is not None:
        finalists = results.judged_again.standing.finalists()
        insert_finalists(table, finalists, range(len(table)))
    return table


def _column(factor: str) -> str:
    """Return the column of an option; ``loss`` is what all stacks are compared by."""
    return "loss_kind" if factor == "loss" else factor


def _row(results: SearchResults, result: TrialResult, tied: list[TrialResult] | None) -> dict[str, Any]:
    trial, failed = result.trial, result.failure is not None
    known: dict[str, Any] = {
        "stack": "PCA" if trial.recipe.is_pca else "-".join(map(str, trial.architecture)),
        **{_column(name): value for name, value in trial.varied.items()},
        "parameters": results.n_parameters(trial),
        "n_layers": len(trial.architecture),
        "n_fits": len(result.outcomes),
        "failure": result.failure,
    }
    if failed:
        return known
    return {
        **known,
        "loss": result.loss,
        "standard_error": result.standard_error,
        "tied": None if tied is None else any(result.trial == other.trial for other in tied),
        "explained": result.explained,
        "train_loss": result.final_train_loss,
        "seconds": result.seconds,
    }
