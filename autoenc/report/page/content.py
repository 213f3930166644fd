"""Content of a report, read off the results of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from autoenc.data.given import FRAME
from autoenc.data.read import read_table
from autoenc.errors import InputError
from autoenc.report.notebook import parted
from autoenc.report.page.headline import Kept, headline, kept_of
from autoenc.report.page.model_rows import ModelRows, model_rows
from autoenc.report.page.provenance import provenance_of
from autoenc.report.words import percent, value_word
from autoenc.settings.dialects import Dialect

if TYPE_CHECKING:
    from autoenc.report.base import Results

__all__ = ["Content", "content_of"]

_N_CURVES = 10


@dataclass(frozen=True)
class Content:
    """A search.

    Attributes:
        title: What was searched.
        headline: What won, and by how much.
        answer: What was found: a word, and what there is to say.
        table: What was tried, a row each, best first.
        curves: Loss after each epoch of the best stacks, by name.
        options: By name.
        environment: By name.
        command: What was typed; None where that is not known.
        rows: What the best model makes of rows; None where there are none.
        without_rows: Why not.
        kept: What it keeps, for a table of latent sizes; None where it has no size of its own.
        by: What stacks are compared by, ``loss`` or ``explained`` variance.
    """

    title: str
    headline: str
    answer: list[tuple[str, str]]
    table: pd.DataFrame
    curves: dict[str, list[float]]
    options: dict[str, Any]
    environment: dict[str, Any]
    command: str | None
    rows: ModelRows | None = None
    without_rows: str = ""
    kept: Kept | None = None
    by: str = "loss"

    @property
    def words(self) -> frozenset[str]:
        """The columns of the table that hold words, such as stacks: its filter looks at these."""
        return frozenset(str(name) for name, dtype in self.table.dtypes.items() if dtype.kind not in "iuf")

    @property
    def has_curves(self) -> bool:
        """Whether there is more to draw than one point."""
        return sum(map(len, self.curves.values())) > 1

    @property
    def measure(self) -> str | None:
        """The column of the table by which it is sorted."""
        return next((name for name in ("loss", "value") if name in self.table), None)

    @property
    def measure_in_words(self) -> str | None:
        """What that column holds."""
        return self.measure if self.by == "loss" else value_word(self.by)


def content_of(results: Results, data: Any = None, folder: Path | None = None) -> Content:
    """Return everything that is shown of a search.

    Args:
        results: The search.
        data: Rows for the best model, a frame, an array or a path; by default the table that was searched,
            where that is at hand.
        folder: Its files, where they are not at the ``output_dir`` of its options.
    """
    made = provenance_of(results, folder)
    rows, why = _rows(results, data, made.options)
    shown = results._shown_table().dropna(axis="columns", how="all")
    return Content(
        results._title(), headline(results), [parted(line) for line in results._answer()], shown,
        _curves(results), made.options, {**_profile(rows), **made.environment}, made.command, rows, why,
        kept_of(results), getattr(getattr(results, "settings", None), "measure", "loss"),
    )  # fmt: skip


def _profile(rows: ModelRows | None) -> dict[str, Any]:
    """Return what is known of the table itself."""
    if rows is None:
        return {}
    columns = rows.quality.columns
    missing = sum(column.missing for column in columns) / len(columns)
    return {"n_rows": rows.n_rows, "n_columns": len(columns), "missing_cells": percent(missing)}


def _curves(results: Any) -> dict[str, list[float]]:
    ranked = getattr(results, "ranked", [])[:_N_CURVES]
    return {
        result.trial.name: [float(loss) for loss in result.test_losses]
        for result in ranked
        if hasattr(result, "test_losses")
    }


def _rows(results: Results, data: Any, options: Mapping[str, Any]) -> tuple[ModelRows | None, str]:
    if not results.is_of_table:
        return None, "A search of torch modules knows neither latent points nor columns."
    try:
        given = _given(results, data, options)
        if given is None:
            return None, "The table of this search was not found: name it by --data_path, in Python as data."
        return model_rows(results.best_model(), given), ""
    except (InputError, OSError) as error:
        return None, str(error)


def _given(results: Any, data: Any, options: Mapping[str, Any]) -> Any:
    """Return rows as the model takes them, with labels where a file has some."""
    if data is not None and not isinstance(data, str | Path):
        return data
    table = getattr(getattr(results, "source", None), "table", None)
    path = data if data is not None else options.get("data_path", FRAME)
    if data is None and (path == FRAME or not Path(str(path)).is_file()):
        if table is None:
            return None
        values = np.asarray(table.values)
        return values if table.encoding is not None else pd.DataFrame(values, columns=table.columns)
    dialect = Dialect(*map(options.get, Dialect._fields))
    return read_table(str(path), (), options.get("na_values", ()), dialect).frame
