"""Options of the commands around a search."""

from __future__ import annotations

from autoenc.settings.base import DataSettings, NamesOrNone, PathText, ReadingSettings, Settings
from autoenc.settings.options import again, option
from autoenc.settings.shared import FolderSettings, FoldersSettings, KeepSettings, RecordSettings
from autoenc.settings.training import TrainingSettings

__all__ = [
    "AnalyzeSettings", "CompareSettings", "EncodeSettings", "ImputeSettings", "MergeSettings",
    "PredictSettings",
    "RepairSettings",
]  # fmt: skip


class AnalyzeSettings(RecordSettings, FolderSettings):
    """Options of ``analyze``."""


class RepairSettings(Settings):
    """Options of ``repair``."""

    folder: str = again(
        FolderSettings, "folder", description="folder of a search, or its study.journal or study.db"
    )


class MergeSettings(Settings):
    """Options of ``merge``."""

    folders: tuple[PathText, ...] = again(
        FoldersSettings, "folders", description="folders with the shards' records"
    )
    output_dir: PathText = again(
        TrainingSettings, "output_dir", ..., description="folder for the joined record and its reports"
    )


class _ReadSettings(ReadingSettings):
    """Options of reading the rows that a model is shown."""

    na_values: NamesOrNone = again(
        DataSettings,
        "na_values",
        description="words and numbers that stand for a missing cell; by default those that the table of the "
        "model was read with",
    )


class _RowsSettings(KeepSettings, _ReadSettings):
    """Options of reading the rows that a model is shown, and of what is written beside its answer."""


class EncodeSettings(_RowsSettings):
    """Options of ``encode``."""

    model: PathText = option(role="place", description="model file, e.g. output/best_model_latent3.pth")
    data_path: PathText = again(
        DataSettings, "data_path", description="table to encode, of any format that search reads"
    )
    output: PathText = option(
        "latents.csv",
        role="place",
        description="file for the latent points, a row per row, .csv or .parquet; - for standard output",
    )
    error: bool = option(
        False,
        role="display",
        description="write two more columns: each row's reconstruction error, its own loss in scaled units, "
        "and outside, whether its reconstruction is far outside of the range of the training rows",
    )


class ImputeSettings(_ReadSettings):
    """Options of ``impute``."""

    model: PathText = again(
        EncodeSettings, "model", description="model or ensemble file, e.g. output/best_model_latent3.pth"
    )
    data_path: PathText = again(
        DataSettings,
        "data_path",
        ...,
        description="table with missing cells, of any format that search reads",
    )
    output: PathText = again(
        EncodeSettings,
        "output",
        "imputed.csv",
        description="file for the filled table, .csv or .parquet; - for standard output",
    )


class CompareSettings(RecordSettings):
    """Options of ``compare``."""

    folders: tuple[PathText, ...] = again(
        FoldersSettings, "folders", description="folders of searches with different latent sizes"
    )
    output: PathText | None = again(
        EncodeSettings,
        "output",
        None,
        description="picture of the best loss against latent size; by default latent_comparison.png in the "
        "(first) folder",
    )


class PredictSettings(_RowsSettings):
    """Options of ``predict``."""

    model: PathText = again(
        EncodeSettings, "model", description="model file of a transfer-aware search, e.g. best_model.pth"
    )
    data_path: PathText = again(
        DataSettings, "data_path", description="table to predict for, of any format that search reads"
    )
    output: PathText = again(
        EncodeSettings,
        "output",
        "predictions.csv",
        description="file for the predictions, a row per row, .csv or .parquet; - for standard output",
    )
