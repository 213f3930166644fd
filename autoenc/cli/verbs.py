"""The commands of the program."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from autoenc.system.startup import memory_is_limited
from autoenc.system.trouble import require_room

if TYPE_CHECKING:
    from autoenc.settings import Settings

__all__ = ["COMMANDS", "Command"]

_TRAINS, _TORCH = 1000, 1400


class Command(NamedTuple):
    """A command: its help, its options, and where its function is, named so that only what runs is imported.

    Attributes:
        help: A line for ``--help``.
        options: The class of its options, in :mod:`autoenc.settings`.
        function: ``module:name`` among the commands.
        passes_on: Whether it is given its options as they were typed, too.
        memory_mib: What its libraries take before anything is read, in MiB of addresses.
    """

    help: str
    options: str
    function: str
    passes_on: bool = False
    memory_mib: int = 600

    @property
    def settings(self) -> type[Settings]:
        """Its options."""
        settings: type[Settings] = getattr(import_module("autoenc.settings"), self.options)
        return settings

    def run(self, settings: Any, words: Sequence[str]) -> int:
        """Run it; returns the exit code."""
        if memory_is_limited():  # where it ends while they load, libraries end the process as they please
            require_room(self.memory_mib * 2**20, "this command")
        module, _, name = self.function.partition(":")
        function = getattr(import_module(f"autoenc.commands.{module}"), name)
        code: int = function(settings, words) if self.passes_on else function(settings)
        return code


COMMANDS = {
    "fit": Command(
        "choose stack and recipe for a table within some seconds, and save the model",
        "FitSettings",
        "fit:fit",
        memory_mib=_TORCH,
    ),
    "search": Command(
        "train every hidden-layer stack and show the best",
        "SearchSettings",
        "search:search",
        memory_mib=_TRAINS,
    ),
    "tune": Command("search stacks and recipes adaptively", "TuneSettings", "tune:tune", memory_mib=_TRAINS),
    "train-best": Command(
        "train the best trial of a search in full",
        "TrainBestSettings",
        "train_best:train_best",
        memory_mib=_TORCH,
    ),
    "analyze": Command(
        "show a search, also while it runs, and rebuild its reports", "AnalyzeSettings", "analyze:analyze"
    ),
    "compare": Command("draw the best loss against the latent size", "CompareSettings", "compare:compare"),
    "pivot": Command(
        "draw a metric over two hyperparameters, importances, and a ranking by a score",
        "PivotSettings",
        "pivot:pivot",
    ),
    "refine": Command(
        "write a fine search around the best of a coarse one", "RefineSettings", "refine:refine"
    ),
    "phases": Command(
        "search in phases: baseline, coarse, fine, bayesian, each from the one before",
        "PhasesSettings",
        "phases:phases",
        memory_mib=_TRAINS,
    ),
    "repair": Command(
        "write a damaged record anew, with all of it that holds", "RepairSettings", "repair:repair"
    ),
    "merge": Command("join the records of shards", "MergeSettings", "merge:merge"),
    "transfer": Command(
        "choose the autoencoder by what it is worth to predictions on labelled rows",
        "TransferSettings",
        "transfer:transfer",
        memory_mib=_TORCH,
    ),
    "slurm": Command("search as a SLURM job array", "SlurmSettings", "slurm:slurm", passes_on=True),
    "encode": Command(
        "write the latent points of a table's rows", "EncodeSettings", "encode:encode", memory_mib=_TORCH
    ),
    "impute": Command(
        "fill the missing cells of a table", "ImputeSettings", "impute:impute", memory_mib=_TORCH
    ),
    "predict": Command(
        "write what heads predict for a table's rows", "PredictSettings", "encode:predict", memory_mib=_TORCH
    ),
    "export": Command(
        "write a model for other programs: ONNX, torch.export, safetensors; and a model card",
        "ExportSettings",
        "export:export",
        memory_mib=_TORCH,
    ),
    "report": Command(
        "write one HTML file with all that the searches of a folder found",
        "ReportSettings",
        "report:report",
        memory_mib=_TORCH,
    ),
    "runs": Command("list earlier runs of some folders", "RunsSettings", "runs:runs"),
    "runs diff": Command("show what differs between two runs", "RunsDiffSettings", "runs:runs_diff"),
}
