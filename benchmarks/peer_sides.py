"""The sides of ``peers.py``, each run by itself: ``peer_sides.py SIDE CORES MAX_LAYERS EPOCHS ANSWER``."""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from common import ROOT

from autoenc.data.division import split_table
from autoenc.data.table import load_table
from autoenc.engines import Fit, Recipe, Split
from autoenc.models.grid import ArchitectureGrid

WIDTHS, LATENT_DIM, SEED = (16, 32, 64, 128), 3, 42


def by_autoenc(split: Split, fits: list[Fit], cores: int) -> list[float]:
    """The native engine, as a search calls it."""
    from autoenc.engines import make_engine
    from autoenc.searching import run_fits

    losses: list[float] = []
    engine = make_engine("native", "cpu")
    run_fits(fits, lambda _: split, engine, cores, lambda _, outcome: losses.append(outcome.final_test_loss))
    return losses


def one_by_torch(split: Split, fits: list[Fit]) -> list[float]:
    import torch
    from torch_side import Cells, torch_fit

    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    cells = Cells.of(split, split.train), Cells.of(split, split.test)
    return [torch_fit(fit, *cells) for fit in fits]


def by_torch(split: Split, fits: list[Fit], cores: int) -> list[float]:
    """One model after the other on one thread: more make it slower."""
    return one_by_torch(split, fits)


def by_joblib(split: Split, fits: list[Fit], cores: int) -> list[float]:
    """As many processes as cores, each with the loop."""
    from joblib import Parallel, delayed

    return [
        loss for part in Parallel(cores)(delayed(one_by_torch)(split, [fit]) for fit in fits) for loss in part
    ]


def one_by_sklearn(split: Split, fit: Fit) -> float:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor
    from threadpoolctl import threadpool_limits

    from autoenc.analysis.baselines import reconstruction_loss

    train, target, recipe = np.nan_to_num(split.values[split.train]), split.values[split.test], fit.recipe
    layers = (*fit.architecture, fit.latent_dim, *fit.architecture[::-1])
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MLPRegressor(
            hidden_layer_sizes=layers, batch_size=recipe.batch_size, max_iter=recipe.epochs,
            alpha=recipe.weight_decay, learning_rate_init=recipe.initial_lr, tol=0.0,
            n_iter_no_change=recipe.epochs, random_state=SEED,
        ).fit(train, train)  # fmt: skip
        return reconstruction_loss(model.predict(np.nan_to_num(target)), target, recipe)


def by_sklearn(split: Split, fits: list[Fit], cores: int) -> list[float]:
    """As many processes as cores."""
    from joblib import Parallel, delayed

    return list(Parallel(cores)(delayed(one_by_sklearn)(split, fit) for fit in fits))


def by_jax(split: Split, fits: list[Fit], cores: int) -> list[float]:
    """All stacks of a depth at once, padded to the widest."""
    from jax_side import jax_losses

    by_depth: dict[int, list[Fit]] = {}
    for fit in fits:
        by_depth.setdefault(len(fit.architecture), []).append(fit)
    return [loss for group in by_depth.values() for loss in jax_losses(split, group, SEED)]


def by_h2o(split: Split, fits: list[Fit], cores: int) -> list[float]:
    """One model after the other; each uses all cores."""
    import h2o
    from h2o.estimators import H2OAutoEncoderEstimator

    from autoenc.analysis.baselines import reconstruction_loss

    h2o.init(nthreads=cores, bind_to_localhost=True)
    h2o.no_progress()
    train, test = (h2o.H2OFrame(np.nan_to_num(split.values[rows])) for rows in (split.train, split.test))
    losses = []
    for fit in fits:
        layers = [*fit.architecture, fit.latent_dim, *fit.architecture[::-1]]
        model = H2OAutoEncoderEstimator(
            hidden=layers, activation="RectifierWithDropout", epochs=fit.recipe.epochs, seed=SEED,
            hidden_dropout_ratios=[fit.recipe.dropout] * len(layers), mini_batch_size=fit.recipe.batch_size,
            standardize=False, train_samples_per_iteration=0,
        )  # fmt: skip
        model.train(x=train.columns, training_frame=train)
        answer = model.predict(test).as_data_frame().to_numpy(np.float32)
        losses.append(reconstruction_loss(answer, split.values[split.test], fit.recipe))
    h2o.cluster().shutdown()
    return losses


BY = {
    "autoenc": by_autoenc, "torch": by_torch, "joblib": by_joblib, "sklearn": by_sklearn, "jax": by_jax,
    "h2o": by_h2o,
}  # fmt: skip


def main() -> None:
    side, cores, max_layers, epochs, answer = sys.argv[1:]
    split, _ = split_table(load_table(ROOT / "data" / "stains.csv"), "maxabs", SEED)
    recipe = Recipe(epochs=int(epochs))
    grid = ArchitectureGrid(WIDTHS, int(max_layers))
    n_columns = split.values.shape[1]
    fits = [Fit(stack, LATENT_DIM, recipe, SEED) for stack in grid]
    fits.sort(key=lambda fit: -fit.network(n_columns).count_multiply_adds())
    started = time.perf_counter()
    losses = BY[side](split, fits, int(cores))
    training_s = time.perf_counter() - started
    Path(answer).write_text(json.dumps({"losses": losses, "training_s": training_s}), encoding="utf-8")


if __name__ == "__main__":
    main()
