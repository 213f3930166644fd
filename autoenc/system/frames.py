"""Room for the frames of Python's calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["in_one_piece"]

T = TypeVar("T")

_ROOM = 2**16  # words


def in_one_piece(function: Callable[[], T]) -> T:
    """Call a function that calls deeply and often, where the frames of all calls lie in one piece of memory.

    From Python 3.11 on, frames lie in pieces of 16 KiB. A piece is asked of the system when a call needs it
    and given back when that call returns, so that a loop that happens to run at the end of a piece does both
    with each of its calls, which can take as long as half of its work. A frame that is itself larger than
    many pieces gets one of its size and as much again for what it calls; memory that is not touched costs
    nothing.
    """
    return function()


in_one_piece.__code__ = in_one_piece.__code__.replace(co_stacksize=_ROOM)
