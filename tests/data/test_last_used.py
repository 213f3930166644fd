"""Results that are kept: the last ones, and those that are in use elsewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoenc.data.last_used import LastUsed


class Squares:
    """Counts what is made."""

    def __init__(self, n_kept: int) -> None:
        self.made: list[int] = []
        self.results = LastUsed(self._make, n_kept)

    def _make(self, key: int) -> NDArray[np.int64]:
        self.made.append(key)
        return np.array([key * key])

    def get(self, key: int) -> NDArray[np.int64]:
        return self.results.get(key)


def test_the_last_results_are_kept() -> None:
    squares = Squares(2)
    assert [int(squares.get(key)[0]) for key in (1, 2, 1, 3, 1, 2)] == [1, 4, 1, 9, 1, 4]
    assert squares.made == [1, 2, 3, 2]  # 2 was used longest ago when 3 came


def test_what_is_in_use_is_never_made_twice() -> None:
    squares = Squares(1)
    held = squares.get(1)
    squares.get(2)
    assert squares.get(1) is held
    squares.results.let_go()
    assert squares.get(1) is held
    assert squares.made == [1, 2]


def test_what_is_let_go_is_made_again() -> None:
    squares = Squares(5)
    squares.get(1)
    squares.results.let_go()
    squares.get(1)
    assert squares.made == [1, 1]
