"""Options of the exhaustive search."""

from __future__ import annotations

from itertools import product
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, FiniteFloat

from autoenc.engines.contract import Activation, Recipe
from autoenc.models.grid import ArchitectureGrid
from autoenc.settings.base import (
    Dropouts,
    LatentSizes,
    Norms,
    WeightDecays,
    Widths,
)
from autoenc.settings.scores import parse_score
from autoenc.settings.shards import parse_shard
from autoenc.settings.training import TrainingSettings
from autoenc.settings.trust import EnsembleSettings, WarmStartSettings

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


class SearchSettings(WarmStartSettings, EnsembleSettings, TrainingSettings):
    """Options of the exhaustive search."""

    latent_dim: LatentSizes = Field(
        (3,), description='size of the latent space; several, e.g. "2,3,4,8", are searched in turn'
    )
    hidden_dims_search: Widths = Field(
        (16, 32, 64, 128), description='hidden widths to combine, e.g. "16,32,64"'
    )
    max_layers: int = Field(3, ge=1, description="largest number of hidden layers")
    epochs: int = Field(20, ge=1, description="passes over the training rows")
    batch_size: int = Field(32, ge=1, description="rows of a training step")
    initial_lr: FiniteFloat = Field(1e-3, gt=0, description="learning rate of the first epoch")
    eta_min: FiniteFloat = Field(1e-6, ge=0, description="learning rate at the end of the cosine schedule")
    strategy: Literal["grid", "halving"] = Field(
        "grid", description="grid: all stacks in full; halving: all briefly, the better third for longer"
    )
    patience: int = Field(
        0,
        ge=0,
        description="stop a fit after so many epochs without a lower test loss and keep its best; 0: never",
    )
    min_epochs: int = Field(16, ge=1, description="early stopping never stops before this epoch")
    folds: int = Field(
        0,
        ge=0,
        description="choose by cross-validation with so many folds of the training rows; 0: by the test rows",
    )
    seeds: int = Field(1, ge=1, le=1000, description="train every stack with so many seeds")
    select: Literal["best", "one_se", "pareto_knee"] = Field(
        "best",
        description="which stack is kept: lowest loss, smallest within one standard error, or the knee",
    )
    score: Score | None = Field(
        None, description='keep the stack with the lowest weighted score instead, e.g. "0.8*loss+0.2*time"'
    )
    weight_decay: WeightDecays = Field(
        (1e-4,), description='weight decay of AdamW; several, e.g. "0,1e-4", multiply the grid'
    )
    dropout: Dropouts = Field(
        (0.1,),
        description='probability that a hidden unit is dropped; several, e.g. "0,0.1,0.2", multiply the grid',
    )
    activation: Activation = Field("relu", description="activation of the hidden layers")
    norm: Norms = Field(
        ("layer",), description='normalization of the layers, layer or none; "layer,none" multiplies the grid'
    )
    save_models: bool = Field(False, description="save the best model")
    retry_failed: bool = Field(False, description="train the stacks again that failed before")
    shard: Shard | None = Field(
        None,
        description="train one of N parts, i/N with i from 0; by default what a SLURM array task says",
    )
    dry_run: bool = Field(False, description="print the plan and an estimate of the time, and stop")
    verify: int = Field(
        0, ge=0, description="train this many stacks with both engines, print how they differ, and stop"
    )
    verbose: bool = Field(False, description="print a line per stack")

    def contradictions(self) -> list[tuple[tuple[str, ...], str]]:
        """See :meth:`Settings.contradictions`."""
        found: list[tuple[tuple[str, ...], str]] = []
        if self.eta_min > self.initial_lr:
            text = f"--eta_min must not be above --initial_lr, got {self.eta_min:g} and {self.initial_lr:g}"
            found.append((("eta_min", "initial_lr"), text))
        if self.engine == "native" and self.device == "cuda":
            text = "--engine native trains on the CPU only; with --device cuda use --engine torch"
            found.append((("engine", "device"), text))
        if self.score is not None and self.select != "best":
            found.append((("select", "score"), "--score decides by itself; leave out --select"))
        if self.strategy == "halving" and self.shard is not None:
            text = "--strategy halving needs all results to go on and cannot be divided with --shard"
            found.append((("strategy", "shard"), text))
        n_trials = self.grid.n_stacks * len(self.recipes())
        n_warm = (self.grid.n_stacks - len(self.grid.widths)) * len(self.recipes()) * self.warm_start
        n_fits = (n_trials + n_warm) * max(self.folds, 1) * self.seeds
        if n_fits > MOST_FITS:
            text = (
                f"--max_layers {self.max_layers} with these widths and recipes makes {n_fits:,} fits; "
                f"at most {MOST_FITS:,} can be searched, so give fewer layers or widths"
            )
            found.append((("hidden_dims_search", "max_layers", "folds", "seeds"), text))
        if self.folds == 1:
            found.append((("folds",), "--folds must be 0 or at least 2, got 1"))
        if self.seed + self.seeds > 2**32:
            found.append((("seed", "seeds"), "--seed and --seeds together must stay below 2**32"))
        if self.quiet and self.verbose:
            found.append((("quiet", "verbose"), "--quiet and --verbose exclude each other"))
        found += self.warm_start_contradictions(self.strategy, self.max_layers)
        n_compared = n_trials + n_warm * self.compare_warm
        found += self.ensemble_contradictions(n_compared, self.folds, self.seeds)
        return found

    @property
    def latent_size(self) -> int:
        """The latent size of a search for one; :meth:`for_each_latent_size` gives those of several."""
        (size,) = self.latent_dim
        return size

    def for_each_latent_size(self) -> list[SearchSettings]:
        """The same search for each latent size alone."""
        return [self.model_copy(update={"latent_dim": (size,)}) for size in self.latent_dim]

    @property
    def grid(self) -> ArchitectureGrid:
        """The stacks."""
        return ArchitectureGrid(self.hidden_dims_search, self.max_layers)

    @property
    def factors(self) -> dict[str, tuple[Any, ...]]:
        """Options of the recipe that were given several values."""
        lists = {name: getattr(self, name) for name in ("dropout", "norm", "weight_decay")}
        found = {name: values for name, values in lists.items() if len(values) > 1}
        return {**found, "warm_start": (False, True)} if self.compare_warm else found

    def recipes(self) -> list[Recipe]:
        """How stacks are trained: one recipe, or the product of the options that were given as lists.

        All of them begin cold; a warm start is a fit's own.
        """
        plain = {
            name: getattr(self, name)
            for name in Recipe.__dataclass_fields__
            if name in type(self).model_fields
            and name not in ("dropout", "norm", "weight_decay", "warm_start")
        }
        return [
            Recipe(**plain, dropout=dropout, norm=norm, weight_decay=weight_decay)
            for dropout, norm, weight_decay in product(self.dropout, self.norm, self.weight_decay)
        ]
