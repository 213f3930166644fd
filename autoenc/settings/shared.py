"""Options that several commands share as they are."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, FiniteFloat

from autoenc.engines import EngineName
from autoenc.settings.base import NamesOrNone, PathText, Settings, StorageURL
from autoenc.settings.options import option

__all__ = [
    "BudgetSettings", "DeviceSettings", "FolderSettings", "FoldersSettings", "KeepSettings",
    "QuietSettings", "RecordSettings", "ScheduleSettings",
]  # fmt: skip


def _device(text: str) -> str:
    if text in ("auto", "cpu", "cuda") or re.fullmatch(r"cuda:\d{1,4}", text):
        return text
    raise ValueError(f"must be one of 'auto', 'cuda' or 'cpu', or a device such as 'cuda:1', got {text!r}")


Device = Annotated[str, AfterValidator(_device)]


class QuietSettings(Settings):
    """The option to be silent."""

    quiet: bool = option(False, role="display", description="print nothing but warnings and errors")


class DeviceSettings(Settings):
    """Options of the device and the engine."""

    device: Device = option(
        "auto", role="place", description="where to train: auto, cpu, cuda, or one GPU of several as cuda:1"
    )
    engine: EngineName = option(
        "auto",
        role="place",
        description="native: the compiled CPU engine; stacked: many fits at once, for a GPU; stacked_tf32: "
        "it with products rounded to three digits, faster on wide stacks; torch: the plain reference",
    )

    def engine_contradictions(self) -> list[tuple[tuple[str, ...], str]]:
        """Return why engine and device do not go together; see :meth:`Settings.contradictions`."""
        if self.engine == "native" and self.device.startswith("cuda"):
            text = f"--engine native trains on the CPU only; with --device {self.device} use --engine stacked"
            return [(("engine", "device"), text)]
        return []


class RecordSettings(Settings):
    """The option that names the record of an earlier search."""

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
    """Options of what is written beside rows."""

    keep: NamesOrNone = option(
        (),
        role="display",
        description='columns to copy before them, text as it stands in the file, e.g. "id,site"',
    )


class BudgetSettings(Settings):
    """Options of the budget of an adaptive search."""

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
    """Options of the fits of every search of stacks."""

    eta_min: FiniteFloat = option(
        1e-6, role="training", ge=0, description="learning rate at the end of the cosine schedule"
    )
    min_epochs: int = option(
        16, role="training", ge=1, description="early stopping never stops before this epoch"
    )
    seeds: int = option(1, role="judging", ge=1, le=1000, description="train every stack with so many seeds")
