"""The last round: the best trials of a search are judged again, as the lowest of noisy values is partly luck.

Sequential halving (Karnin, Koren and Somekh, "Almost optimal exploration in multi-armed bandits", ICML 2013):
in each round all that are left are judged by as many further cross-validations as there were before, and the
better half goes on. Those that are hard to tell apart get most of the work. How far the round is follows from
the recorded values alone, so that a search that was killed repeats nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.data.division import Division, fold_names, repeat_seed
from autoenc.engines import Fit, Outcome
from autoenc.searching.trials import Trial, TrialResult

__all__ = [
    "Finalist", "JudgedTrials", "Standing", "check_repeats", "judge_again", "mean_error", "n_judgements",
    "n_repeats", "plan_line", "standing_of",
]  # fmt: skip

Row = NDArray[np.float64]
"""Values of one trial, lower is better: of each fold of the search and of all repeats so far."""


class Finalist(NamedTuple):
    """The result of a finalist over the folds of the search and of its repeats.

    Attributes:
        number: Of the trial.
        n_folds: Folds that it was judged by; the better a trial did, the more.
        mean: Of the value over these.
        standard_error: Of that mean.
        above: How much higher the mean is than the winner's over the same folds; 0 for the winner.
        above_standard_error: Of that difference, from the differences in each fold.
    """

    number: int
    n_folds: int
    mean: float
    standard_error: float
    above: float
    above_standard_error: float


class Standing(NamedTuple):
    """The state of the last round.

    Attributes:
        rows: Values of all finalists that have not failed, by their numbers.
        order: Their numbers, best first: those that went further, and among them those of lower mean.
        missing: What the present round still has to judge, a number and a repeat each; empty at the end.
        n_folds: Folds of one cross-validation.
    """

    rows: dict[int, Row]
    order: list[int]
    missing: list[tuple[int, int]]
    n_folds: int

    def finalists(self) -> list[Finalist]:
        """Return how the finalists compare, best first; none while they are not judged to the end."""
        if self.missing or len(self.order) < 2:
            return []
        finalists = []
        for number in self.order:
            row = self.rows[number]
            above = row - self.rows[self.order[0]][: len(row)]
            finalists.append(
                Finalist(
                    number, len(row), float(row.mean()), mean_error(row, self.n_folds), float(above.mean()),
                    mean_error(above, self.n_folds),
                )
            )  # fmt: skip
        return finalists


def _rounds(n_finalists: int) -> Iterator[tuple[int, range]]:
    """Yield how many finalists each round begins with, and its repeats."""
    done = 0
    while n_finalists > 1:
        repeats = range(done + 1, 2 * done + 2)
        yield n_finalists, repeats
        done, n_finalists = repeats[-1], -(-n_finalists // 2)


def n_repeats(n_finalists: int) -> int:
    """Return the repeats of the cross-validation that the last ones are judged by."""
    return max((repeats[-1] for _, repeats in _rounds(n_finalists)), default=0)


def n_judgements(n_finalists: int) -> int:
    """Return the repeated cross-validations of all finalists together."""
    return sum(count * len(repeats) for count, repeats in _rounds(n_finalists))


def standing_of(
    first: Mapping[int, Row], judged: Callable[[int, int], Sequence[float] | Row | str | None]
) -> Standing:
    """Return how far the last round is.

    Args:
        first: Values of each finalist over the folds of the search, by its number, the best first.
        judged: Values of a number over the folds of a repeat; why there are none; or None while that is open.
    """
    left, rows, out = list(first), dict(first), list[int]()
    n_folds = max(map(len, first.values()), default=0)
    for _, repeats in _rounds(len(left)):
        if len(left) < 2:
            break  # the others failed
        asked = {(number, repeat): judged(number, repeat) for repeat in repeats for number in left}
        missing = [key for key, values in asked.items() if values is None]
        if missing:
            return Standing(rows, left + out, missing, n_folds)
        for (number, _), values in asked.items():
            if isinstance(values, str):  # a trial that fails with other seeds is none to keep
                rows.pop(number, None)
            elif number in rows and values is not None:
                rows[number] = np.concatenate([rows[number], values])
        sound = sorted((number for number in left if number in rows), key=lambda n: float(rows[n].mean()))
        n_kept = -(-len(left) // 2)
        left, out = sound[:n_kept], sound[n_kept:] + out
    return Standing(rows, left + out, [], n_folds)


def mean_error(values: Row, n_folds: int) -> float:
    """Return the standard error of a mean over the folds of cross-validations of ``n_folds`` each.

    Folds share rows, so the variance of a mean over them is taken ``1 / folds + test rows / training rows``
    times that of a fold (Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52,
    2003).
    """
    return sqrt((1 / len(values) + 1 / (n_folds - 1)) * float(values.var(ddof=1)))


class JudgedTrials(NamedTuple):
    """The finalists of a search whose trials are made of fits.

    Attributes:
        results: The best trials of the search, the best first; their places are the finalists' numbers.
        standing: How far the last round is.
        repeats: The trials of all repeats that are wanted so far, recorded ones among them.
    """

    results: Sequence[TrialResult]
    standing: Standing
    repeats: list[Trial]

    @property
    def winner(self) -> TrialResult | None:
        """The trial that is kept; None while the finalists are not judged to the end."""
        finalists = self.standing.finalists()
        return self.results[finalists[0].number] if finalists else None


def judge_again(
    ranked: Sequence[TrialResult], n_finalists: int, outcomes: Mapping[Fit, Outcome]
) -> JudgedTrials:
    """Return how the best trials do in repeats of the cross-validation, as far as these are recorded.

    Args:
        ranked: Trials that succeeded, lowest loss first, all judged by folds.
        n_finalists: How many of them are judged again.
        outcomes: Fits that are done.
    """
    results, repeats = ranked[:n_finalists], list[Trial]()

    def judged(number: int, repeat: int) -> list[float] | str | None:
        trial = _repeated(results[number].trial, repeat)
        repeats.append(trial)
        result = trial.result(outcomes)
        return None if result is None else result.failure or result.repetitions

    first = {number: np.array(result.repetitions) for number, result in enumerate(results)}
    return JudgedTrials(results, standing_of(first, judged), repeats)


def check_repeats(division: Division, n_folds: int, n_finalists: int) -> None:
    """Divide the rows into the folds of all repeats, which fails now or never.

    Raises:
        InputError: If they cannot be divided.
    """
    for repeat in range(1, n_repeats(n_finalists) + 1):
        division.rows(fold_names(n_folds, repeat)[0])


def plan_line(n_finalists: int, n_folds: int) -> str:
    """Return in words what will be judged again."""
    return (
        f"the best {n_finalists} are judged again at the end, by up to "
        f"{n_repeats(n_finalists) * n_folds:,} further folds"
    )


def _repeated(trial: Trial, repeat: int) -> Trial:
    """Return a trial by other folds of the same rows and by other seeds."""
    first = repeat_seed(trial.seeds[0], repeat)
    seeds = tuple((first + i) % 2**32 for i in range(len(trial.seeds)))
    return replace(trial, folds=tuple(fold_names(len(trial.folds), repeat)), seeds=seeds)
