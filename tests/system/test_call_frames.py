"""Frames of calls lie in one piece of memory, and are no other calls for that."""

from __future__ import annotations

import sys

import pytest

from autoenc.system.frames import in_one_piece


def deep(n: int) -> int:
    """Call something two hundred times at each of many depths."""
    return sum(map(abs_of, range(200))) + (deep(n - 1) if n else 0)


def abs_of(i: int) -> int:
    return abs(i)


def test_results_and_errors_are_those_of_the_call() -> None:
    assert in_one_piece(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        in_one_piece(lambda: 1 // 0)
    assert in_one_piece(lambda: in_one_piece(lambda: "within")) == "within"


def test_room_is_enough_for_half_of_the_calls_that_python_allows() -> None:
    assert in_one_piece(lambda: deep(sys.getrecursionlimit() // 3)) == deep(sys.getrecursionlimit() // 3)


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="speaks of CPython's frames")
def test_calls_at_the_end_of_a_piece_ask_the_system_for_no_memory() -> None:
    resource = pytest.importorskip("resource")

    def n_faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        deep(300)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    deep(300)
    assert in_one_piece(n_faults) < 100 < n_faults()
