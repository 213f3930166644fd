"""Options of looking at a metric of a search over its hyperparameters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from autoenc.settings.base import PathText, Settings, StorageURL
from autoenc.settings.search import Score

__all__ = ["PivotSettings"]


class PivotSettings(Settings):
    """Options of ``pivot``."""

    folder: PathText = Field(description="folder of a search", json_schema_extra={"positional": True})
    metric: str = Field(
        "loss",
        description="loss, seconds, model_params, epochs, convergence_epoch or another number of a trial",
    )
    rows_: str = Field(
        "num_layers", description="hyperparameter of the rows", json_schema_extra={"flag": "rows"}
    )
    # `columns` in a configuration are those of the table.
    columns_: str = Field(
        "learning_rate", description="hyperparameter of the columns", json_schema_extra={"flag": "columns"}
    )
    aggregate: Literal["mean", "min", "median", "count"] = Field(
        "mean", description="what a cell shows of its trials"
    )
    bins: int = Field(
        6, ge=2, le=50, description="a hyperparameter of more values than this is divided into so many bins"
    )
    score: Score | None = Field(
        None, description='also rank the trials by a weighted score, e.g. "0.8*loss+0.2*time"'
    )
    output: PathText | None = Field(
        None, description="folder for the files; by default analysis/ in the search's"
    )
    storage: StorageURL | None = Field(
        None, description="the record, where it is not study.journal in the folder"
    )
