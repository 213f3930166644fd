"""Options of every command that trains: how rows are divided and scaled, what trains, where results go."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator

from autoenc.engines.recipe import ScalingKind
from autoenc.settings.base import ColumnName, DataSettings, PathText, StorageURL, available_cores
from autoenc.settings.options import again, option
from autoenc.settings.shared import DeviceSettings, QuietSettings, RecordSettings

__all__ = ["ScaledSettings", "TrainingSettings", "parse_address"]


def parse_address(text: str) -> str:
    """Return the address of a Dask scheduler, as it is given.

    Raises:
        ValueError: If it is no address with a port, e.g. ``tcp://host:8786``.
    """
    try:
        parts = urlsplit(text)
        whole = parts.hostname and parts.port and text.endswith(f":{parts.port}")
        if parts.scheme in ("tcp", "tls") and whole:
            return text
    except ValueError:  # a port that is no number, or too large
        pass
    raise ValueError(f"must be the address of a Dask scheduler, e.g. tcp://host:8786, got {text!r}")


Address = Annotated[str, AfterValidator(parse_address)]


class TrainingSettings(QuietSettings, DeviceSettings, DataSettings):
    """Options of data, engine and output of every command that trains."""

    encode: bool = option(
        False,
        role="data",
        description="learn from truth values, dates and categories, too, and leave out what identifies rows, "
        "is free text, constant or there twice",
    )
    max_categories: int = option(
        20,
        role="data",
        ge=2,
        le=1000,
        description="with --encode: text of so many different words at most is a column of categories",
    )
    stratify: ColumnName | None = option(
        None, role="judging", description="column whose shares every part of the rows keeps"
    )
    group: ColumnName | None = option(
        None, role="judging", description="column whose rows stay together on one side of every split"
    )
    seed: int = option(
        42, role="judging", ge=0, lt=2**32, description="seed of split, weights, batches and dropout"
    )
    jobs: int = option(
        role="place",
        aliases=["n_jobs"],
        default_factory=available_cores,
        ge=1,
        description="cores to train on: so many fits at once; a large network also takes cores that are free",
    )
    scheduler: Address | None = option(
        None, role="place", description="train on the Dask cluster of this scheduler, e.g. tcp://host:8786"
    )
    output_dir: PathText = option("output", role="place", description="folder for results")
    storage: StorageURL | None = again(
        RecordSettings,
        "storage",
        needs="output_dir",
        description="record at this Optuna storage URL, e.g. sqlite:///study.db, instead of study.journal in "
        "the output folder",
    )
    track: Literal["mlflow", "tensorboard", "wandb"] | None = option(
        None,
        role="place",
        needs="output_dir",
        description="log each fit, pictures and the model to this tracking server, once; mlflow and "
        "tensorboard log to the output folder unless told otherwise",
    )
    fresh: bool = option(
        False,
        role="progress",
        needs="output_dir",
        description="start over; the old record is kept under another name",
    )


class ScaledSettings(TrainingSettings):
    """The same with one scaling for all that is trained."""

    scaling: ScalingKind = option(
        "maxabs",
        role="judging",
        description="scaling of the columns, fitted on the training rows; maxabs keeps zeros; floored "
        "standardizes, with no scale below a tenth of a column's range; log1p "
        "and quantile bend long tails, auto does where a column has one",
    )
