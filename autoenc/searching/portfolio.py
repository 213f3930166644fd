"""What ``fit`` proposes: recipes and stacks that did well on many tables, and variations of the best so far.

The first proposals are a portfolio: a few configurations, chosen so that on each of many real tables one of
them is near the best. All later ones follow from the seed and from how the earlier ones did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from autoenc.engines import Recipe
from autoenc.engines.recipe import OwnScaling
from autoenc.models.grid import Architecture
from autoenc.settings.fit import TableProfile

__all__ = [
    "Candidate", "fresh", "longer", "pca_alone", "portfolio", "quick", "usual_options", "variations",
]  # fmt: skip

_ROW_VISITS = 300_000
"""Training rows that are met in all epochs together, as far as the bounds of epochs allow."""
_EPOCHS = (20, 300)
_QUICK_EPOCHS = 5
_MORE_EPOCHS = 3
_MANY_ZEROS = 0.3
_SOME_MISSING = 0.01

_STACKS: tuple[Architecture, ...] = (
    (16,), (32,), (64,), (128,), (256,), (32, 16), (64, 32), (64, 64), (128, 64), (128, 128), (256, 128),
    (128, 64, 32),
)  # fmt: skip
_CHOICES: dict[str, tuple[Any, ...]] = {
    "start": ("pca", "random"),
    "initial_lr": (1e-3, 3e-3, 1e-2),
    "activation": ("gelu", "relu", "tanh", "silu"),
    "dropout": (0.0, 0.05, 0.1),
    "weight_decay": (1e-4, 1e-2, 1e-1, 1.0),
    "norm": ("none", "layer"),
    "batch_size": (16, 32, 64, 128),
}


class Candidate(NamedTuple):
    """What is compared: a stack and a recipe."""

    architecture: Architecture
    recipe: Recipe


def pca_alone(profile: TableProfile) -> Candidate:
    """Return PCA as it is: a start from it without a single step."""
    recipe = _recipe(profile, start="pca").stopped_after(0)
    return Candidate((1,), replace(recipe, epochs=1, stop_after=0, missing="zero"))


def quick(profile: TableProfile) -> Candidate:
    """Return a proposal that takes about an eighth of the others' time."""
    recipe = _recipe(profile, initial_lr=3e-3, batch_size=64)
    epochs = max(_QUICK_EPOCHS, recipe.epochs // 4)
    return Candidate((128, 64), replace(recipe, epochs=epochs, patience=_patience(epochs)))


def portfolio(profile: TableProfile) -> list[Candidate]:
    """Return the first proposals, the best one first.

    Args:
        profile: Of the table.
    """
    bent = "auto" if profile.has_long_tails else "standard"
    candidates: list[tuple[Architecture, dict[str, Any]]] = [
        ((128, 64), {"initial_lr": 3e-3}),
        ((256, 128), {"start": "random", "initial_lr": 3e-3, "activation": "relu", "dropout": 0.1}),
        ((128, 64), {"initial_lr": 1e-3, "dropout": 0.1, "weight_decay": 1e-2}),
        ((128, 64), {"start": "random", "initial_lr": 3e-3, "activation": "silu", "dropout": 0.1}),
        ((32,), {"initial_lr": 1e-2, "activation": "relu", "dropout": 0.1, "weight_decay": 0.1}),
        ((64, 64), {"initial_lr": 3e-3, "activation": "tanh", "weight_decay": 1e-2, "batch_size": 128}),
        ((128,), {"initial_lr": 1e-2, "activation": "tanh", "scaling": bent}),
        ((256,), {"norm": "layer", "weight_decay": 1.0}),
        ((128, 64, 32), {"initial_lr": 3e-3, "activation": "silu", "dropout": 0.05}),
    ]  # fmt: skip
    if profile.is_large:  # nothing against overfitting, and straight far outside of the data
        candidates.insert(0, ((128, 64), {"start": "random", "activation": "relu"}))
    if profile.zero_share >= _MANY_ZEROS:
        candidates.insert(3, ((128, 64), {"initial_lr": 3e-3, "loss": "sparse"}))
    if profile.missing_share >= _SOME_MISSING:  # learn to do without cells
        candidates.insert(2, ((128, 64), {"initial_lr": 3e-3, "family": "dae", "corruption": 0.2}))
    if profile.calibration_folds:  # keep a few cells from deciding what is learned
        candidates.insert(2, ((128, 64), {"initial_lr": 3e-3, "scaling": "floored"}))
    return [Candidate(stack, _recipe(profile, **options)) for stack, options in candidates]


def variations(best: Candidate, n: int, profile: TableProfile, seed: Sequence[int]) -> list[Candidate]:
    """Return the best candidate so far with one or two things changed, different ones.

    Args:
        best: What is varied.
        n: How many at most.
        profile: Of the table.
        seed: What the changes follow from.
    """
    rng, candidates = np.random.default_rng(list(seed)), list[Candidate]()
    for _ in range(20 * n):
        candidate = best
        for _ in range(int(rng.integers(1, 3))):
            candidate = _changed(candidate, profile, rng)
        if candidate != best and candidate not in candidates:
            candidates.append(candidate)
        if len(candidates) == n:
            break
    return candidates


def longer(candidate: Candidate) -> Candidate:
    """Return a candidate with several times its epochs, as far as their bound allows, and all of them.

    Early stopping would leave out the end of the schedule, where it gains most.
    """
    more = _with_epochs(candidate, _MORE_EPOCHS)
    return more._replace(recipe=replace(more.recipe, patience=0))


def fresh(n: int, profile: TableProfile, seed: Sequence[int]) -> list[Candidate]:
    """Draw candidates from all that there are."""
    rng = np.random.default_rng([*seed, 1])
    candidates = []
    for _ in range(n):
        options = {name: _drawn(values, rng) for name, values in _CHOICES.items()}
        candidates.append(Candidate(_drawn(_STACKS, rng), _recipe(profile, **options)))
    return candidates


def usual_options(profile: TableProfile) -> tuple[tuple[str, Any], ...]:
    """Return options with the values that most candidates have, which their names leave out."""
    recipe = _recipe(profile)
    names = (
        "activation",
        "start",
        "scaling",
        "loss",
        "dropout",
        "weight_decay",
        "norm",
        "batch_size",
        "epochs",
        "family",
    )
    return tuple((name, getattr(recipe, name)) for name in names)


def _patience(epochs: int) -> int:
    return max(10, epochs // 8)


def _recipe(profile: TableProfile, **options: Any) -> Recipe:
    epochs = int(np.clip(_ROW_VISITS // profile.n_train, *_EPOCHS))
    weights = {"nonzero_weight": 0.0, "all_weight": 1.0} if options.pop("loss", "mse") == "mse" else {}
    plain = {
        "epochs": epochs, "patience": _patience(epochs), "dropout": 0.0, "norm": "none", "start": "pca",
        "activation": "gelu", "scaling": "standard", "calibration_folds": profile.calibration_folds,
        "missing": "mask" if profile.missing_share >= _SOME_MISSING else "zero",
    }  # fmt: skip
    return Recipe(**{**plain, **weights, **options})


def _changed(candidate: Candidate, profile: TableProfile, rng: np.random.Generator) -> Candidate:
    """One thing of a candidate changed to a neighbour, or to another choice where there is no order."""
    recipe = candidate.recipe
    what = _drawn(("stack", "stack", "epochs", "scaling", *_CHOICES), rng)
    if what == "stack":
        at = _STACKS.index(candidate.architecture) if candidate.architecture in _STACKS else 0
        step = int(rng.choice((-2, -1, 1, 2)))
        return Candidate(_STACKS[min(max(at + step, 0), len(_STACKS) - 1)], recipe)
    if what == "epochs":
        return _with_epochs(candidate, float(rng.choice((0.5, 2.0))))
    if what == "scaling":
        may_suit: dict[OwnScaling, bool] = {
            "standard": True, "auto": profile.has_long_tails, "floored": profile.calibration_folds > 0,
        }  # fmt: skip
        new = [scaling for scaling, suits in may_suit.items() if suits and scaling != recipe.scaling]
        return candidate._replace(recipe=replace(recipe, scaling=_drawn(new, rng))) if new else candidate
    others = [value for value in _CHOICES[what] if value != getattr(recipe, what)]
    return candidate._replace(recipe=replace(recipe, **{what: _drawn(others, rng)}))


def _with_epochs(candidate: Candidate, factor: float) -> Candidate:
    epochs = int(min(max(candidate.recipe.epochs * factor, _EPOCHS[0]), _EPOCHS[1]))
    recipe = replace(candidate.recipe, epochs=epochs, patience=_patience(epochs))
    return candidate._replace(recipe=recipe)


def _drawn(values: Sequence[Any], rng: np.random.Generator) -> Any:
    return values[int(rng.integers(len(values)))]
