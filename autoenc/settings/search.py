"""Options of the exhaustive search."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator

from autoenc.models.grid import ArchitectureGrid
from autoenc.settings.base import LatentSizes, Widths
from autoenc.settings.options import option
from autoenc.settings.recipes import RecipeSettings
from autoenc.settings.scores import parse_score
from autoenc.settings.shards import parse_shard
from autoenc.settings.shared import ScheduleSettings
from autoenc.settings.training import TrainingSettings
from autoenc.settings.trust import EnsembleSettings, FinalistSettings, WarmStartSettings

__all__ = ["SearchSettings"]

MOST_FITS = 10_000_000


def _shard(text: str) -> str:
    parse_shard(text)
    return text


def _score(text: str) -> str:
    parse_score(text)
    return text


Score = Annotated[str, AfterValidator(_score)]
Shard = Annotated[str, AfterValidator(_shard)]


class SearchSettings(
    RecipeSettings, ScheduleSettings, WarmStartSettings, EnsembleSettings, FinalistSettings, TrainingSettings
):
    """Options of the exhaustive search."""

    _instead: ClassVar = {
        "pruner": "--strategy halving drops the worse stacks after few epochs, --patience ends a fit early",
        "families": "`autoenc tune --families ae,dae,vae` searches several families",
        "timeout_hours": "`timeout --signal=INT 2h autoenc search ...` stops it in order, and the same "
        "command goes on",
        "plot": "its pictures are always drawn",
        "resume": "the same command goes on where it was",
        "n_trials": "`autoenc tune` makes a number of trials; --strategy halving trains few in full",
    }

    latent_dim: LatentSizes = option(
        (3,),
        role="training",
        description='size of the latent space; several, e.g. "2,3,4,8", are searched in turn',
    )
    hidden_dims_search: Widths = option(
        (16, 32, 64, 128), role="space", description='hidden widths to combine, e.g. "16,32,64"'
    )
    max_layers: int = option(3, role="space", ge=1, description="largest number of hidden layers")
    strategy: Literal["grid", "halving"] = option(
        "grid",
        role="space",
        description="grid: all stacks in full; halving: all briefly, the better third for longer",
    )
    folds: int = option(
        0,
        role="judging",
        aliases=["n_cv_folds"],
        ge=0,
        description="choose by cross-validation with so many folds of the training rows; 0: by the test rows",
    )
    select: Literal["best", "one_se", "pareto_knee"] = option(
        "best",
        role="judging",
        description="which stack is kept: lowest loss, smallest within one standard error, or the knee",
    )
    score: Score | None = option(
        None,
        role="judging",
        description='keep the stack with the lowest weighted score instead, e.g. "0.8*loss+0.2*time"',
    )
    refit: Literal["train", "all"] = option(
        "train",
        role="place",
        description="what the best model learns from once its test loss is known: training rows or all rows",
    )
    save_models: bool = option(False, role="place", needs="output_dir", description="save the best model")
    retry_failed: bool = option(
        False, role="progress", description="train the stacks again that failed before"
    )
    shard: Shard | None = option(
        None,
        role="progress",
        needs="output_dir",
        description="train one of N parts, i/N with i from 0; by default what a SLURM array task says",
    )
    dry_run: bool = option(
        False,
        role="progress",
        needs="command line",
        description="print the plan and an estimate of the time, and stop",
    )
    verify: int = option(
        0,
        role="progress",
        needs="command line",
        ge=0,
        description="train this many stacks with the engine and with torch, print how they differ, and stop",
    )
    verbose: bool = option(False, role="display", description="print a line per stack")

    def contradictions(self) -> list[tuple[tuple[str, ...], str]]:
        """See :meth:`Settings.contradictions`."""
        problems: list[tuple[tuple[str, ...], str]] = []
        lowest = min(self.initial_lr)
        if self.eta_min > lowest:
            text = f"--eta_min must not be above --initial_lr, got {self.eta_min:g} and {lowest:g}"
            problems.append((("eta_min", "initial_lr"), text))
        problems += self.engine_contradictions()
        if self.score is not None and self.select != "best":
            problems.append((("select", "score"), "--score decides by itself; leave out --select"))
        if self.finalists > 1 and (self.select != "best" or self.score is not None):
            text = "--finalists decides by itself; leave out --select and --score"
            problems.append((("finalists", "select", "score"), text))
        if self.strategy == "halving" and self.shard is not None:
            text = "--strategy halving needs all results to go on and cannot be divided with --shard"
            problems.append((("strategy", "shard"), text))
        if self.strategy == "halving" and len(self.epochs) > 1:
            text = "--strategy halving cuts all trials to the same epochs; give one value of --epochs"
            problems.append((("strategy", "epochs"), text))
        if self.warm_start and "pca" in self.start:
            text = "--warm_start begins from the parent's trained layers, and --start pca from PCA; give one"
            problems.append((("warm_start", "start"), text))
        if self.ensemble and len(self.scaling) > 1:
            text = "--ensemble averages models of one scaling; give one value of --scaling"
            problems.append((("ensemble", "scaling"), text))
        n_trials = self.grid.n_stacks * len(self.recipes())
        n_warm = (self.grid.n_stacks - len(self.grid.widths)) * len(self.recipes()) * self.warm_start
        n_fits = (n_trials + n_warm) * max(self.folds, 1) * self.seeds
        if n_fits > MOST_FITS:
            text = (
                f"--max_layers {self.max_layers} with these widths and recipes makes {n_fits:,} fits; "
                f"at most {MOST_FITS:,} can be searched, so give fewer layers or widths"
            )
            problems.append((("hidden_dims_search", "max_layers", "folds", "seeds"), text))
        if self.folds == 1:
            problems.append((("folds",), "--folds must be 0 or at least 2, got 1"))
        if self.seed + self.seeds > 2**32:
            problems.append((("seed", "seeds"), "--seed and --seeds together must stay below 2**32"))
        if self.quiet and self.verbose:
            problems.append((("quiet", "verbose"), "--quiet and --verbose exclude each other"))
        problems += self.warm_start_contradictions(self.strategy, self.max_layers)
        n_compared = n_trials + n_warm * self.compare_warm
        problems += self.ensemble_contradictions(n_compared, self.folds, self.seeds)
        problems += self.finalist_contradictions(self.folds)
        return problems

    @property
    def latent_size(self) -> int:
        """The latent size of a search for one; :meth:`for_each_latent_size` gives those of several."""
        (size,) = self.latent_dim
        return size

    def for_each_latent_size(self) -> list[SearchSettings]:
        """Return the same search for each latent size alone."""
        return [self.model_copy(update={"latent_dim": (size,)}) for size in self.latent_dim]

    @property
    def grid(self) -> ArchitectureGrid:
        """The stacks."""
        return ArchitectureGrid(self.hidden_dims_search, self.max_layers)

    @property
    def factors(self) -> dict[str, tuple[Any, ...]]:
        """Options of the recipe that were given several values."""
        return {**self.varied, "warm_start": (False, True)} if self.compare_warm else self.varied
