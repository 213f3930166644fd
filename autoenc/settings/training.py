"""Options of every command that trains: how rows are divided and scaled, what trains, where results go."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from autoenc.settings.base import ColumnName, DataSettings, PathText, StorageURL, available_cores

__all__ = ["TrainingSettings"]


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        whole = parts.hostname and parts.port and text.endswith(f":{parts.port}")
        if parts.scheme in ("tcp", "tls") and whole:
            return text
    except ValueError:  # a port that is no number, or too large
        pass
    raise ValueError(f"must be the address of a Dask scheduler, e.g. tcp://host:8786, got {text!r}")


Address = Annotated[str, AfterValidator(_address)]


class TrainingSettings(DataSettings):
    """What is learned from, with what, and where the results go."""

    stratify: ColumnName | None = Field(None, description="column whose shares every part of the rows keeps")
    group: ColumnName | None = Field(
        None, description="column whose rows stay together on one side of every split"
    )
    scaling: Literal["maxabs", "none", "minmax", "standard", "robust"] = Field(
        "maxabs", description="scaling of the columns, fitted on the training rows; maxabs keeps zeros"
    )
    seed: int = Field(42, ge=0, lt=2**32, description="seed of split, weights, batches and dropout")
    device: Literal["auto", "cuda", "cpu"] = Field("auto", description="where to train")
    engine: Literal["auto", "native", "torch"] = Field(
        "auto", description="native: the compiled CPU engine; torch: the plain reference"
    )
    jobs: int = Field(default_factory=available_cores, ge=1, description="fits trained at once, one a core")
    scheduler: Address | None = Field(
        None, description="train on the Dask cluster of this scheduler, e.g. tcp://host:8786"
    )
    output_dir: PathText = Field("output", description="folder for results")
    storage: StorageURL | None = Field(
        None,
        description="record at this Optuna storage URL, e.g. sqlite:///study.db, instead of study.journal in "
        "the output folder",
    )
    fresh: bool = Field(False, description="start over; the old record is kept under another name")
    quiet: bool = Field(False, description="print nothing but warnings and errors")
