"""Options of the commands around a search."""

from __future__ import annotations

from pydantic import Field

from autoenc.settings.base import NamesOrNone, PathText, Settings, StorageURL

__all__ = [
    "AnalyzeSettings", "CompareSettings", "EncodeSettings", "MergeSettings", "PredictSettings",
    "RepairSettings",
]  # fmt: skip

_KEEP = Field((), description='columns to copy before them, text as it stands in the file, e.g. "id,site"')
_NA_VALUES = Field(
    (),
    description="words and numbers that stand for a missing cell; by default those that the model's table "
    "was read with",
)


class AnalyzeSettings(Settings):
    """Options of ``analyze``."""

    folder: PathText = Field(description="folder of a search", json_schema_extra={"positional": True})
    storage: StorageURL | None = Field(
        None, description="the record, where it is not study.journal in the folder"
    )


class RepairSettings(Settings):
    """Options of ``repair``."""

    folder: str = Field(
        description="folder of a search, or its study.journal or study.db",
        json_schema_extra={"positional": True},
    )


class MergeSettings(Settings):
    """Options of ``merge``."""

    folders: tuple[PathText, ...] = Field(
        min_length=1, description="folders with the shards' records", json_schema_extra={"positional": True}
    )
    output_dir: PathText = Field(description="folder for the joined record and its reports")


class CompareSettings(Settings):
    """Options of ``compare``."""

    folders: tuple[PathText, ...] = Field(
        min_length=1,
        description="folders of searches with different latent sizes",
        json_schema_extra={"positional": True},
    )
    output: PathText | None = Field(
        None,
        description="picture of the best loss against latent size; by default latent_comparison.png in the "
        "(first) folder",
    )


class EncodeSettings(Settings):
    """Options of ``encode``."""

    model: PathText = Field(description="model file, e.g. output/best_model_latent3.pth")
    data_path: PathText = Field("data/stains.csv", description="table to encode, CSV or Parquet")
    na_values: NamesOrNone = _NA_VALUES
    keep: NamesOrNone = _KEEP
    output: PathText = Field(
        "latents.csv",
        description="file for the latent points, a row per row, .csv or .parquet; - for standard output",
    )


class PredictSettings(Settings):
    """Options of ``predict``."""

    model: PathText = Field(description="model file of a transfer-aware search, e.g. best_model.pth")
    data_path: PathText = Field("data/stains.csv", description="table to predict for, CSV or Parquet")
    na_values: NamesOrNone = _NA_VALUES
    keep: NamesOrNone = _KEEP
    output: PathText = Field(
        "predictions.csv",
        description="file for the predictions, a row per row, .csv or .parquet; - for standard output",
    )
