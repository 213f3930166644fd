"""Options of writing a fine search around the best of a coarse one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FiniteFloat

from autoenc.settings.base import PathText, Settings, StorageURL

__all__ = ["NarrowingSettings", "RefineSettings"]


class NarrowingSettings(Settings):
    """How ranges are drawn around the best trials."""

    top: int | None = Field(
        None, ge=3, description="how many of the best trials count; by default a tenth of them, at least 3"
    )
    margin: FiniteFloat = Field(
        0.1, ge=0, le=1, description="room on both sides of what the best span, as a share of the old range"
    )
    widen: FiniteFloat = Field(
        2.0,
        ge=1,
        description="where the best trial lies at an end of the old range, that moves by this factor",
    )


class RefineSettings(NarrowingSettings):
    """Options of ``refine``."""

    from_: PathText = Field(description="folder of a coarse search", json_schema_extra={"flag": "from"})
    to: PathText = Field(description="YAML file for the fine search, e.g. fine.yaml")
    n_trials: int = Field(60, ge=1, description="trials of the fine search")
    search_method: Literal["bayesian", "tpe", "random", "cmaes", "resilient", "grid"] = Field(
        "bayesian", description="how the fine search chooses its next trial"
    )
    storage: StorageURL | None = Field(
        None, description="the record, where it is not study.journal in the folder"
    )
    force: bool = Field(False, description="replace the file if it exists")
