"""Options that several commands share as they are."""

from __future__ import annotations

from typing import Literal

from pydantic import FiniteFloat

from autoenc.settings.base import NamesOrNone, PathText, Settings, StorageURL
from autoenc.settings.options import option

__all__ = [
    "BudgetSettings", "DeviceSettings", "FolderSettings", "FoldersSettings", "KeepSettings",
    "QuietSettings", "RecordSettings", "ScheduleSettings",
]  # fmt: skip


class QuietSettings(Settings):
    """Whether a command is silent."""

    quiet: bool = option(False, role="display", description="print nothing but warnings and errors")


class DeviceSettings(Settings):
    """What trains."""

    device: Literal["auto", "cuda", "cpu"] = option("auto", role="place", description="where to train")
    engine: Literal["auto", "native", "torch"] = option(
        "auto", role="place", description="native: the compiled CPU engine; torch: the plain reference"
    )


class RecordSettings(Settings):
    """Where the record of an earlier search is."""

    storage: StorageURL | None = option(
        None, role="place", description="the record, where it is not study.journal in the folder"
    )


class FolderSettings(Settings):
    """An earlier search."""

    folder: PathText = option(role="place", words={"positional": True}, description="folder of a search")


class FoldersSettings(Settings):
    """Earlier searches."""

    folders: tuple[PathText, ...] = option(
        role="place", words={"positional": True}, min_length=1, description="output folders"
    )


class KeepSettings(Settings):
    """What goes with the rows that are written."""

    keep: NamesOrNone = option(
        (),
        role="display",
        description='columns to copy before them, text as it stands in the file, e.g. "id,site"',
    )


class BudgetSettings(Settings):
    """How far an adaptive search goes."""

    n_trials: int = option(
        50, role="progress", ge=1, le=1_000_000, description="trials in all, with those of an earlier run"
    )
    timeout_hours: FiniteFloat | None = option(
        None,
        role="progress",
        aliases=["budget_hours"],
        gt=0,
        description="start no new trial after this many hours",
    )


class ScheduleSettings(Settings):
    """What the fits of every search of stacks have in common."""

    eta_min: FiniteFloat = option(
        1e-6, role="training", ge=0, description="learning rate at the end of the cosine schedule"
    )
    min_epochs: int = option(
        16, role="training", ge=1, description="early stopping never stops before this epoch"
    )
    seeds: int = option(1, role="judging", ge=1, le=1000, description="train every stack with so many seeds")
