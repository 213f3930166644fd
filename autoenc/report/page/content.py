"""Content of a report, read off the results of a search."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from autoenc.data.given import FRAME
from autoenc.data.read import read_table
from autoenc.errors import InputError
from autoenc.record.runs import FOLDER, read_run
from autoenc.report.page.model_rows import ModelRows, model_rows
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

    @property
    def measure(self) -> str | None:
        """The column of the table by which it is sorted."""
        return next((name for name in ("loss", "value") if name in self.table), None)


def content_of(results: Results, data: Any = None) -> Content:
    """Return everything that is shown of a search.

    Args:
        results: The search.
        data: Rows for the best model, a frame, an array or a path; by default the table that was searched,
            where that is at hand.
    """
    rows, why = _rows(results, data)
    options, table = _options(results), results.leaderboard
    shown = table.dropna(axis="columns", how="all")
    return Content(
        results._title(), _headline(table), [_split(line) for line in results._answer()], shown,
        _curves(results), options, _environment(results), _command(options), rows, why,
    )  # fmt: skip


def _headline(table: pd.DataFrame) -> str:
    """Return the winner and how far the next one is behind, in a sentence or two."""
    measure = next((name for name in ("loss", "value") if name in table), None)
    done = table if measure is None else table[table[measure].notna()]
    if measure is None or done.empty:
        return "Nothing has succeeded yet."
    best, names = done.iloc[0], done["stack"].tolist()
    text = f"{names[0]} is kept, with a {measure} of {best[measure]:.4g}"
    if "parameters" in done and pd.notna(best["parameters"]):
        text += f" and {int(best['parameters']):,} parameters"
    if len(done) > 1 and best[measure] > 0:
        behind = done.iloc[1][measure] / best[measure] - 1
        text += f". Next is {names[1]}, {abs(behind):.1%} {'higher' if behind >= 0 else 'lower'}"
    return f"{text}."


def _split(line: str) -> tuple[str, str]:
    """Return the word in front of a line of an answer, and the rest."""
    parts = re.split(r"\s{2,}", line.rstrip(), maxsplit=1)
    return (parts[0], parts[1]) if len(parts) == 2 else ("", parts[0])


def _curves(results: Any) -> dict[str, list[float]]:
    ranked = getattr(results, "ranked", [])[:_N_CURVES]
    return {
        result.trial.name: [float(loss) for loss in result.test_losses]
        for result in ranked
        if hasattr(result, "test_losses")
    }


def _note(results: Any) -> Mapping[str, Any]:
    """Return what the record of an adaptive search says about it."""
    study = getattr(results, "study", None)
    attributes = {} if study is None else study.user_attrs
    notes = (value for value in attributes.values() if isinstance(value, dict))
    return next((note for note in notes if "settings" in note), {})


def _options(results: Any) -> dict[str, Any]:
    settings = getattr(results, "settings", None)
    options = _note(results).get("settings", {}) if settings is None else settings.model_dump(mode="json")
    return dict(options)


def _environment(results: Any) -> dict[str, Any]:
    search = getattr(results, "search", None) or _note(results)
    environment = dict(search.get("environment", {}))
    names = {"engine", "device", "n_rows", "n_train", "n_test", "fingerprint"}
    return {**{name: search[name] for name in search if name in names}, **environment}


def _command(options: Mapping[str, Any]) -> str | None:
    """Return the command line of the last run in the folder that used these options."""
    folder = Path(str(options.get("output_dir", ""))) / FOLDER
    for path in sorted(folder.glob("*.json"), reverse=True) if folder.is_dir() else []:
        try:
            line = read_run(path).get("command_line")
        except (InputError, OSError):
            continue
        if line:
            return line if isinstance(line, str) else " ".join(map(str, line))
    return None


def _rows(results: Results, data: Any) -> tuple[ModelRows | None, str]:
    try:
        given = _given(results, data)
        if given is None:
            return None, "The table of this search was not found: pass it as data."
        return model_rows(results.best_model(), given), ""
    except (InputError, OSError) as error:
        return None, str(error)


def _given(results: Any, data: Any) -> Any:
    """Return rows as the model takes them, with labels where a file has some."""
    if data is not None and not isinstance(data, str | Path):
        return data
    table = getattr(getattr(results, "source", None), "table", None)
    path = data if data is not None else _options(results).get("data_path", FRAME)
    if data is None and (path == FRAME or not Path(str(path)).is_file()):
        if table is None:
            return None
        values: np.ndarray = table.values
        return values if table.encoding is not None else pd.DataFrame(values, columns=table.columns)
    options = _options(results)
    dialect = Dialect(*map(options.get, Dialect._fields))
    return read_table(str(path), (), options.get("na_values", ()), dialect).frame
