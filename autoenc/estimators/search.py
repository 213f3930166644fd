"""The search for hidden layers as an estimator of scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from autoenc.api import search
from autoenc.data.division import divide_holdout
from autoenc.engines import make_engine
from autoenc.estimators.base import TableTransformer
from autoenc.estimators.options import defaults_of, plain, seed_of
from autoenc.estimators.stored import results_from, results_to_keep, stored_results
from autoenc.estimators.training import train, usable_cores
from autoenc.settings import SearchSettings
from autoenc.system.python_calls import called

if TYPE_CHECKING:
    import pandas as pd

    from autoenc.data.table import Table
    from autoenc.fitted.autoencoder import FittedAutoencoder
    from autoenc.report.results import SearchResults

__all__ = ["ArchitectureSearch"]

_OWN = ("random_state", "n_jobs", "scoring")
"""Parameters that are no options of a search by these names."""

_DEFAULTS = defaults_of(SearchSettings)


class ArchitectureSearch(TableTransformer):
    """A transformer of scikit-learn that finds its hidden layers by :func:`autoenc.search`.

    ``fit`` trains every non-increasing stack of hidden widths on four fifths of the rows, compares them on
    the others or by cross-validation, and trains the chosen one again on all rows. It is then used as an
    :class:`.Autoencoder` is.

    Parameters have the names and rules of the options of ``autoenc search``; those that are None have the
    defaults of ``recipe``, which ``autoenc search --help`` shows. Several values of an option of the recipe,
    such as ``dropout=(0, 0.1)``, multiply the grid.

    Args:
        latent_dim: Size of the latent space.
        hidden_dims_search: Hidden widths to combine.
        max_layers: Largest number of hidden layers.
        strategy: ``grid``, or ``halving``: all stacks briefly, the better third for longer.
        folds: Choose by cross-validation with so many folds; 0: by a fifth of the rows.
        seeds: Train every stack with so many seeds.
        select: Which stack is kept: ``best``, ``one_se`` (smallest within one standard error) or
            ``pareto_knee``.
        scoring: Keep the stack with the lowest weighted score instead, such as ``"0.8*loss+0.2*params"``; the
            option ``score``.
        refit: What the model learns from once its loss is known: ``all`` rows, or ``train`` for those that it
            was measured with.
        recipe: Defaults of what follows: ``classic``, or ``plain``, which standardizes and leaves out norms,
            dropout and the weight on non-zero cells.
        epochs: Passes over the training rows.
        batch_size: Rows of a training step.
        initial_lr: Learning rate of the first epoch.
        eta_min: Learning rate at the end of the cosine schedule.
        patience: Stop a fit after so many epochs without a lower loss and keep its best; 0: never.
        min_epochs: Early stopping never stops before this epoch.
        weight_decay: Weight decay of AdamW.
        dropout: Probability that a hidden unit is dropped.
        activation: ``relu``, ``leaky_relu``, ``elu``, ``gelu``, ``silu`` or ``tanh``.
        norm: ``layer`` or ``none``.
        input_norm: Normalization of each row before the first layer: ``layer``, ``none``, or ``same`` as
            ``norm``.
        start: ``random``, or ``pca``, from the PCA of the training rows.
        missing: How missing cells enter: ``zero``, or ``mask`` for zeros beside a mask that says so.
        loss: ``sparse``, which weighs the cells that are not zero, or ``mse``.
        nonzero_weight: Of the sparse loss: weight of the cells that are not zero.
        all_weight: Of the sparse loss: weight of all observed cells.
        scaling: How columns are scaled: ``maxabs``, ``none``, ``minmax``, ``standard``, ``robust``,
            ``log1p``, ``quantile`` or ``auto``.
        engine: ``auto``, ``native`` (compiled, CPU) or ``torch``.
        device: ``auto``, ``cpu``, ``cuda``, or one GPU of several such as ``cuda:1``.
        n_jobs: Fits trained at once; -1 for as many as there are cores, None for one.
        random_state: Seed of the division of rows, weights, batches and dropout; None draws one from NumPy's
            global generator.

    Attributes:
        best_hidden_dims_: Hidden widths of the chosen stack.
        leaderboard_: The stacks, a row each, best first.
        results_: What :func:`autoenc.search` found, with its ``plot``; its ``best_model`` is ``model_``.
        model_: The trained model: ``encode``, ``reconstruct``, ``export``.
        n_features_in_: Columns in ``fit``.
        feature_names_in_: Their names, where all were texts.

    Example:
        >>> rows = np.random.default_rng(0).random((80, 6))
        >>> found = ArchitectureSearch(latent_dim=2, hidden_dims_search=(4, 8), max_layers=1, epochs=3)
        >>> found.fit(rows).best_hidden_dims_ in {(4,), (8,)}, list(found.leaderboard_)[:2]
        (True, ['stack', 'loss'])
        >>> found.transform(rows).shape
        (80, 2)
    """

    def __init__(
        self,
        latent_dim: int = _DEFAULTS["latent_dim"],
        hidden_dims_search: Sequence[int] = _DEFAULTS["hidden_dims_search"],
        max_layers: int = _DEFAULTS["max_layers"],
        *,
        strategy: str = _DEFAULTS["strategy"],
        folds: int = _DEFAULTS["folds"],
        seeds: int = _DEFAULTS["seeds"],
        select: str = _DEFAULTS["select"],
        scoring: str | None = _DEFAULTS["score"],
        refit: str = "all",
        recipe: str = _DEFAULTS["recipe"],
        epochs: int | Sequence[int] | None = None,
        batch_size: int | Sequence[int] | None = None,
        initial_lr: float | Sequence[float] | None = None,
        eta_min: float | None = None,
        patience: int | None = None,
        min_epochs: int | None = None,
        weight_decay: float | Sequence[float] | None = None,
        dropout: float | Sequence[float] | None = None,
        activation: str | Sequence[str] | None = None,
        norm: str | Sequence[str] | None = None,
        input_norm: str | Sequence[str] | None = None,
        start: str | Sequence[str] | None = None,
        missing: str | Sequence[str] | None = None,
        loss: str | Sequence[str] | None = None,
        nonzero_weight: float | None = None,
        all_weight: float | None = None,
        scaling: str | Sequence[str] | None = None,
        engine: str | None = None,
        device: str | None = None,
        n_jobs: int | None = -1,
        random_state: int | np.random.RandomState | None = _DEFAULTS["seed"],
    ) -> None:
        self._set_parameters(locals())

    def fit(self, X: Any, y: Any = None) -> Self:
        """Search on rows, and train the chosen stack.

        Args:
            X: ``[rows, columns]``: an array, a frame, or a SciPy sparse matrix; NaN is missing.
            y: Not used.

        Raises:
            ValueError: If parameters or rows cannot be used, or no stack succeeds.
        """
        import pandas as pd
        from joblib import effective_n_jobs

        table = self._table(X, n_least=2)
        options = plain(self.get_params(deep=False))
        options = {name: value for name, value in options.items() if name not in _OWN}
        options |= {"seed": seed_of(self.random_state), "jobs": effective_n_jobs(self.n_jobs)}
        options |= {} if self.scoring is None else {"score": self.scoring}
        frame = pd.DataFrame(np.asarray(table.values), columns=table.columns)
        results = search(frame, columns=table.columns, quiet=True, **options)
        with called():
            model, rows = self._chosen(results, table)
        self._keep(model, rows, table)
        self.results_ = results_to_keep(results)
        self.best_hidden_dims_ = results.selection.chosen.trial.architecture
        return self

    @property
    def leaderboard_(self) -> pd.DataFrame:
        """The stacks, a row each, best first; those of :attr:`.SearchResults.leaderboard`."""
        return self.results_.leaderboard

    def __getstate__(self) -> dict[str, Any]:
        """See :meth:`.TableTransformer.__getstate__`."""
        state = super().__getstate__()
        return {**state, "results_": stored_results(self.results_)} if "results_" in state else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """See :meth:`__getstate__`."""
        results = {"results_": results_from(state["results_"])} if "results_" in state else {}
        super().__setstate__({**state, **results})

    def _chosen(self, results: SearchResults, table: Table) -> tuple[FittedAutoencoder, NDArray[np.int64]]:
        """Return the model of the chosen stack, and the rows that it learned from."""
        if self.refit == "train" or not results.finished:
            return results.best_model(), divide_holdout(np.arange(len(table.values)), results.settings.seed)[
                0
            ]
        settings, chosen = results.settings, results.selection.chosen
        recipe, architecture = chosen.trial.recipe, chosen.trial.architecture
        if recipe.patience:  # no rows are left that could say when to stop
            recipe = recipe.stopped_after(chosen.median_epochs)
        trained = train(
            table, recipe.scaling or settings.scaling[0], architecture, settings.latent_size, recipe,
            settings.seed,
            make_engine(settings.engine, settings.device, n_cores=min(settings.jobs, usable_cores())),
        )  # fmt: skip
        return trained.model, trained.rows
