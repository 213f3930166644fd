"""Options of the adaptive search and of training its best trial."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, FiniteFloat

from autoenc.settings.base import METHOD, SPLIT, Count, Settings, Width
from autoenc.settings.options import again, option
from autoenc.settings.search import SearchSettings
from autoenc.settings.shared import BudgetSettings, ScheduleSettings
from autoenc.settings.space import Families, FamilySettings, SpaceSettings
from autoenc.settings.training import ScaledSettings
from autoenc.settings.trust import EnsembleSettings, FinalistSettings

__all__ = ["ADAPTIVE_INSTEAD", "ResilientSettings", "StrategyName", "TuneSettings"]

Share = Annotated[FiniteFloat, Field(gt=0, le=1)]
StrategyName = Literal["grid", "random", "tpe", "cmaes", "gp", "nsgaii", "resilient"]


_RANKED = "`autoenc pivot FOLDER --score ...` ranks the trials, and `autoenc train-best --trial N` takes one"
ADAPTIVE_INSTEAD = {
    "shard": "let several processes share one --storage, e.g. postgresql://host/studies, or train on a "
    "cluster with --scheduler: trials are chosen by those before them, and counted in one record",
    "save_models": "`autoenc train-best` trains and saves the best trial",
    "select": _RANKED,
    "score": _RANKED,
    "refit": "`autoenc train-best` trains the best trial in full",
    "retry_failed": "the trials after a failed one were chosen by that; --fresh starts over",
    "verbose": "it prints a line for each trial",
}
"""What to do instead of options that no search has whose trials follow from each other."""


class ResilientSettings(Settings):
    """Numbers of the resilient strategy."""

    good_threshold: FiniteFloat = option(
        1.0, role="space", gt=0, description="a good loss, as a multiple of PCA's"
    )
    excellent_threshold: FiniteFloat = option(
        0.9, role="space", gt=0, description="below this multiple of PCA's loss the neighbourhood is explored"
    )
    breakthrough_threshold: FiniteFloat = option(
        0.8, role="space", gt=0, description="a breakthrough, as a multiple of PCA's loss"
    )
    startup_trials: int = option(
        8, role="space", ge=1, description="trials of the resilient strategy drawn at random first"
    )
    local_trials: int = option(8, role="space", ge=1, description="trials of a local exploration")
    local_steps: int = option(
        2, role="space", ge=1, description="steps of a whole number in local exploration"
    )
    local_share: Share = option(
        0.1, role="space", description="relative step of other numbers in local exploration"
    )
    local_limit: Share = option(
        0.2, role="space", description="how far local exploration may go from where it began"
    )
    stagnation_trials: int = option(
        8, role="space", ge=1, description="trials without improvement before a jump"
    )
    jump_probability: FiniteFloat = option(
        0.7, role="space", ge=0, le=1, description="chance that a jump is made, else a small step"
    )
    jump_width: Share = option(0.7, role="space", description="a jump multiplies widths by this")
    jump_layers: Share = option(
        0.8, role="space", description="a jump multiplies the number of layers by this"
    )
    jump_learning_rate: Share = option(
        0.5, role="space", description="a jump multiplies the learning rate by this"
    )
    conservative_widths: Annotated[tuple[Width, Width], SPLIT] = option(
        (64, 256), role="space", description="a jump stays within these widths"
    )
    conservative_layers: Annotated[tuple[Width, Width], SPLIT] = option(
        (2, 8), role="space", description="a jump stays within these numbers of layers"
    )
    most_growth: FiniteFloat = option(
        2.0,
        role="space",
        ge=1,
        description="no step goes to more than this times the parameters of the best so far",
    )


class TuneSettings(
    ScheduleSettings,
    BudgetSettings,
    ResilientSettings,
    SpaceSettings,
    FamilySettings,
    FinalistSettings,
    ScaledSettings,
):
    """Options of the adaptive search."""

    _instead: ClassVar = {**ADAPTIVE_INSTEAD, "resume": "the same command goes on where it was"}

    strategy: Annotated[StrategyName, METHOD] = option(
        "tpe",
        role="space",
        aliases=["sampler", "search_method"],
        description="how the next trial is chosen; bayesian is another name of tpe",
    )
    pruner: Literal["median", "hyperband", "none"] = option(
        "none", role="space", description="end trials early that do badly"
    )
    families: Families = option(
        ("ae",),
        role="space",
        description="ae (plain), dae (denoising), vae (variational); several take turns in this order",
    )
    latent_dim: Width = again(SearchSettings, "latent_dim", 3, description="size of the latent space")
    epochs: Count | None = again(
        SearchSettings,
        "epochs",
        None,
        description="passes over the training rows; by default 20, with resilient at most 128",
    )
    patience: int | None = again(
        SearchSettings,
        "patience",
        None,
        description="stop a fit after so many epochs without a lower loss and keep its best; 0: never; "
        "by default 0, with resilient 36",
    )
    folds: int = again(
        SearchSettings,
        "folds",
        0,
        description="judge trials by cross-validation with so many folds of the training rows; "
        "0: by one fifth of them",
    )
    ensemble: int = again(
        EnsembleSettings,
        "ensemble",
        description="save the so many best trials, each trained in full, as one model that averages their "
        "reconstructions; 0: none",
        role="place",
        needs="output_dir",
    )
    plot: bool = option(False, role="display", needs="output_dir", description="draw the study into figures/")
    dry_run: bool = again(SearchSettings, "dry_run", False)

    def contradictions(self) -> list[tuple[tuple[str, ...], str]]:
        """See :meth:`Settings.contradictions`."""
        problems: list[tuple[tuple[str, ...], str]] = []
        if self.strategy == "grid" and len(self.families) > 1:
            text = "--strategy grid tries one family; run it once for each of --families"
            problems.append((("strategy", "families"), text))
        if self.folds == 1:
            problems.append((("folds",), "--folds must be 0 or at least 2, got 1"))
        if self.seed + self.seeds > 2**32:
            problems.append((("seed", "seeds"), "--seed and --seeds together must stay below 2**32"))
        problems += self.finalist_contradictions(self.folds)
        if self.ensemble == 1:
            problems.append((("ensemble",), "--ensemble must be 0 or at least 2, got 1"))
        elif self.ensemble > self.n_trials:
            text = f"--ensemble {self.ensemble} is more than the {self.n_trials:,} trials to choose from"
            problems.append((("ensemble", "n_trials"), text))
        if self.n_trials < len(self.families):
            text = f"--n_trials must give each of the {len(self.families)} families one, got {self.n_trials}"
            problems.append((("n_trials", "families"), text))
        names = ("good_threshold", "excellent_threshold", "breakthrough_threshold")
        values = [getattr(self, name) for name in names]
        if values != sorted(values, reverse=True):
            problems.append((names, f"{', '.join(f'--{name}' for name in names)} must descend, got {values}"))
        for name in ("conservative_widths", "conservative_layers"):
            low, high = getattr(self, name)
            if low > high:
                problems.append(((name,), f"--{name} must be an ascending range, got {low},{high}"))
        return problems
