"""Several stacks in training at once."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest

from autoenc.engines import Fit, Outcome, Recipe, Request, StopFlag, Stopped
from autoenc.engines.stacked import StackedEngine
from autoenc.engines.stacks.lanes import run_in_lanes
from autoenc.engines.stacks.places import CPU

DONE = Outcome([], [], 0.0, 0.0, {})


class Lanes(CPU):
    """Notes the lanes that it is asked for."""

    n_lanes = 3

    def __init__(self, full_at: int | None = None) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.full_at = full_at

    @contextmanager
    def lane(self, number):
        self.asked.append(number)
        yield

    def repeatable(self, step, state):
        if self.full_at is not None and len(state[0]) >= self.full_at:
            raise MemoryError
        return step


def ends(numbers, n_turns, error=None):
    """A stack that takes so many turns, and then ends or fails."""
    for _ in range(n_turns):
        yield None
    for number in list(numbers):
        yield number, DONE
        if error is not None:
            raise error


def test_stacks_take_turns_and_the_next_begins_where_one_has_ended():
    place, answers = Lanes(), []
    stacks, turns = [[0, 1], [2], [3], [4, 5]], {0: 1, 2: 6, 3: 2, 4: 1}
    failed = run_in_lanes(
        place, 2, stacks, lambda stack: ends(stack, turns[stack[0]]), lambda *end: answers.append(end[0])
    )
    assert failed == []
    assert answers == [0, 1, 3, 4, 5, 2]
    assert place.asked[:6] == [0, 1, 0, 1, 0, 1]
    assert stacks == [[0, 1], [2], [3], [4, 5]]


def test_what_has_no_end_is_returned_and_the_others_go_on():
    answers, error = [], ArithmeticError()
    failed = run_in_lanes(
        Lanes(), 3, [[0, 1, 2], [3]], lambda stack: ends(stack, 1, error if len(stack) > 1 else None),
        lambda *end: answers.append(end[0]),
    )  # fmt: skip
    assert failed == [([1, 2], error)]
    assert answers == [0, 3]


def test_being_asked_to_stop_ends_all():
    with pytest.raises(Stopped):
        run_in_lanes(Lanes(), 3, [[0, 1]], lambda stack: ends(stack, 1, Stopped()), lambda *end: None)


def trained(split, place):
    patient = Recipe(epochs=8, batch_size=8, initial_lr=0.05, patience=1, min_epochs=1)
    fits = [
        Fit(widths, 2, recipe, seed)
        for widths in ((9, 5), (4,), (40, 40), (3, 3, 3))
        for recipe in (Recipe(epochs=3, batch_size=8), patient)
        for seed in (1, 2)
    ]
    answers = {}
    requests = [Request(split, fit) for fit in fits]
    StackedEngine(np.float64, place=place).fit_many(requests, answers.__setitem__, StopFlag())
    return [answers[i] for i in range(len(fits))]


def test_fits_come_to_the_same_in_lanes_and_their_times_add_up(make_split):
    split, place = make_split(), Lanes()
    found, expected = trained(split, place), trained(split, CPU())
    assert set(place.asked) == {0, 1, 2}
    for own, other in zip(found, expected, strict=True):
        assert own.test_losses == other.test_losses
        assert own.final_train_loss == other.final_train_loss
        assert own.seconds > 0


def test_where_memory_is_too_small_for_lanes_stacks_are_tried_alone_and_then_halved(make_split):
    split = make_split()
    found, expected = trained(split, Lanes(full_at=3)), trained(split, CPU())
    for own, other in zip(found, expected, strict=True):
        assert own.test_losses == pytest.approx(other.test_losses, rel=1e-9)


def test_what_leaves_no_room_for_a_second_stack_trains_alone(make_split):
    place, split = Lanes(), make_split()
    engine = StackedEngine(place=place)
    engine.prepare()
    requests = [Request(split, Fit(widths, 2, Recipe(epochs=1))) for widths in ((64, 32), (64,))]
    for room_bytes, lanes in ((600_000, {0}), (6_000_000, {0, 1, 2})):
        place.asked.clear()
        place.room_bytes = lambda room_bytes=room_bytes: room_bytes
        engine.fit_many(requests, lambda *end: None)
        assert set(place.asked) <= lanes
        assert (1 in place.asked) == (1 in lanes)
