from __future__ import annotations

from concurrent.futures import Future

from autoenc.engines import Fit, Outcome, Recipe
from autoenc.search import run_fits
from autoenc.search.loop import BatchLost

FITS = [Fit((width,), 2, Recipe()) for width in range(1, 201)]
SECONDS = 0.01


class Batches:
    """An executor that takes batches of a tenth of a second and loses those with ``deadly`` fits."""

    def __init__(self, deadly: set[Fit]) -> None:
        self.deadly, self.sizes = deadly, []

    def slots(self) -> int:
        return 2

    def batch_s(self) -> float:
        return 10 * SECONDS

    def submit(self, fits, watch=None) -> Future:
        self.sizes.append(len(fits))
        answer: Future = Future()
        if self.deadly.intersection(fits):
            answer.set_exception(BatchLost("it died"))
        else:
            answer.set_result([Outcome([1.0], [1.0], 1.0, SECONDS, {}) for _ in fits])
        return answer

    def close(self) -> None:
        raise AssertionError("an executor that was handed in is left open")


def test_a_deadly_fit_fails_alone_and_all_others_are_trained(make_split) -> None:
    executor, outcomes, split = Batches({FITS[50], FITS[7]}), {}, make_split()
    run_fits(FITS, lambda fold: split, None, 1, outcomes.__setitem__, executor=executor)
    assert set(outcomes) == set(FITS)
    assert {fit for fit in FITS if outcomes[fit].failure} == executor.deadly
    assert outcomes[FITS[7]].failure == "it died"


def test_batches_hold_what_was_asked_for_and_shrink_towards_the_end(make_split) -> None:
    executor, outcomes, split = Batches(set()), {}, make_split()
    run_fits(FITS, lambda fold: split, None, 1, outcomes.__setitem__, executor=executor)
    assert sum(executor.sizes) == len(outcomes) == len(FITS)
    assert executor.sizes[:4] == [1, 1, 1, 1], "nothing is known of durations yet"
    assert 8 <= max(executor.sizes) <= 20
    assert executor.sizes[-1] == 1
