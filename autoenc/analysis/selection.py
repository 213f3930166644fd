"""Selection of a stack: the best, those that may be as good, the simplest of them, the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from statistics import fmean

import numpy as np

from autoenc.analysis.ties import ties
from autoenc.searching.trials import TrialResult
from autoenc.settings.scores import score_parts

__all__ = ["Selection", "elbow", "knee", "pareto_front", "select"]


@dataclass(frozen=True)
class Selection:
    """The stack to keep, according to the results.

    Attributes:
        rule: How the stack to keep was chosen.
        chosen: That stack.
        best: The stack with the lowest mean loss.
        tied: Stacks that no other is shown to beat, the best first; None where that cannot be tested.
        one_se: The smallest stack within one standard error of the best; the best where there is none.
        pareto: Stacks that no other beats in size and loss at once, smallest first.
        method: How the ties were tested, or why they were not; it speaks of these trials alone.
    """

    rule: str
    chosen: TrialResult
    best: TrialResult
    tied: list[TrialResult] | None
    one_se: TrialResult
    pareto: list[TrialResult]
    method: str


def select(
    results: Sequence[TrialResult], input_dim: int, rule: str = "best", score: str | None = None
) -> Selection:
    """Choose among finished trials.

    Args:
        results: At least one, all measured by the same fits.
        input_dim: Columns of the table.
        rule: ``best``, ``one_se`` or ``pareto_knee``.
        score: A weighting as :func:`parse_score` reads it, which then decides instead of the loss.
    """
    ranked = sorted(results, key=lambda result: result.loss)
    sizes = [result.trial.n_parameters(input_dim) for result in ranked]
    front = pareto_front([(size, result.loss) for size, result in zip(sizes, ranked, strict=True)])
    pareto = [ranked[i] for i in front]
    limit = ranked[0].loss + (ranked[0].standard_error or 0.0)
    within = [i for i, result in enumerate(ranked) if result.loss <= limit]
    one_se = ranked[min(within, key=lambda i: (sizes[i], i))]
    tied, method = ties(ranked)
    if score is not None:
        rule, chosen = f"score {score}", ranked[_lowest_score(ranked, sizes, score)]
    elif rule == "pareto_knee":
        chosen = pareto[knee([(sizes[i], ranked[i].loss) for i in front])]
    else:
        chosen = one_se if rule == "one_se" else ranked[0]
    return Selection(rule, chosen, ranked[0], tied, one_se, pareto, method)


def pareto_front(points: Sequence[tuple[int, float]]) -> list[int]:
    """Return indices of the points that no other beats in size and loss at once, smallest first.

    Args:
        points: Size and loss of each; smaller is better in both.
    """
    front: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: points[i]):
        if not front or points[i][1] < points[front[-1]][1]:
            front.append(i)
    return front


def knee(points: Sequence[tuple[int, float]]) -> int:
    """Return the index of the point of a Pareto front beyond which size stops paying, on a log scale.

    Args:
        points: Size and loss, smallest size first.
    """
    at = _farthest_below([(log(size), loss) for size, loss in points])
    return len(points) - 1 if at is None else at


def elbow(points: Sequence[tuple[int, float]]) -> int | None:
    """Return the index of the latent size beyond which the loss falls more slowly; None without one.

    Args:
        points: Latent size and loss, smallest size first.
    """
    return _farthest_below([(float(size), loss) for size, loss in points])


def _farthest_below(points: Sequence[tuple[float, float]]) -> int | None:
    """Return the point farthest below the line between the ends, both axes scaled to the unit interval.

    This is the idea of Satopaa et al. (ICDCS Workshops 2011). None without a point below that line.
    """
    x, y = (np.array(values) for values in zip(*points, strict=True))
    if len(points) < 3 or y[0] <= y[-1]:
        return None
    below = (1 - (x - x[0]) / (x[-1] - x[0])) - (y - y[-1]) / (y[0] - y[-1])
    return int(np.argmax(below)) if below.max() > 1e-12 else None


def _lowest_score(ranked: Sequence[TrialResult], sizes: Sequence[int], score: str) -> int:
    seconds = [fmean(outcome.seconds for outcome in result.outcomes) for result in ranked]
    measures = {"loss": [result.loss for result in ranked], "params": sizes, "time": seconds}
    return int(np.argmin(sum(score_parts(score, measures).values())))
