"""Autoencoders in scikit-learn's pipelines: predict a target from latent points, and compare with PCA.

The first 24 columns of the shipped table say what happens in a lesson, and ``rtop`` rates how it is taught. A
few latent columns stand for all 24:

    python examples/sklearn_pipeline.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline

import autoenc

DATA = Path(__file__).parents[1] / "data" / "stains.csv"
TARGET = "rtop"
N_COLUMNS = 24
FOLDS = KFold(3, shuffle=True, random_state=0)


def main() -> None:
    """Compare, search, and look at what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000, help="rows of the table")
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    table = pd.read_csv(DATA).dropna(subset=[TARGET]).head(options.rows)
    rows, target = table[table.columns[:N_COLUMNS]], table[TARGET]

    # 1. A transformer like any other: no imputation, no scaling needed before it.
    latent = autoenc.Autoencoder(hidden_dims=(64, 32), latent_dim=4, recipe="plain", epochs=options.epochs)
    pipelines = {
        "all columns": make_pipeline(SimpleImputer(), Ridge()),
        "PCA": make_pipeline(SimpleImputer(), PCA(4), Ridge()),
        "autoencoder": make_pipeline(latent, Ridge()),
    }
    for name, pipeline in pipelines.items():
        scores = cross_val_score(pipeline, rows, target, cv=FOLDS)
        print(f"{name:<12} R2 {scores.mean():.3f}")

    # 2. Its parameters are searched with those of the other steps.
    pipeline = Pipeline([("latent", latent), ("ridge", Ridge())])
    grid = GridSearchCV(pipeline, {"latent__latent_dim": [2, 8]}, cv=FOLDS).fit(rows, target)
    print(f"best size    {grid.best_params_['latent__latent_dim']}, R2 {grid.best_score_:.3f}")

    # 3. Or its hidden layers are: by reconstruction alone, no target needed.
    search = autoenc.ArchitectureSearch(
        latent_dim=4, hidden_dims_search=(16, 32), max_layers=2, recipe="plain", epochs=options.epochs
    ).set_output(transform="pandas")
    points = search.fit_transform(rows)
    print(search.leaderboard_[["stack", "loss", "parameters"]].head(3).to_string())
    print(f"explained variance {search.score(rows):.3f} with hidden layers {search.best_hidden_dims_}")
    print(points.head(3).round(3).to_string())


if __name__ == "__main__":
    main()
