"""Composition of the test loss of the stack that a search keeps, noted in its record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoenc.analysis.cells import cells_document
from autoenc.engines import Recipe, Split, StopFlag, Stopped
from autoenc.engines.explained import explained_by_column
from autoenc.record.fits import FitRecord
from autoenc.report import SearchResults
from autoenc.workflows.job import SearchJob

__all__ = ["made_of", "note_cells"]

_LONGEST_S = 60.0
"""A fit that took longer is not repeated for this."""
_MOST_CELLS = 20_000_000
"""Of the test rows: reconstructions of more take too much memory at once."""


def made_of(
    split: Split, reconstruction: NDArray[np.floating], recipe: Recipe, columns: Sequence[str]
) -> dict[str, Any]:
    """Return what :func:`.cells_document` does, with the explained variance of each column beside it."""
    by_column = explained_by_column(split, lambda rows: reconstruction[np.searchsorted(split.test, rows)])
    return {
        **cells_document(split, reconstruction, recipe, columns),
        "explained_by_column": {
            name: None if np.isnan(share) else share
            for name, share in zip(columns, by_column.tolist(), strict=True)
        },
    }


def note_cells(job: SearchJob, record: FitRecord, results: SearchResults, stop: StopFlag) -> None:
    """Train the chosen stack once more, as the record keeps no parameters, and note what its loss is made of.

    Nothing is noted where that training takes longer than a minute, fails, or is stopped.
    """
    if not results.finished:
        return
    chosen = results.selection.chosen
    fit = chosen.trial.refit(chosen)
    known = fit.digest
    if results.search.get("cells", {}).get("fit") == known or chosen.seconds > _LONGEST_S * len(
        chosen.losses
    ):
        return
    split = job.division.split(fit.fold, fit.recipe.scaling)
    if split.test.size * len(job.table.columns) > _MOST_CELLS:
        return
    try:
        outcome = job.trainer.fit(split, fit, stop)
    except Stopped:
        return
    if outcome.failure is not None or not outcome.state:
        return
    reconstruction = job.engine.reconstruct(split, fit, outcome.state, split.test)
    job.division.let_go()
    split = job.division.passing(fit.fold, fit.recipe.scaling)
    noted = {**made_of(split, reconstruction, fit.recipe, job.table.columns), "fit": known}
    record.note_search({**record.search, "cells": noted})
    results.search["cells"] = noted
