"""Options that put more than one fit to use: ensembles, further folds for the best, warm starts."""

from __future__ import annotations

from autoenc.settings.base import Settings
from autoenc.settings.options import option

__all__ = ["MOST_FINALISTS", "EnsembleSettings", "FinalistSettings", "WarmStartSettings"]

MOST_FINALISTS = 1024
Contradiction = tuple[tuple[str, ...], str]


class EnsembleSettings(Settings):
    """The option to average several fits as one model."""

    ensemble: int = option(
        0,
        role="judging",
        ge=0,
        description="save the so many best fits as one model that averages their reconstructions; 0: none",
    )

    def ensemble_contradictions(self, n_trials: int, folds: int, seeds: int) -> list[Contradiction]:
        """Return what is wrong with the number of members.

        Args:
            n_trials: Trials that are compared.
            folds: With folds there is a candidate a trial, its fit on all training rows.
            seeds: Without folds each seed of a trial is a candidate.
        """
        if self.ensemble == 1:
            return [(("ensemble",), "--ensemble must be 0 or at least 2, got 1")]
        n_candidates = n_trials if folds else n_trials * seeds
        if self.ensemble > n_candidates:
            text = f"--ensemble {self.ensemble} is more than the {n_candidates:,} fits to choose from"
            names = ("ensemble", "hidden_dims_search", "max_layers", "folds", "seeds")
            return [(names, text)]
        return []


class FinalistSettings(Settings):
    """The option to judge the best trials again, as the lowest of noisy losses is partly luck."""

    finalists: int = option(
        1,
        role="progress",
        ge=1,
        le=MOST_FINALISTS,
        description="best trials to be judged again at the end, by more and more folds; 1 for none",
    )

    def finalist_contradictions(self, folds: int) -> list[Contradiction]:
        """Return what is wrong with judging again in a search with so many folds."""
        if self.finalists == 1 or folds:
            return []
        text = f"--finalists {self.finalists} judges by further folds of the training rows; give --folds 5"
        return [(("finalists", "folds"), text)]


class WarmStartSettings(Settings):
    """Options of training stacks a second time, from the trained stack that they extend."""

    warm_start: bool = option(
        False,
        role="space",
        description="train every stack that extends another one a second time, beginning from the trained "
        "other one, and report the epochs saved",
    )
    compare_warm: bool = option(
        False, role="space", description="with --warm_start: compare the warm-started stacks with all others"
    )

    def warm_start_contradictions(self, strategy: str, max_layers: int) -> list[Contradiction]:
        """Return what does not go together with warm starts."""
        problems: list[Contradiction] = []
        if self.compare_warm and not self.warm_start:
            text = "--compare_warm compares what --warm_start trains; give both"
            problems.append((("compare_warm", "warm_start"), text))
        if self.warm_start and strategy == "halving":
            text = "--warm_start extends stacks that are trained in full; leave out --strategy halving"
            problems.append((("warm_start", "strategy"), text))
        if self.warm_start and max_layers == 1:
            text = "--warm_start needs stacks that extend others; --max_layers 1 has none"
            problems.append((("warm_start", "max_layers"), text))
        return problems
