"""Several stacks in training at once: while a device works on one, the steps of the next are launched.

One thread goes round. A stack says when its epoch is launched, and is asked for its losses when the others
have had their turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from autoenc.engines.contract import Answer, Stopped
from autoenc.engines.fit import Outcome
from autoenc.engines.stacks.places import Place, causes_of
from autoenc.errors import InputError
from autoenc.system.trouble import MachineError

__all__ = ["Ends", "Failed", "run_in_lanes"]

Ends = Iterator[tuple[int, Outcome | Exception] | None]
"""The ends of a stack's members by their numbers; None whenever others may have their turn."""

Failed = tuple[list[int], Exception]
"""Numbers of members that have no end, and what came in the way of their stack."""


def run_in_lanes(
    place: Place,
    n_lanes: int,
    stacks: Sequence[list[int]],
    begin: Callable[[list[int]], Ends],
    answer: Answer,
) -> list[Failed]:
    """Train stacks, so many at once.

    Args:
        place: Where they are trained.
        n_lanes: How many at once.
        stacks: Numbers of the members of each.
        begin: Begins a stack.
        answer: Called with the number of a member and its end.

    Returns:
        Stacks that an error came in the way of, with the members that have no end yet.

    Raises:
        Stopped: If a stack was asked to stop.
        InputError: If one cannot be trained here at all.
        MachineError: If the device cannot be used any more.
    """
    waiting, failed = list(stacks)[::-1], list[Failed]()
    lanes: dict[int, tuple[list[int], Ends]] = {}
    while waiting or lanes:
        for lane in range(n_lanes):
            if lane not in lanes and waiting:
                left = list(waiting.pop())
                lanes[lane] = left, begin(left)
            if lane in lanes:
                left, ends = lanes[lane]
                with place.lane(lane):
                    error = _turn(left, ends, answer)
                if error is not None or not left:
                    del lanes[lane], ends
                if error is not None:
                    failed.append((left, error))
                    _release(place, error)
    return failed


def _release(place: Place, error: Exception) -> None:
    """Give back what a stack held that failed, so that the others have it.

    Raises:
        MachineError: If the device cannot do even that.
    """
    try:
        place.release()
    except Exception as broken:
        raise MachineError(f"the device cannot be used any more ({error})") from broken


def _turn(left: list[int], ends: Ends, answer: Answer) -> Exception | None:
    """Have a stack go on until others may, or all its members have ended; return an error that ends it."""
    while left:
        try:
            end = next(ends)
        except (Stopped, InputError):
            raise
        except Exception as error:
            for cause in causes_of(error):  # whose frames would hold what is on the device
                cause.__traceback__ = None
            return error
        if end is None:
            return None
        left.remove(end[0])
        answer(*end)
    return None
