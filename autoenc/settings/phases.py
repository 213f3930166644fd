"""Options of searching in phases, each from the one before."""

from __future__ import annotations

from typing import Annotated, Literal

from autoenc.settings.base import DISTINCT, SOME, SPLIT, DataSettings, PathText
from autoenc.settings.options import again, option
from autoenc.settings.refine import NarrowingSettings
from autoenc.settings.search import SearchSettings
from autoenc.settings.shared import BudgetSettings, QuietSettings
from autoenc.settings.training import TrainingSettings
from autoenc.settings.tune import TuneSettings

__all__ = ["PHASES", "Phase", "PhasesSettings"]

Phase = Literal["baseline", "coarse", "fine", "bayesian"]
PHASES: tuple[Phase, ...] = ("baseline", "coarse", "fine", "bayesian")
"""In the order in which they run."""


class PhasesSettings(QuietSettings, NarrowingSettings):
    """Options of ``phases``; those of the searches themselves are the experiment's."""

    @classmethod
    def instead_of(cls, name: str) -> str | None:
        """See :meth:`Settings.instead_of`."""
        if name in ("shard", "storage"):
            return (
                "each phase begins from the one before it and keeps its own record; --jobs uses more cores, "
                "and `scheduler: ...` in the experiment's file a cluster"
            )
        if name in SearchSettings.model_fields or name in TuneSettings.model_fields:
            return f"it belongs to the searches: write `{name}: ...` into the experiment's file"
        return None

    experiment: PathText = option(
        role="place",
        words={"positional": True},
        description="YAML file with the experiment, e.g. configs/copus.yaml",
    )
    phases: Annotated[tuple[Phase, ...], SPLIT, SOME, DISTINCT] = option(
        PHASES, role="progress", description="which to run, in this order"
    )
    coarse: PathText | None = option(
        None,
        role="space",
        description="search file of the coarse phase; by default the one that comes along",
    )
    bayesian: PathText | None = option(
        None,
        role="space",
        description="search file of the last phase, which searches within the fine ranges and not its own; "
        "by default the one that comes along",
    )
    folds: int = again(
        SearchSettings,
        "folds",
        0,
        description="folds of the training rows that judge every phase; by default the experiment's, and 5 "
        "where it has none",
    )
    n_trials: int | None = again(
        BudgetSettings,
        "n_trials",
        None,
        description="trials of each adaptive phase, instead of what its file says",
    )
    epochs: int | None = again(
        SearchSettings, "epochs", None, description="epochs of every phase, instead of what its file says"
    )
    fresh: bool = again(
        TrainingSettings,
        "fresh",
        description="start over with every phase that runs; the old records and fine.yaml are kept under "
        "other names",
    )
    dry_run: bool = again(
        SearchSettings, "dry_run", description="print the plan of each phase with an estimate, and stop"
    )
    output_dir: PathText | None = again(
        TrainingSettings,
        "output_dir",
        None,
        description="folder with a folder for each phase; by default the experiment's",
    )
    data_path: PathText | None = again(
        DataSettings, "data_path", None, description="table to learn from, instead of the experiment's"
    )
    jobs: int | None = again(
        TrainingSettings, "jobs", None, description="fits trained at once; by default one a core"
    )

    def contradictions(self) -> list[tuple[tuple[str, ...], str]]:
        """See :meth:`Settings.contradictions`."""
        return [(("folds",), "--folds must be 0 or at least 2, got 1")] if self.folds == 1 else []
