"""Recipes and fits remember their hash, in one process only."""

from __future__ import annotations

import pickle
from dataclasses import replace

from autoenc.engines import Fit, Recipe


def test_equal_fits_have_equal_hashes_and_others_do_not():
    fit, same = (Fit((16, 8), 2, Recipe(epochs=3)) for _ in range(2))
    assert fit == same
    assert hash(fit) == hash(same)
    assert hash(fit) == hash(fit)
    others = [
        replace(fit, seed=1), replace(fit, fold="fold0"), replace(fit, architecture=(16,)),
        replace(fit, recipe=Recipe(epochs=4)),
    ]  # fmt: skip
    assert len({fit, same, *others}) == 5


def test_another_process_is_given_no_hash():
    fit = Fit((16, 8), 2, Recipe(epochs=3))
    assert {fit: 1}[pickle.loads(pickle.dumps(fit))] == 1
    assert b"_hash" not in pickle.dumps(fit)
