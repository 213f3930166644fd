"""Estimate of a search's time and memory, from a short calibration on this machine."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from autoenc.engines import Engine, Fit, Split
from autoenc.engines.verify import spread
from autoenc.searching.fits import FitWork, fit_work

__all__ = ["estimate_seconds"]

_ROWS = 4000  # of a large table, enough to time an epoch
_SECONDS = 0.25  # for each measured fit
_PROBES = 4
_ROWS_TOGETHER, _STEPS_TOGETHER = 1000, 4  # at least, of a large table where many fits train at once


def estimate_seconds(
    fits: Sequence[Fit],
    split_of: Callable[[Fit], Split],
    engine: Engine,
    jobs: int,
    n_together: int | None = None,
) -> float:
    """Estimate the wall time of training ``fits``, ``jobs`` at a time.

    A few fits from the smallest to the largest are trained for a fraction of a second, with every core
    busy as in the search; the others' times are interpolated over their work, and the schedule
    (longest first) is played through.

    Args:
        fits: What would be trained; a warm start is taken to last as long as a cold one.
        split_of: The data of a fit; a large table is calibrated on some of its rows.
        engine: What would train.
        jobs: Fits at once.
        n_together: Fits that an engine is given at once that trains many; by default as many as it takes.

    Returns:
        Seconds; 0 without fits.
    """
    if not fits:
        return 0.0
    if engine.n_at_once:
        return _seconds_together(fits, split_of, engine, min(engine.n_at_once, n_together or len(fits)))
    fits = [_cold(fit) for fit in fits]
    work = np.array(list(map(FitWork(split_of).of, fits)), float)
    order = np.argsort(work, kind="stable")
    probes = sorted(
        {int(order[round(i)]) for i in np.linspace(0, len(fits) - 1, _PROBES)}, key=lambda i: work[i]
    )
    engine.prepare()
    measured = [_seconds_of(fits[i], split_of(fits[i]), engine, jobs) for i in probes]
    seconds = np.interp(work, work[probes], measured)
    loads = [0.0] * jobs
    for duration in sorted(seconds, reverse=True):
        heapq.heappush(loads, heapq.heappop(loads) + float(duration))
    return max(loads)


def _seconds_of(fit: Fit, split: Split, engine: Engine, jobs: int) -> float:
    """Return time of one fit when ``jobs`` like it train at once."""
    sample = replace(split, train=split.train[:_ROWS], test=split.test[: _ROWS // 4])
    share = sample.train.size / split.train.size

    def train(epochs: int) -> float:
        started = time.perf_counter()
        engine.fit(sample, replace(fit, recipe=replace(fit.recipe, stop_after=epochs, patience=0)))
        return time.perf_counter() - started

    once = train(1)
    epochs = max(1, min(fit.recipe.last_epoch, int(_SECONDS / max(once, 1e-4))))
    with ThreadPoolExecutor(jobs) as pool:
        together = float(np.mean(list(pool.map(train, [epochs] * jobs))))
    return together / epochs * fit.recipe.last_epoch / share


def _seconds_together(
    fits: Sequence[Fit], split_of: Callable[[Fit], Split], engine: Engine, n_together: int
) -> float:
    """Return time of all fits by an engine that trains many at once.

    As many as it is given train for one epoch and for three; all take as long for their work, and as long to
    begin and end for their number.
    """
    chosen = [_cold(fits[i]) for i in spread(len(fits), n_together)]
    n_rows = max(_ROWS_TOGETHER, _STEPS_TOGETHER * max(fit.recipe.batch_size for fit in chosen))
    samples: dict[tuple[str, str], Split] = {}
    for fit in chosen:
        split = split_of(fit)
        shorter = replace(split, train=split.train[:n_rows], test=split.test[: n_rows // 4])
        samples.setdefault(_data_of(fit), shorter)
    engine.prepare()

    def train(epochs: int) -> float:
        def one(fit: Fit) -> None:
            recipe = replace(fit.recipe, epochs=max(epochs, fit.recipe.epochs), stop_after=epochs, patience=0)
            engine.fit(samples[_data_of(fit)], replace(fit, recipe=recipe))

        started = time.perf_counter()
        with ThreadPoolExecutor(len(chosen)) as pool:
            list(pool.map(one, chosen))
        return time.perf_counter() - started

    once = train(1)
    per_epoch = max(train(3) - once, 0.0) / 2
    around = max(once - per_epoch, 0.0)
    measured = sum(fit_work(fit, samples[_data_of(fit)]) / fit.recipe.last_epoch for fit in chosen)
    n_epochs = sum(map(FitWork(split_of).of, fits)) / measured
    return around * len(fits) / len(chosen) + per_epoch * n_epochs


def _data_of(fit: Fit) -> tuple[str, str]:
    """Return what names a fit's split."""
    return fit.fold, fit.recipe.scaling


def _cold(fit: Fit) -> Fit:
    """Return a fit that begins as its seed says."""
    return replace(fit, recipe=replace(fit.recipe, warm_start=False))
