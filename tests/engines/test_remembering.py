from __future__ import annotations

import dataclasses
import pickle

from autoenc.engines import Fit, Recipe
from autoenc.engines.native import NativeEngine
from autoenc.engines.remembering import Remembering
from autoenc.engines.split import Origin


class Counting:
    name, device, n_at_once = "counting", "cpu", 0

    def __init__(self) -> None:
        self.base, self.n_fits = NativeEngine(), 0

    def fit(self, split, fit, stop=None, *, watch=None, initial=None):
        self.n_fits += 1
        return self.base.fit(split, fit, stop, watch=watch, initial=initial)


def test_only_the_last_fit_is_remembered(make_split) -> None:
    split, counting = make_split(), Counting()
    engine, fit = Remembering(counting), Fit((4,), 2, Recipe(epochs=1))
    other = dataclasses.replace(fit, seed=1)
    assert engine.fit(split, fit) is engine.fit(split, fit)
    assert counting.n_fits == 1
    engine.fit(split, other)
    engine.fit(split, fit)
    assert counting.n_fits == 3
    engine.fit(make_split(seed=3), fit)  # of other data
    assert counting.n_fits == 4


def test_a_split_that_is_made_again_is_known_by_its_origin(make_split) -> None:
    counting, fit = Counting(), Fit((4,), 2, Recipe(epochs=1))
    engine, origin = Remembering(counting), Origin()
    first, again, other = (
        dataclasses.replace(make_split(), origin=one) for one in (origin, origin, Origin())
    )
    outcome = engine.fit(first, fit)
    assert engine.fit(again, fit) is outcome
    assert engine.fit(other, fit) is not outcome
    assert counting.n_fits == 2


def test_what_is_watched_is_trained(make_split) -> None:
    split, counting, seen = make_split(), Counting(), []
    engine, fit = Remembering(counting), Fit((4,), 2, Recipe(epochs=2))
    engine.fit(split, fit)
    engine.fit(split, fit, watch=lambda epoch, loss: seen.append(epoch))
    assert seen == [0, 1]


def test_it_can_be_sent_elsewhere(make_split) -> None:
    engine = Remembering(NativeEngine())
    engine.fit(make_split(), Fit((4,), 2, Recipe(epochs=1)))
    assert pickle.loads(pickle.dumps(engine)).name == "native"
