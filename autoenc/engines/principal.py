"""Principal components of long tables, with scikit-learn's bits and without its import.

Importing scikit-learn takes as long as training a small grid. Where rows are many and columns few it takes
the eigenvectors of the covariances, which is a few lines; all else is left to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autoenc.system.surroundings import one_library_thread

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

__all__ = ["Components", "PrincipalComponents", "principal_components"]

_MOST_COLUMNS, _ROWS_PER_COLUMN = 1000, 10  # where scikit-learn decides for the covariances


class PrincipalComponents(NamedTuple):
    """The PCA of some rows; the names are those of scikit-learn.

    Attributes:
        mean_: ``[columns]``.
        components_: ``[components, columns]``, of unit length.
        explained_variance_: ``[components]``.
    """

    mean_: NDArray[np.floating]
    components_: NDArray[np.floating]
    explained_variance_: NDArray[np.floating]

    def transform(self, rows: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the components of rows, ``[rows, components]``."""
        projected: NDArray[np.floating] = rows @ self.components_.T
        projected -= self.mean_.reshape(1, -1) @ self.components_.T
        return projected

    def inverse_transform(self, components: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the rows that have these components, ``[rows, columns]``."""
        rows: NDArray[np.floating] = components @ self.components_ + self.mean_
        return rows


Components: TypeAlias = "PrincipalComponents | PCA"


def principal_components(rows: NDArray[np.floating], n_components: int) -> Components:
    """Fit PCA to rows without missing cells, as scikit-learn does by one thread.

    Args:
        rows: ``[rows, columns]``, in single or double precision.
        n_components: At most the smaller of both.
    """
    n_rows, n_columns = rows.shape
    if n_columns > _MOST_COLUMNS or n_rows < _ROWS_PER_COLUMN * n_columns:
        from sklearn.decomposition import PCA

        with one_library_thread():
            return PCA(n_components, random_state=0).fit(rows)
    with one_library_thread():
        return _by_covariances(rows, n_components)


def _by_covariances(rows: NDArray[np.floating], n_components: int) -> PrincipalComponents:
    n_rows, n_columns = rows.shape
    mean = rows.mean(axis=0)
    covariances = rows.T @ rows
    covariances -= n_rows * mean.reshape(-1, 1) * mean.reshape(1, -1)
    covariances /= n_rows - 1
    variances, vectors = np.linalg.eigh(covariances)
    variances = np.maximum(variances[::-1], 0)  # of next to nothing, rounding makes less
    components = vectors[:, ::-1].T
    largest = np.abs(components).argmax(axis=1)  # of each component, made positive
    components = components * np.sign(components[np.arange(n_columns), largest])[:, None]
    return PrincipalComponents(
        mean, components[:n_components].copy(order="K"), variances[:n_components].copy()
    )
