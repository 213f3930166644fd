"""Options of writing a fine search around the best of a coarse one."""

from __future__ import annotations

from typing import Literal

from pydantic import FiniteFloat

from autoenc.settings.base import PathText, Settings
from autoenc.settings.options import again, option
from autoenc.settings.shared import BudgetSettings, RecordSettings
from autoenc.settings.tune import StrategyName

__all__ = ["NarrowingSettings", "RefineSettings"]


class NarrowingSettings(Settings):
    """Options of narrowing ranges around the best trials."""

    top: int | None = option(
        None,
        role="space",
        ge=3,
        description="how many of the best trials count; by default a tenth of them, at least 3",
    )
    margin: FiniteFloat = option(
        0.1,
        role="space",
        ge=0,
        le=1,
        description="room on both sides of what the best span, as a share of the old range",
    )
    widen: FiniteFloat = option(
        2.0,
        role="space",
        ge=1,
        description="where the best trial lies at an end of the old range, that moves by this factor",
    )


class RefineSettings(RecordSettings, NarrowingSettings):
    """Options of ``refine``."""

    from_: PathText = option(role="place", words={"flag": "from"}, description="folder of a coarse search")
    to: PathText = option(role="place", description="YAML file for the fine search, e.g. fine.yaml")
    n_trials: int = again(BudgetSettings, "n_trials", 60, description="trials of the fine search")
    search_method: Literal["bayesian", StrategyName] = option(
        "bayesian", role="space", description="how the fine search chooses its next trial"
    )
    force: bool = option(False, role="progress", description="replace the file if it exists")
