"""Options of ``export``."""

from __future__ import annotations

from typing import Literal

from autoenc.settings.base import DataSettings, NamesOrNone, PathText, ReadingSettings
from autoenc.settings.commands import EncodeSettings
from autoenc.settings.options import again, option

__all__ = ["ExportSettings"]


class ExportSettings(ReadingSettings):
    """Options of ``export``."""

    model: PathText = again(EncodeSettings, "model")
    output: PathText | None = again(
        EncodeSettings,
        "output",
        None,
        description="file for other programs, e.g. model.onnx; - for standard output",
    )
    format: Literal["onnx", "safetensors", "torch"] | None = option(
        None,
        role="display",
        description="onnx: a graph with raw rows in and out; torch: the same as a torch.export program; "
        "safetensors: the parameters with a description; by default what the suffix of --output says",
    )
    card: PathText | None = option(
        None,
        role="place",
        description="file for a model card, Markdown: data, recipe, quality, limits; - for standard output",
    )
    data_path: PathText | None = again(
        DataSettings,
        "data_path",
        None,
        description="table on which the card measures the quality of each column",
    )
    na_values: NamesOrNone = again(EncodeSettings, "na_values")
