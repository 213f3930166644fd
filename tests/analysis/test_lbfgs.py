"""L-BFGS beside SciPy's, whose steps it takes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der

from autoenc.analysis import linear_baseline
from autoenc.analysis.baselines import baseline_losses
from autoenc.analysis.lbfgs import minimized
from autoenc.engines import Recipe, Split


def both(function, start, most_steps: int = 500, enough: float = 1e-10) -> list[tuple[np.ndarray, int]]:
    """Where each ends, and how often it asked for the function."""
    asked: list[np.ndarray] = []

    def counted(place: np.ndarray) -> tuple[float, np.ndarray]:
        asked.append(place)
        return function(place)

    options = {"maxiter": most_steps, "ftol": enough}
    theirs = minimize(function, start, jac=True, method="L-BFGS-B", options=options)
    return [(minimized(counted, start, most_steps, enough), len(asked)), (theirs.x, theirs.nfev)]


def rosenbrock(place: np.ndarray) -> tuple[float, np.ndarray]:
    return float(rosen(place)), rosen_der(place)


def quartic(place: np.ndarray) -> tuple[float, np.ndarray]:
    return float((place**4 - place).sum()), 4 * place**3 - 1


def waves(place: np.ndarray) -> tuple[float, np.ndarray]:
    """Many hollows, steep sides: steps are seldom good enough at once."""
    inner = 7 * place
    return float((np.sin(inner) + 0.1 * place**2).sum()), 7 * np.cos(inner) + 0.2 * place


def rational(place: np.ndarray) -> tuple[float, np.ndarray]:
    """Flat far away: steps must grow."""
    return float(-(1 / (1 + place**2)).sum()), 2 * place / (1 + place**2) ** 2


@pytest.mark.parametrize("function", [rosenbrock, quartic, waves, rational])
@pytest.mark.parametrize("seed", range(5))
def test_it_takes_the_steps_of_scipy(function, seed) -> None:
    start = np.random.default_rng(seed).normal(scale=2, size=7)
    (place, n), (theirs, n_theirs) = both(function, start)
    assert n == n_theirs
    np.testing.assert_allclose(place, theirs, rtol=1e-6, atol=1e-8)


def test_it_ends_where_nothing_is_to_be_gained_and_after_enough_steps() -> None:
    assert [n for _, n in both(rosenbrock, np.ones(4))] == [1, 1]
    start = np.random.default_rng(0).normal(size=4)
    (place, n), (theirs, n_theirs) = both(rosenbrock, start, most_steps=3)
    assert n == n_theirs
    np.testing.assert_allclose(place, theirs, rtol=1e-12)


def test_without_a_lower_point_it_stays_where_it_is() -> None:
    """The gradient points the wrong way, so that no step is low enough."""
    start = np.array([1.0, 2.0])
    place = minimized(lambda place: (float(place @ place), -2 * place), start, 50, 1e-9)
    np.testing.assert_array_equal(place, start)


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_step_without_a_number_is_not_taken() -> None:
    def cliff(place: np.ndarray) -> tuple[float, np.ndarray]:
        value = float(np.exp(place).sum()) if (place < 1).all() else np.inf
        return value, np.exp(place)

    place = minimized(cliff, np.zeros(3), 50, 1e-9)
    assert np.isfinite(place).all()
    assert (place < 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_linear_autoencoder_is_that_of_scipy(seed, monkeypatch) -> None:
    """As far as rounding lets a hundred steps be the same."""
    rng = np.random.default_rng(seed)
    table = rng.poisson(np.exp(rng.normal(size=(300, 2)) @ rng.normal(size=(2, 12)) - 1)).astype(np.float32)
    table[rng.random(table.shape) < 0.05] = np.nan
    split = Split(table / np.nanmax(table, axis=0), np.arange(240), np.arange(240, 300))

    def theirs(function, start, most_steps, enough):
        options = {"maxiter": most_steps, "ftol": enough}
        return minimize(function, start, jac=True, method="L-BFGS-B", options=options).x

    ours = baseline_losses(split, 2, Recipe())["linear"]
    monkeypatch.setattr(linear_baseline, "minimized", theirs)
    assert ours == pytest.approx(baseline_losses(split, 2, Recipe())["linear"], rel=1e-3)
