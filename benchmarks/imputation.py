"""Filling hidden cells, beside the column mean and scikit-learn's imputers.

Run it: ``python benchmarks/imputation.py``. Of two of scikit-learn's tables, breast cancer and wine, 10 and
30 % of the cells are hidden at random, five times. Every side sees the other cells alone: the column mean,
KNNImputer and IterativeImputer with their defaults (on standardized columns, 20 rounds), a stack found by
``search --recipe plain --start pca``, one found with ``--missing mask``, and a denoising autoencoder found by
``tune --families dae``. The latent size, 3, 5 or 8, is the one that fills best a further tenth of the cells,
hidden before, which all is then trained with again. The figure is the mean squared error of the hidden cells
in standard deviations of their columns: 1 is about that of the column mean. A second table shows what feeding
the answers back does, instead of one pass.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from common import describe_machine, print_table
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

import autoenc

TABLES = {"breast cancer": load_breast_cancer, "wine": load_wine}
SHARES = (0.1, 0.3)
LATENT_DIMS = (3, 5, 8)
PASSES = (1, 2, 5, 20)
IMPUTERS: dict[str, Callable[[], Any]] = {
    "mean": SimpleImputer,
    "KNN": KNNImputer,
    "iterative": lambda: IterativeImputer(max_iter=20, random_state=0),
}


_SEARCH: dict[str, Any] = {
    "recipe": "plain", "start": "pca", "hidden_dims_search": "32,64,128", "max_layers": 2, "quiet": True,
}  # fmt: skip


def searched(cells: np.ndarray, latent_dim: int) -> Any:
    """The best stack of a small grid."""
    return autoenc.search(cells, latent_dim=latent_dim, **_SEARCH).best_model()


def masked(cells: np.ndarray, latent_dim: int) -> Any:
    """The best stack of the same grid, told which cells are missing."""
    return autoenc.search(cells, latent_dim=latent_dim, missing="mask", **_SEARCH).best_model()


def tuned(cells: np.ndarray, latent_dim: int) -> Any:
    """The best of some denoising autoencoders."""
    options = {
        "families": "dae", "n_trials": 8, "strategy": "random", "scaling": "standard", "epochs": 150,
        "patience": 20, "norm_options": "none", "dropout_range": (0, 0.1), "num_layers_range": (1, 2),
        "hidden_size_range": (32, 128), "learning_rate_range": (1e-3, 1e-2), "quiet": True,
    }  # fmt: skip
    return autoenc.tune(cells, latent_dim=latent_dim, **options).best_model()


MODELS = {"search": searched, "mask": masked, "denoising": tuned}


def hidden(cells: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """The table with a share of its cells missing."""
    return np.where(rng.random(cells.shape) < share, np.nan, cells)


def error(filled: np.ndarray, full: np.ndarray, given: np.ndarray) -> float:
    """Mean squared error of the cells that ``full`` has and ``given`` lacks, in standard deviations."""
    wanted = np.isnan(given) & ~np.isnan(full)
    return float(np.mean(np.square(((filled - full) / np.nanstd(full, axis=0))[wanted])))


def imputed(name: str, cells: np.ndarray) -> np.ndarray:
    """The table filled by an imputer of scikit-learn."""
    mean, deviation = np.nanmean(cells, axis=0), np.nanstd(cells, axis=0)
    return IMPUTERS[name]().fit_transform((cells - mean) / deviation) * deviation + mean


def chosen(make: Callable[[np.ndarray, int], Any], cells: np.ndarray, rng: np.random.Generator) -> Any:
    """A model whose latent size is chosen by cells that it does not see."""
    fewer = hidden(cells, 0.1, rng)
    errors = {size: error(make(fewer, size).impute(fewer), cells, fewer) for size in LATENT_DIMS}
    return make(cells, min(errors, key=errors.__getitem__))


def passed(model: Any, cells: np.ndarray, n_passes: int) -> np.ndarray:
    """The table filled by the answer to the table that was filled before, so many times."""
    filled = model.impute(cells)
    for _ in range(n_passes - 1):
        filled = np.where(np.isnan(cells), model.reconstruct(filled), cells)
    return filled


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="times that cells are hidden (default: 5)")
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore")  # what is odd about a table with so many missing cells
    print(describe_machine())
    rows, passes = [], []
    for name, load in TABLES.items():
        for share in SHARES:
            errors: dict[str, list[float]] = {}
            for seed in range(repeats):
                rng, full = np.random.default_rng(seed), load().data
                cells = hidden(full, share, rng)
                for side in IMPUTERS:
                    errors.setdefault(side, []).append(error(imputed(side, cells), full, cells))
                for side, make in MODELS.items():
                    model = chosen(make, cells, rng)
                    for n_passes in PASSES:
                        filled = passed(model, cells, n_passes)
                        errors.setdefault(f"{side}, {n_passes}", []).append(error(filled, full, cells))
            means = {side: f"{np.mean(found):.3f}" for side, found in errors.items()}
            label = f"{name}, {share:.0%}"
            rows.append(
                [label, *(means[side] for side in IMPUTERS), *(means[f"{side}, 1"] for side in MODELS)]
            )
            for side in MODELS:
                passes.append([f"{label}, {side}", *(means[f"{side}, {n}"] for n in PASSES)])
    print_table([["mean squared error", *IMPUTERS, *MODELS], *rows])
    print_table([["by passes", *map(str, PASSES)], *passes])


if __name__ == "__main__":
    main()
