"""Every option, declared once: name, type, default, bounds and help."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoenc.settings.base import DataSettings, Settings, parse_settings, require_settings
    from autoenc.settings.commands import (
        AnalyzeSettings,
        CompareSettings,
        EncodeSettings,
        ImputeSettings,
        MergeSettings,
        PredictSettings,
        RepairSettings,
    )
    from autoenc.settings.export import ExportSettings
    from autoenc.settings.fit import FitSettings, RaceSettings, search_settings
    from autoenc.settings.phases import PhasesSettings
    from autoenc.settings.pivot import PivotSettings
    from autoenc.settings.refine import RefineSettings
    from autoenc.settings.report import ReportSettings
    from autoenc.settings.runs import RunsDiffSettings, RunsSettings
    from autoenc.settings.search import SearchSettings
    from autoenc.settings.slurm import SlurmSettings
    from autoenc.settings.train_best import TrainBestSettings
    from autoenc.settings.training import ScaledSettings, TrainingSettings
    from autoenc.settings.transfer import TransferSettings
    from autoenc.settings.tune import TuneSettings

__all__ = [
    "AnalyzeSettings", "CompareSettings", "DataSettings", "EncodeSettings", "ImputeSettings",
    "ExportSettings", "MergeSettings", "PredictSettings", "RepairSettings", "ReportSettings",
    "PhasesSettings", "PivotSettings", "RefineSettings", "RunsDiffSettings", "RunsSettings",
    "FitSettings", "RaceSettings", "SearchSettings", "search_settings", "Settings", "TrainBestSettings",
    "ScaledSettings", "TrainingSettings", "SlurmSettings", "TransferSettings", "TuneSettings",
    "parse_settings", "require_settings",
]  # fmt: skip

_NAMES = {
    "base": ("DataSettings", "Settings", "parse_settings", "require_settings"),
    "commands": ("AnalyzeSettings", "CompareSettings", "EncodeSettings", "ImputeSettings",
        "MergeSettings", "PredictSettings", "RepairSettings"),
    "export": ("ExportSettings",),
    "fit": ("FitSettings", "RaceSettings", "search_settings"),
    "phases": ("PhasesSettings",),
    "pivot": ("PivotSettings",),
    "refine": ("RefineSettings",),
    "report": ("ReportSettings",),
    "runs": ("RunsDiffSettings", "RunsSettings"),
    "search": ("SearchSettings",),
    "slurm": ("SlurmSettings",),
    "train_best": ("TrainBestSettings",),
    "training": ("ScaledSettings", "TrainingSettings"),
    "transfer": ("TransferSettings",),
    "tune": ("TuneSettings",),
}  # fmt: skip
_HOMES = {name: home for home, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what is asked for: declaring the options of all commands takes longer than most commands."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
