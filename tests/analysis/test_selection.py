from __future__ import annotations

import numpy as np
import pytest

from autoenc.analysis.selection import elbow, knee, pareto_front, select
from autoenc.engines import Outcome, Recipe
from autoenc.searching.trials import Trial, TrialResult
from autoenc.settings.scores import parse_score

FOLDS = tuple(f"{k}/5" for k in range(1, 6))


def result(architecture: tuple[int, ...], losses, folds=FOLDS, seeds=(1,), seconds=1.0) -> TrialResult:
    trial = Trial(architecture, 2, Recipe(), folds, seeds)
    outcomes = tuple(Outcome([1.0], [float(loss)], 1.0, seconds, {}, 0) for loss in losses)
    return TrialResult(trial, outcomes)


def test_each_rule_keeps_its_stack() -> None:
    best, near, small, wasteful = (
        result(architecture, np.repeat(losses, 2) + [0, 0.01] * 5, seeds=(1, 2))
        for architecture, losses in (
            ((128, 128), [1.00, 1.10, 0.90, 1.05, 0.95]),
            ((64,), [1.01, 1.11, 0.93, 1.06, 0.96]),
            ((4,), [2.0, 2.1, 1.9, 2.0, 2.0]),
            ((128, 128, 128), [1.5, 1.6, 1.4, 1.5, 1.5]),
        )
    )
    results = [wasteful, small, best, near]
    found = select(results, 24)
    assert found.chosen is found.best is best
    assert found.one_se is near
    assert found.pareto == [small, near, best]
    assert found.tied is not None
    assert near in found.tied
    assert small not in found.tied
    assert select(results, 24, "one_se").chosen is near
    assert select(results, 24, "pareto_knee").chosen is near
    assert select(results, 24, score="0.01*loss+1*params").chosen is small


def test_ties_are_not_claimed_without_repetitions() -> None:
    found = select([result((8,), [1], folds=("holdout",)), result((4,), [2], folds=("holdout",))], 24)
    assert found.tied is None
    assert "not tested" in found.method


def test_pareto_front_against_its_definition() -> None:
    rng = np.random.default_rng(3)
    points = [
        (int(size), float(loss)) for size, loss in zip(rng.integers(1, 50, 60), rng.random(60), strict=True)
    ]
    front = {points[i] for i in pareto_front(points)}
    for point in points:
        beaten = any(q != point and q[0] <= point[0] and q[1] <= point[1] for q in points)
        assert (point in front) != beaten


def test_knee_and_elbow() -> None:
    assert knee([(10, 1.0), (100, 0.2), (1000, 0.15), (10000, 0.1)]) == 1
    assert knee([(10, 1.0)]) == 0
    assert elbow([(2, 1.0), (3, 0.4), (4, 0.35), (8, 0.3)]) == 1
    assert elbow([(2, 1.0), (3, 0.5)]) is None
    assert elbow([(2, 1.0), (3, 2.0), (4, 3.0)]) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "loss",
        "1*loss-1*time",
        "-1*loss",
        "0*loss",
        "1*loss+1*loss",
        "1*speed",
        "__import__('os')",
        "1e400*loss",
    ],
)
def test_a_score_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_score(text)


def test_a_score_is_read() -> None:
    assert parse_score(" 0.8*loss + .2 * time ") == {"loss": 0.8, "time": 0.2}
