"""Options of looking at a metric of a search over its hyperparameters."""

from __future__ import annotations

from typing import Literal

from autoenc.settings.base import PathText
from autoenc.settings.commands import EncodeSettings
from autoenc.settings.options import again, option
from autoenc.settings.search import Score, SearchSettings
from autoenc.settings.shared import FolderSettings, RecordSettings

__all__ = ["PivotSettings"]


class PivotSettings(RecordSettings, FolderSettings):
    """Options of ``pivot``."""

    metric: str = option(
        "loss",
        role="display",
        description="loss, seconds, model_params, epochs, convergence_epoch or another number of a trial",
    )
    rows_: str = option(
        "num_layers", role="display", words={"flag": "rows"}, description="hyperparameter of the rows"
    )
    # `columns` in a configuration are those of the table.
    columns_: str = option(
        "learning_rate",
        role="display",
        words={"flag": "columns"},
        description="hyperparameter of the columns",
    )
    aggregate: Literal["mean", "min", "median", "count"] = option(
        "mean", role="display", description="what a cell shows of its trials"
    )
    bins: int = option(
        6,
        role="display",
        ge=2,
        le=50,
        description="a hyperparameter of more values than this is divided into so many bins",
    )
    score: Score | None = again(
        SearchSettings,
        "score",
        None,
        description='also rank the trials by a weighted score, e.g. "0.8*loss+0.2*time"',
    )
    output: PathText | None = again(
        EncodeSettings,
        "output",
        None,
        description="folder for the files; by default analysis/ in the search's",
    )
