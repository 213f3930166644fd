"""Options of searching in phases, each from the one before."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from autoenc.settings.base import DISTINCT, SOME, SPLIT, PathText
from autoenc.settings.refine import NarrowingSettings

__all__ = ["PHASES", "Phase", "PhasesSettings"]

Phase = Literal["baseline", "coarse", "fine", "bayesian"]
PHASES: tuple[Phase, ...] = ("baseline", "coarse", "fine", "bayesian")
"""In the order in which they run."""


class PhasesSettings(NarrowingSettings):
    """Options of ``phases``; those of the searches themselves are the experiment's."""

    experiment: PathText = Field(
        description="YAML file with the experiment, e.g. configs/copus.yaml",
        json_schema_extra={"positional": True},
    )
    phases: Annotated[tuple[Phase, ...], SPLIT, SOME, DISTINCT] = Field(
        PHASES, description="which to run, in this order"
    )
    coarse: PathText = Field(
        "configs/hyperparameter_search/coarse_search.yaml", description="search file of the coarse phase"
    )
    bayesian: PathText = Field(
        "configs/hyperparameter_search/bayesian_config.yaml",
        description="search file of the last phase, which searches within the fine ranges instead of its own",
    )
    folds: int = Field(
        0,
        ge=0,
        description="folds of the training rows that judge every phase; by default the experiment's, and 5 "
        "where it has none",
    )
    n_trials: int | None = Field(
        None, ge=1, description="trials of each adaptive phase, instead of what its file says"
    )
    epochs: int | None = Field(None, ge=1, description="epochs of every phase, instead of what its file says")
    output_dir: PathText | None = Field(
        None, description="folder with a folder for each phase; by default the experiment's"
    )
    data_path: PathText | None = Field(None, description="table to learn from, instead of the experiment's")
    jobs: int | None = Field(None, ge=1, description="fits trained at once; by default one a core")
    quiet: bool = Field(False, description="print nothing but warnings and errors")

    def contradictions(self) -> list[tuple[tuple[str, ...], str]]:
        """See :meth:`Settings.contradictions`."""
        return [(("folds",), "--folds must be 0 or at least 2, got 1")] if self.folds == 1 else []
