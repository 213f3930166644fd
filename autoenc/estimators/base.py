"""The base of the estimators: rows in, latent points out, and back."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from autoenc.data.table import Table
from autoenc.errors import InputError
from autoenc.estimators.explained import explained_score
from autoenc.estimators.stored import model_from, stored_model
from autoenc.fitted.learned_range import far_outside
from autoenc.system.python_calls import called

if TYPE_CHECKING:
    from autoenc.fitted.autoencoder import FittedAutoencoder

__all__ = ["TableTransformer"]

_SPARSE = ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")


class TableTransformer(TransformerMixin, BaseEstimator):
    """A transformer whose ``fit`` leaves ``model_``, a :class:`.FittedAutoencoder`, with ``_keep``."""

    model_: FittedAutoencoder
    n_features_in_: int
    _is_learned: NDArray[np.bool_]
    _means: NDArray[np.float64]

    def _set_parameters(self, given: Mapping[str, Any]) -> None:
        """Set an attribute for each parameter of the constructor, as scikit-learn wants it.

        Args:
            given: The constructor's parameters by name, others among them.
        """
        for name in self._get_param_names():
            setattr(self, name, given[name])

    def __sklearn_tags__(self) -> Any:
        """See scikit-learn: cells may be missing, and rows may come as a sparse matrix."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def transform(self, X: Any) -> Any:
        """Return latent points of rows.

        Args:
            X: ``[rows, columns]``: an array, a frame, or a SciPy sparse matrix; NaN is missing.

        Returns:
            ``[rows, latent_dim]``, an array, or what ``set_output`` says.

        Warns:
            UserWarning: If cells are far outside of what was learned from.
        """
        check_is_fitted(self)
        cells, dtype = self._cells(X)
        learned = cells[:, self._is_learned]
        with called():
            for message in far_outside(learned, self.model_.scaling, self.model_.columns):
                warnings.warn(message, UserWarning, stacklevel=3)
            points = self.model_.latent_points(learned, torch.float64)
        return points.astype(dtype, copy=False)

    def inverse_transform(self, X: Any) -> NDArray[np.floating]:
        """Return rows in the original units from latent points.

        Args:
            X: Latent points, ``[rows, latent_dim]``.

        Returns:
            ``[rows, columns]``; NaN in columns that had no cell in the rows of ``fit``.
        """
        check_is_fitted(self)
        points = check_array(X, dtype=[np.float64, np.float32])
        latent_dim = self.model_.model.shape.latent_dim
        if points.shape[1] != latent_dim:
            raise InputError(f"X must be latent points [rows, {latent_dim}], got {list(points.shape)}")
        with called():
            scaled = self.model_.decoded(points.astype(np.float64), torch.float64)
        learned = self.model_.scaling.undo(scaled)
        return self._in_all_columns(learned).astype(points.dtype, copy=False)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the explained variance of rows: 1 is perfect, 0 as good as the means of the rows of ``fit``.

        It is the mean over columns of 1 - squared error / squared deviation from the mean, over observed
        cells in the original units. Columns that were constant or unobserved in ``fit``, or do not deviate
        here, are not judged.

        Args:
            X: Rows as for :meth:`transform`.
            y: Not used.
            sample_weight: How much each row counts, ``[rows]``.

        Raises:
            ValueError: If no column can be judged.
        """
        from sklearn.utils.validation import _check_sample_weight

        check_is_fitted(self)
        cells, _ = self._cells(X)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, cells)
        learned = cells[:, self._is_learned]
        with called():
            return explained_score(learned, self.model_.reconstruct(learned), self._means, weights)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return names of the latent columns: ``latent_1``, ``latent_2``, ...

        Args:
            input_features: Not used, but must be the names of the columns of ``fit`` if given.
        """
        from sklearn.utils.validation import _check_feature_names_in

        check_is_fitted(self)
        _check_feature_names_in(self, input_features)
        latent_dim = self.model_.model.shape.latent_dim
        return np.array([f"latent_{i + 1}" for i in range(latent_dim)], dtype=object)

    def _table(self, X: Any, n_least: int) -> Table:
        """Return the rows of ``fit`` as a table, of the columns that have an observed cell."""
        X = validate_data(
            self, X, accept_sparse=_SPARSE, dtype=np.float64, ensure_all_finite="allow-nan",
            ensure_min_samples=n_least,
        )  # fmt: skip
        cells = _dense(X)
        self._is_learned = ~np.isnan(cells).all(axis=0)
        if not self._is_learned.any():
            raise InputError("X must have an observed cell, but all are missing")
        names = getattr(self, "feature_names_in_", [f"x{j + 1}" for j in range(cells.shape[1])])
        columns = [str(name) for name, learned in zip(names, self._is_learned, strict=True) if learned]
        return Table(np.ascontiguousarray(cells[:, self._is_learned]), columns, "X")

    def _keep(self, model: FittedAutoencoder, learned: NDArray[np.int64], table: Table) -> None:
        """Keep a model, and the means that :meth:`score` measures it by."""
        self.model_ = model
        rows = table.values[learned]
        low, high = np.fmin.reduce(rows), np.fmax.reduce(rows)
        self._means = np.full(rows.shape[1], np.nan)
        judged = low < high
        self._means[judged] = np.nanmean(rows[:, judged], axis=0)

    def _cells(self, X: Any) -> tuple[NDArray[np.float64], Any]:
        """Return rows in double precision, and the type of numbers that they are wanted in."""
        X = validate_data(
            self, X, accept_sparse=_SPARSE, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan",
            reset=False,
        )  # fmt: skip
        return _dense(X).astype(np.float64, copy=False), X.dtype

    def _in_all_columns(self, learned: NDArray[np.float64]) -> NDArray[np.float64]:
        cells = np.full((len(learned), self.n_features_in_), np.nan)
        cells[:, self._is_learned] = learned
        return cells

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: of the model plain arrays and values."""
        state = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = stored_model(state["model_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """See :meth:`__getstate__`."""
        state = dict(state)
        if "model_" in state:
            state["model_"] = model_from(state["model_"])
        super().__setstate__(state)


def _dense(X: Any) -> NDArray[Any]:
    dense: NDArray[Any] = X.toarray() if hasattr(X, "toarray") else X
    return dense
