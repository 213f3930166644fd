from __future__ import annotations

import numpy as np
import pytest

from autoenc.analysis.selection import elbow, knee, loss_matrix, pareto_front, select, tied_with_best
from autoenc.engines import Outcome, Recipe
from autoenc.searching.trials import Trial, TrialResult
from autoenc.settings.scores import parse_score

FOLDS = tuple(f"{k}/5" for k in range(1, 6))


def result(architecture: tuple[int, ...], losses, folds=FOLDS, seeds=(1,), seconds=1.0) -> TrialResult:
    trial = Trial(architecture, 2, Recipe(), folds, seeds)
    outcomes = tuple(Outcome([1.0], [float(loss)], 1.0, seconds, {}, 0) for loss in losses)
    return TrialResult(trial, outcomes)


def test_the_corrected_t_is_that_of_nadeau_and_bengio() -> None:
    """Two rows: the smallest p value is that of the formula, computed here by hand."""
    from scipy import stats

    a, b = np.array([1.0, 1.1, 0.9, 1.05, 0.95]), np.array([1.3, 1.32, 1.28, 1.25, 1.33])
    d = b - a
    t = d.mean() / np.sqrt((1 / 5 + 1 / 4) * d.var(ddof=1))
    p = stats.t.sf(t, 4)
    losses = np.stack([b, a])
    assert tied_with_best(losses, 1 / 4, alpha=p * 1.001) == [1]
    assert tied_with_best(losses, 1 / 4, alpha=p * 0.999) == [1, 0]


@pytest.mark.parametrize(("n", "ratio"), [(5, 0.0), (10, 0.0), (5, 1 / 4)])
def test_without_structure_no_row_is_called_worse_more_often_than_stated(n, ratio) -> None:
    rng = np.random.default_rng(n)
    wrong = 0
    for _ in range(400):
        shared = rng.normal(size=n)
        losses = shared + rng.normal(size=(12, n)) * rng.uniform(0.3, 1, size=(12, 1))
        wrong += len(tied_with_best(losses, ratio)) < 12
    assert wrong / 400 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize("gap", [0.0, 0.5, 2.0])
def test_the_truly_best_row_is_among_the_tied_at_the_stated_rate(gap) -> None:
    rng = np.random.default_rng(7)
    truth = gap * np.arange(10)[:, None]
    missed = sum(0 not in tied_with_best(truth + rng.normal(size=(10, 6)), 0.0) for _ in range(400))
    assert missed / 400 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)


def test_clearly_worse_rows_are_left_out() -> None:
    rng = np.random.default_rng(1)
    losses = np.array([1.0, 1.001, 3.0])[:, None] + 0.01 * rng.normal(size=(3, 8))
    assert sorted(tied_with_best(losses, 1 / 7)) == [0, 1]


def test_seeds_are_averaged_within_folds() -> None:
    one = result((8,), [1, 3, 2, 4, 3, 5, 4, 6, 5, 7], seeds=(1, 2))
    assert loss_matrix([one]).tolist() == [[2, 3, 4, 5, 6]]


def test_each_rule_keeps_its_stack() -> None:
    best = result((128, 128), [1.00, 1.10, 0.90, 1.05, 0.95])
    near = result((64,), [1.01, 1.11, 0.93, 1.06, 0.96])
    small = result((4,), [2.0, 2.1, 1.9, 2.0, 2.0])
    wasteful = result((128, 128, 128), [1.5, 1.6, 1.4, 1.5, 1.5])
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
