"""The latent plane of the best model: where the rows lie, how dense, in which clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.report.plots import COLOURS, label_axes, legend_beside, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LatentPlot", "draw_latent", "latent_plot"]

# Density estimate and silhouettes cost the square of the number of rows: past this they use a sample.
_SAMPLE = 2000
_SHOWN = 20000
_MOST_CLUSTERS = 8


class LatentPlot(NamedTuple):
    """Latent points with what their colours say.

    Shape:
        points: ``[n, 2]``.
        density: ``[n]``, estimated probability density.
        cluster: ``[n]``, from 0.
        is_test: ``[n]``.
    """

    title: str
    points: NDArray[np.float64]
    density: NDArray[np.float64]
    cluster: NDArray[np.int64]
    is_test: NDArray[np.bool_]
    silhouette: float


def latent_plot(latent: NDArray[np.floating], test: NDArray[np.int64], title: str, seed: int) -> LatentPlot:
    """Compute what the picture of a latent plane will show.

    Args:
        latent: ``[rows, 2]``.
        test: Indices of the test rows.
        title: Says whose plane it is.
        seed: For the samples and the clusters.
    """
    rng = np.random.default_rng(seed)
    is_test = np.zeros(len(latent), bool)
    is_test[test] = True
    if len(latent) > _SHOWN:
        shown = np.sort(rng.choice(len(latent), _SHOWN, replace=False))
        latent, is_test = latent[shown], is_test[shown]
        title += f" ({_SHOWN:,} of its rows, drawn at random)"
    points = latent.astype(np.float64)
    sample = rng.choice(len(points), min(_SAMPLE, len(points)), replace=False)
    cluster, silhouette = _clusters(points, sample, seed)
    return LatentPlot(title, points, _density(points, points[sample]), cluster, is_test, silhouette)


def _density(points: NDArray[np.float64], sample: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import gaussian_kde

    try:
        return np.asarray(gaussian_kde(sample.T)(points.T))
    except (np.linalg.LinAlgError, ValueError):  # all points on a line: no density in the plane
        return np.ones(len(points))


def _clusters(
    points: NDArray[np.float64], sample: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.int64], float]:
    """Return K-means with the number of clusters whose silhouette is highest (Rousseeuw, 1987)."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score
    from threadpoolctl import threadpool_limits

    n_distinct = len(np.unique(points[sample], axis=0))
    best = np.zeros(len(points), np.int64), float("nan")
    with threadpool_limits(1):  # on samples this small, threads cost far more than they bring
        for n_clusters in range(2, min(_MOST_CLUSTERS, n_distinct - 1) + 1):
            model = KMeans(n_clusters, n_init=3, random_state=seed).fit(points[sample])
            score = float(silhouette_score(points[sample], model.labels_))
            if not score <= best[1]:
                best = model.predict(points).astype(np.int64), score
    return best


def draw_latent(plot: LatentPlot) -> Figure:
    """Draw the plane twice: by density and by cluster; test rows are crosses in both."""
    figure = new_figure(12.0, 5.5)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    figure.suptitle(plot.title, x=0.01, ha="left")
    order = np.argsort(plot.density)  # the densest on top
    low, high = float(plot.density.min()), float(plot.density.max())
    for name, chosen, marker in (("train", ~plot.is_test, "o"), ("test", plot.is_test, "x")):
        rows = order[chosen[order]]
        shown = left.scatter(
            *plot.points[rows].T, c=plot.density[rows], cmap="viridis", vmin=low, vmax=high,
            s=12 if marker == "o" else 18, marker=marker, linewidth=0.8 if marker == "x" else 0, label=name,
        )  # fmt: skip
        for k in np.unique(plot.cluster):
            rows = np.flatnonzero(chosen & (plot.cluster == k))
            right.scatter(
                *plot.points[rows].T, color=COLOURS[k % len(COLOURS)], marker=marker,
                s=12 if marker == "o" else 18, linewidth=0.8 if marker == "x" else 0, alpha=0.8,
            )  # fmt: skip
    figure.colorbar(shown, ax=left, label="density of rows")
    left.set_title("density", loc="left")
    n_clusters = len(np.unique(plot.cluster))
    right.set_title(f"{n_clusters} k-means clusters, silhouette {plot.silhouette:.2f}", loc="left")
    for axis in (left, right):
        label_axes(axis, "latent dimension 1", "latent dimension 2", axis.get_title(loc="left"))
    handles = [
        right.scatter([], [], color=COLOURS[k % len(COLOURS)], s=24, label=f"cluster {k + 1}")
        for k in np.unique(plot.cluster)
    ]
    handles += [
        right.scatter([], [], color="grey", marker=marker, s=24, label=f"{name} rows")
        for name, marker in (("train", "o"), ("test", "x"))
    ]
    legend_beside(right, handles=handles)
    return figure
