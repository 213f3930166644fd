"""One autoencoder as an estimator of scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from autoenc.engines import make_engine
from autoenc.estimators.base import TableTransformer
from autoenc.estimators.options import defaults_of, plain, seed_of
from autoenc.estimators.training import train, usable_cores
from autoenc.settings import require_settings
from autoenc.settings.estimator import AutoencoderSettings
from autoenc.system.python_calls import called

__all__ = ["Autoencoder"]

_DEFAULTS = defaults_of(AutoencoderSettings)


class Autoencoder(TableTransformer):
    """An autoencoder with given hidden layers, as a transformer of scikit-learn.

    Rows become latent points (:meth:`transform`), and latent points rows (:meth:`inverse_transform`). NaN is
    missing: such a cell enters the network as 0, and no loss. Columns are scaled inside. All rows of ``fit``
    train; with ``patience`` a fifth of them says when to stop instead.

    Parameters have the names and rules of the options of ``autoenc search``; those that are None have the
    defaults of ``recipe``, which ``autoenc search --help`` shows.

    Args:
        hidden_dims: Hidden widths of the encoder, none larger than the one before; the decoder mirrors them.
        latent_dim: Size of the latent space.
        recipe: Defaults of what follows: ``classic``, or ``plain``, which standardizes and leaves out norms,
            dropout and the weight on non-zero cells.
        epochs: Passes over the training rows.
        batch_size: Rows of a training step.
        initial_lr: Learning rate of the first epoch.
        eta_min: Learning rate at the end of the cosine schedule.
        patience: Stop after so many epochs without a lower loss on a fifth of the rows, and keep the best; 0
            trains on all rows to the end.
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
        family: ``ae``; ``dae``, which must restore cells that are hidden from it; or ``vae``, variational.
        corruption: Of a ``dae``: probability that a cell is hidden.
        kl_weight: Of a ``vae``: weight of the KL divergence.
        kl_warmup: Of a ``vae``: epochs over which that weight rises to its full height.
        engine: ``auto``, ``native`` (compiled, CPU) or ``torch``.
        device: ``auto``, ``cpu``, ``cuda``, or one GPU of several such as ``cuda:1``.
        random_state: Seed of weights, batches and dropout; None draws one from NumPy's global generator.

    Attributes:
        model_: The trained model: ``encode``, ``reconstruct``, ``export``.
        loss_curve_: Training loss of each epoch, with dropout, as MLPRegressor's.
        validation_loss_curve_: Loss on the rows that say when to stop, each epoch; None without ``patience``.
        n_iter_: Epochs behind the parameters that were kept.
        n_features_in_: Columns in ``fit``.
        feature_names_in_: Their names, where all were texts.

    Example:
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.linear_model import Ridge
        >>> rows = np.random.default_rng(0).random((80, 6))
        >>> latent = Autoencoder(hidden_dims=(8,), latent_dim=2, epochs=3).fit_transform(rows)
        >>> latent.shape
        (80, 2)
        >>> pipeline = make_pipeline(Autoencoder(hidden_dims=(8,), latent_dim=2, epochs=3), Ridge())
        >>> pipeline.fit(rows, rows[:, 0]).predict(rows).shape
        (80,)
    """

    def __init__(
        self,
        hidden_dims: Sequence[int] = _DEFAULTS["hidden_dims"],
        latent_dim: int = _DEFAULTS["latent_dim"],
        *,
        recipe: str = "classic",
        epochs: int | None = None,
        batch_size: int | None = None,
        initial_lr: float | None = None,
        eta_min: float | None = None,
        patience: int | None = None,
        min_epochs: int | None = None,
        weight_decay: float | None = None,
        dropout: float | None = None,
        activation: str | None = None,
        norm: str | None = None,
        input_norm: str | None = None,
        start: str | None = None,
        missing: str | None = None,
        loss: str | None = None,
        nonzero_weight: float | None = None,
        all_weight: float | None = None,
        scaling: str | None = None,
        family: str | None = None,
        corruption: float | None = None,
        kl_weight: float | None = None,
        kl_warmup: int | None = None,
        engine: str | None = None,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = _DEFAULTS["seed"],
    ) -> None:
        self._set_parameters(locals())

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on rows.

        Args:
            X: ``[rows, columns]``: an array, a frame, or a SciPy sparse matrix; NaN is missing.
            y: Not used.

        Raises:
            ValueError: If parameters or rows cannot be used, or the training fails.
        """
        with called():
            given = self.get_params(deep=False)
            given["seed"] = seed_of(given.pop("random_state"))
            settings = require_settings(AutoencoderSettings, plain(given))
            table = self._table(X, n_least=2 if settings.patience else 1)
            trained = train(
                table, settings.scaling[0], settings.hidden_dims, settings.latent_dim, settings.one_recipe(),
                settings.seed,
                make_engine(settings.engine, settings.device, n_cores=usable_cores()),
            )  # fmt: skip
        self._keep(trained.model, trained.rows, table)
        outcome = trained.outcome
        self.loss_curve_ = outcome.train_losses
        self.validation_loss_curve_ = outcome.test_losses if settings.patience else None
        self.n_iter_ = outcome.n_kept_epochs
        return self
