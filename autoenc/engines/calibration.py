"""Calibrated reconstructions: columns that a network hardly knows are drawn back to their mean.

Of a column that hardly varies, such as a pixel that is nearly always 0, small errors of a network are large
beside the column's own deviations: its explained variance is far below 0, and decides the mean over columns.
Whether that is so shows in rows that a network has not learned from. Each column's reconstructions are
therefore moved towards the column's mean by a factor between 0 (the mean) and 1 (as they are), which follows
from folds of the training rows, as in stacked regressions (Breiman, Machine Learning 24, 1996). The factors
become part of the last layer, so that a calibrated network is a network like others.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.contract import Engine, Request, StopFlag
from autoenc.engines.explained import explained_variance, reconstruction_loss
from autoenc.engines.fit import BEFORE, Fit, Outcome, State, seed_of_fold
from autoenc.engines.split import Split
from autoenc.engines.wrapping import Wrapping
from autoenc.system.surroundings import one_library_thread

__all__ = ["Calibrating", "calibrated_state", "calibration_factors", "hardly_varies"]

_FACTORS = np.linspace(0, 1, 11)
_SHARE = 0.01
"""Of a column's deviation over all rows, added to that in a fold: a bound on what one fold can decide."""
_LEAST_GAIN = 0.02
"""Of explained variance, in folds that the factors do not follow from."""
_LEAST_ROWS = 30
"""Rows that judge a fold: in fewer columns vary little by chance, and factors follow from luck."""
_SMALL_SHARE = 0.1
"""Of a column's deviation over all rows: in a fold with less it hardly varies."""
_MOST_ERROR = 2.0
"""Of a column's own deviation: more in any half of any fold is too much, whatever it is on average."""
_LEAST_KNOWN = 0.01
"""Of a column's deviation in all folds: a network that explains less does not know the column."""
_CHUNK_CELLS = 2**22
_MEMORY_BYTES = 256 * 2**20
_N_HALVED = 4

Floats = NDArray[np.float64]


class _Errors(NamedTuple):
    """What factors would come to in random halves of the rows that judge a fold.

    Attributes:
        squared: ``[factors, halves, columns]``, squared errors.
        own: ``[halves, columns]``, squared deviations from the training mean.
        pooled: ``[columns]``, what they would be if these rows varied as all rows do.
    """

    squared: NDArray[np.float32]
    own: Floats
    pooled: Floats


def hardly_varies(split: Split) -> bool:
    """Return whether a column varies far less in the rows that judge a fold than in all its rows.

    Args:
        split: One of several folds.
    """
    if split.test.size < _LEAST_ROWS:
        return False
    _, pooled, is_judged = split.deviations
    return bool((_own_deviations(split)[is_judged] < _SMALL_SHARE * pooled[is_judged]).any())


def _own_deviations(split: Split) -> Floats:
    return replace(split, is_fold=False).deviations[1]


class Calibrating(Wrapping[Engine]):
    """An engine that calibrates the fits whose recipe asks for it, and has another engine train.

    A fit on a fold is left as it is, and what follows from it is kept in memory for a while. Others need one
    more training for each fold that is not remembered, to the same bits.

    Args:
        base: What trains.
        split_of: The data of a fit on a fold.
    """

    def __init__(self, base: Engine, split_of: Callable[[Fit], Split]) -> None:
        super().__init__(base)
        self._split_of = split_of
        self._kept: OrderedDict[Fit, _Errors] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to other processes, which train fits on folds alone, it is the engine that trains."""
        return _itself, (self._base,)

    def _train(self, request: Request, stop: StopFlag | None) -> Outcome:
        split, fit, outcome = request.split, request.fit, self._by_base(request, stop)
        if not fit.recipe.calibration_folds or outcome.failure is not None:
            return outcome
        if split.is_fold:
            self._keep(fit, _errors(split, self._reconstruct(split, fit, outcome.state)))
            return outcome
        factors = self._factors(fit, stop)
        if factors is None:
            return outcome
        if split.groups is not None:
            factors[split.groups >= 0] = 1.0  # categories are read off the largest of their indicators
        return self._calibrated(split, fit, outcome, factors)

    def _factors(self, fit: Fit, stop: StopFlag | None) -> Floats | None:
        errors = []
        for k in range(fit.recipe.calibration_folds):
            fold = f"{k + 1}/{fit.recipe.calibration_folds}"
            on_fold = replace(fit, fold=fold, seed=seed_of_fold(fit.seed, k))
            if on_fold not in self._kept:
                outcome = self.fit(self._split_of(on_fold), on_fold, stop)
                if outcome.failure is not None:
                    return None
            errors.append(self._kept[on_fold])
        return calibration_factors(errors)

    def _keep(self, fit: Fit, errors: _Errors) -> None:
        with self._lock:
            self._kept[fit] = errors
            n_kept = max(fit.recipe.calibration_folds, _MEMORY_BYTES // errors.squared.nbytes)
            while len(self._kept) > n_kept:
                self._kept.popitem(last=False)

    def _calibrated(self, split: Split, fit: Fit, outcome: Outcome, factors: Floats) -> Outcome:
        state = calibrated_state(fit, outcome.state, factors, _centers(split))
        reconstruct = self._reconstruct(split, fit, state)
        test_losses, start_loss = list(outcome.test_losses), outcome.start_loss
        test_loss = reconstruction_loss(split, split.test, reconstruct, fit.recipe)
        if outcome.kept_epoch == BEFORE:
            start_loss = test_loss
        else:
            test_losses[outcome.kept_epoch] = test_loss
        return replace(
            outcome, state=state, test_losses=test_losses, start_loss=start_loss,
            final_train_loss=reconstruction_loss(split, split.train, reconstruct, fit.recipe),
            explained=explained_variance(split, reconstruct),
        )  # fmt: skip

    def _reconstruct(
        self, split: Split, fit: Fit, state: State
    ) -> Callable[[NDArray[np.int64]], NDArray[np.floating]]:
        return lambda rows: self._base.reconstruct(split, fit, state, rows)


def _itself(engine: Engine) -> Engine:
    return engine


def calibration_factors(folds: list[_Errors]) -> Floats | None:
    """Return the factor of each column, ``[columns]``.

    Args:
        folds: What each factor would come to in each fold, at least two.

    Returns:
        1 of all columns where they do not gain enough in folds that they do not follow from; and 0 of columns
        of which the folds say nothing, as of one that is constant in all their rows. None if all are 1.
    """
    shares = np.stack([_share_of_error(fold) for fold in folds])
    is_unknown = (shares == shares[:, -1:]).all(axis=(0, 1))
    gains = []
    for k, fold in enumerate(folds):
        best = _best(np.delete(shares, k, axis=0), folds[:k] + folds[k + 1 :])
        error = np.take_along_axis(fold.squared, best[None, None], axis=0)[0]
        is_judged = fold.own > 0
        if is_judged.any():
            gained = (fold.squared[-1] - error)[is_judged] / fold.own[is_judged]
            gains.append(float(gained.mean()))
    is_worth_it = bool(gains) and np.mean(gains) >= _LEAST_GAIN
    factors: Floats = _FACTORS[_best(shares, folds)] if is_worth_it else np.ones(shares.shape[-1])
    factors[is_unknown] = 0.0
    return None if (factors == 1).all() else factors


def _share_of_error(fold: _Errors) -> Floats:
    """``[factors, columns]``, the mean over halves."""
    deviation = fold.own + _SHARE * fold.pooled
    shares = np.zeros(fold.squared.shape)
    np.divide(fold.squared, deviation, out=shares, where=deviation > 0)
    mean: Floats = shares.mean(axis=1)
    return mean


def _best(shares: Floats, folds: list[_Errors]) -> NDArray[np.int64]:
    """Return indices of the best factors ``[columns]``, among equals of the largest; 0 of unknown columns.

    Args:
        shares: Of error, ``[folds, factors, columns]``.
        folds: What they are of.
    """
    means, n_factors = shares.mean(axis=0), shares.shape[1]
    best = n_factors - 1 - np.argmin(means[::-1], axis=0)
    most = np.min([_most_factor(fold) for fold in folds], axis=0)
    lowest = np.minimum(best, most)
    left = np.mean([fold.squared.mean(axis=1) for fold in folds], axis=0)  # [factors, columns]
    explained = left[0] - np.take_along_axis(left, lowest[None], axis=0)[0]
    found: NDArray[np.int64] = np.where(explained < _LEAST_KNOWN * left[0], 0, lowest)
    return found


def _most_factor(fold: _Errors) -> NDArray[np.int64]:
    """Return the index of the largest factor ``[columns]`` with which no half has far too much error.

    Where other rows judge, a column may vary as little as in the half in which it varies least, and what is
    right on average is then far off.
    """
    is_allowed = np.all(fold.squared <= _MOST_ERROR * fold.own, axis=1)
    is_allowed[0] = True
    n_factors = len(is_allowed)
    most: NDArray[np.int64] = n_factors - 1 - np.argmax(is_allowed[::-1], axis=0)
    return most


@one_library_thread()
def _errors(split: Split, reconstruct: Callable[[NDArray[np.int64]], NDArray[np.floating]]) -> _Errors:
    mean, pooled, _ = split.deviations
    centers, halves = _centers(split), _halves(split.test.size)
    squared = np.zeros((len(_FACTORS), len(halves), pooled.size))
    own = np.zeros((len(halves), pooled.size))
    n_rows = max(1, _CHUNK_CELLS // pooled.size)
    for start in range(0, split.test.size, n_rows):
        rows, within = split.test[start : start + n_rows], halves[:, start : start + n_rows]
        target, scaled = split.target(rows), reconstruct(rows).astype(np.float64)
        own += within @ np.nan_to_num(np.square(target - mean))
        for i, factor in enumerate(_FACTORS):
            moved = centers + factor * (scaled - centers)
            with np.errstate(over="ignore", invalid="ignore"):
                moved = moved if split.undo is None else split.undo(moved)
                squared[i] += within @ np.nan_to_num(np.square(moved - target), posinf=np.inf)
    return _Errors(squared.astype(np.float32), own, pooled / 2)


def _halves(n_rows: int) -> Floats:
    """Random halves of rows and what is left, ``[halves, rows]`` of ones and zeros.

    What a column comes to depends on whether a row that differs is among those that judge; folds are few.
    """
    rng, halves = np.random.default_rng(0), []
    for _ in range(_N_HALVED):
        half = np.zeros(n_rows)
        half[rng.permutation(n_rows)[: n_rows // 2]] = 1.0
        halves += [half, 1 - half]
    return np.array(halves)


def _centers(split: Split) -> Floats:
    """Means of the scaled cells of the training rows ``[columns]``; 0 where there is none."""
    centers = np.zeros(split.values.shape[1])
    for j in range(centers.size):  # by column, so that the rows are never copied as a whole
        column = split.values[split.train, j]
        observed = column[~np.isnan(column)]
        if observed.size:
            centers[j] = observed.mean(dtype=np.float64)
    return centers


def calibrated_state(fit: Fit, state: State, factors: Floats, centers: Floats) -> State:
    """Return the parameters of the network whose reconstructions are ``center + factor (x - center)``.

    Args:
        fit: What was trained.
        state: Its parameters; not changed.
        factors: ``[columns]``.
        centers: ``[columns]``, scaled.
    """
    output = fit.network(factors.size).layers()[-1].linear
    weights = [f"{output}.weight", *(["decoder_line.weight"] if fit.recipe.start == "pca" else [])]
    bias = f"{output}.bias"
    changed = {name: (state[name] * factors[:, None]).astype(state[name].dtype) for name in weights}
    changed[bias] = (factors * state[bias] + (1 - factors) * centers).astype(state[bias].dtype)
    return {**state, **changed}
